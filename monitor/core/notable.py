"""What models want officers to see: payments above the threshold, and a sample of those below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zlib import crc32

from monitor.core.assessment import Assessment, Hit
from monitor.core.models.config import ModelsConfig
from monitor.core.models.scale import Scale, out_of

MODEL, SAMPLE = "MODEL", "SAMPLE"
"""Ids under which models alert, as rules do."""
RULES = (MODEL, SAMPLE)
SEVERITY = {MODEL: "medium", SAMPLE: "info"}
DAY_MS = 86_400_000
DIMENSION = "fraud"
ALL = 1 << 32
TITLES = {MODEL: "High model score", SAMPLE: "Sample for review"}
_TRIAGE = {
    MODEL: ("Read what raised the score.", "Ask the customer about the payment.", "Close it as what it was."),
    SAMPLE: (
        "Nothing speaks against this payment: it was chosen by chance.",
        "Look whether it is as ordinary as it seems, and close it as what it was.",
    ),
}


def lookout(scale: Scale | None, models: ModelsConfig | None) -> Lookout | None:
    """Return what chooses by a scale and the parameters of models; None where either is missing."""
    if scale is None or models is None:
        return None
    return Lookout(scale, models.least_chance, models.sample_share, models.sample_seed)


class Lookout:
    """Chooses what officers see of one scale's scores; frozen.

    Parameters
    ----------
    scale
        In force.
    least_chance
        Share of frauds among payments scored alike from which a score above the threshold is an alert.
    share, seed
        How much of what is below the threshold is a sample. Which payments: that follows from their
        references, the seed and the scale alone.
    """

    __slots__ = ("_least_chance", "_limit", "_name", "_salt", "_share", "scale")

    def __init__(self, scale: Scale, least_chance: float, share: float, seed: int) -> None:
        self.scale, self._least_chance, self._share = scale, least_chance, share
        self._name = scale.hash
        self._limit = int(share * ALL)
        self._salt = crc32(f"{seed}:{self._name}".encode())

    def chance(self, raw: float) -> float | None:
        """Return how many of the payments scored so were fraud, if a raw score is an alert; else None."""
        if raw <= self.scale.threshold:
            return None
        found = self.scale.observed(raw)
        return found if found is not None and found >= self._least_chance else None

    def is_sample(self, ref: int, raw: float) -> bool:
        """Return whether a payment is one of the sample."""
        if not self._limit or raw > self.scale.threshold:
            return False
        return crc32((ref % (1 << 64)).to_bytes(8, "little"), self._salt) < self._limit

    def high(self, answer: Assessment, chance: float, reasons: Sequence[str]) -> Hit:
        """Return a score above the threshold as a hit of the rule `MODEL`."""
        told = f"score {answer.score:.2f}; {out_of(chance)} such payments were fraud"
        saw: dict[str, Any] = {
            "score": answer.score,
            "threshold": self.scale.told(self.scale.threshold),
            "share_of_frauds": round(chance, 6),
            "reasons": list(reasons),
        }
        return self._hit(MODEL, answer, "; ".join((told, *reasons)), saw)

    def sample(self, answer: Assessment) -> Hit:
        """Return a payment of the sample as a hit of the rule `SAMPLE`."""
        told = f"chosen by chance, one of {round(1 / self._share):,} below the threshold"
        saw = {"score": answer.score, "share": self._share}
        return self._hit(SAMPLE, answer, told, saw)

    def _hit(self, rule: str, answer: Assessment, say: str, saw: dict[str, Any]) -> Hit:
        return Hit(
            rule=rule,
            version=self._name[:12],
            subject=answer.subject,
            subject_id=answer.subject_id,
            event_id=answer.event_id,
            ref=answer.ref,
            time_ms=answer.time_ms,
            late=answer.late,
            status="live",
            title=TITLES[rule],
            dimension=DIMENSION,
            severity=SEVERITY[rule],
            points=0.0,
            alert=True,
            cooldown_ms=DAY_MS if rule == MODEL else 0,
            say=say,
            saw=saw,
            evidence=(answer.ref,),
            triage=_TRIAGE[rule],
        )
