"""What the tests of rules notice, told: every variant that goes unnoticed, and shares by pack."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from monitor.ruletest.noticing import KINDS, Noticed
from rules.errors import Mistake


@dataclass(frozen=True, slots=True)
class Share:
    """How much is noticed of what was asked, in one pack or in all."""

    pack: str
    rules: int
    asked: dict[str, int]
    missed: dict[str, int]

    def percent(self, kind: str) -> float:
        """Return what share is noticed, 0 to 100; 100 where nothing was asked.

        Examples
        --------
        >>> Share("p", 1, {"thresholds": 8}, {"thresholds": 1}).percent("thresholds")
        87.5
        """
        asked = self.asked[kind]
        return 100.0 * (asked - self.missed[kind]) / asked if asked else 100.0


def share(pack: str, results: Sequence[Noticed]) -> Share:
    """Return the share of some rules together."""
    return Share(
        pack,
        len(results),
        {kind: sum(one.asked[kind] for one in results) for kind in KINDS},
        {kind: sum(len(one.missed[kind]) for one in results) for kind in KINDS},
    )


def shares(results: Sequence[Noticed]) -> list[Share]:
    """Return the share of each pack, by name."""
    packs = sorted({one.pack for one in results})
    return [share(pack, [one for one in results if one.pack == pack]) for pack in packs]


def unnoticed_lines(results: Iterable[Noticed]) -> Iterator[Mistake]:
    """Give everything unnoticed once, by file and place."""
    yield from sorted({one for found in results for missed in found.missed.values() for one in missed})


def as_plain(results: Sequence[Noticed]) -> dict[str, Any]:
    """Return everything as plain data for JSON."""
    return {
        "total": _plain_share(share("", results)),
        "packs": [_plain_share(one) for one in shares(results)],
        "missed": [
            {"rule": found.rule, "kind": kind, **asdict(one)}
            for found in results
            for kind, missed in found.missed.items()
            for one in missed
        ],
    }


def _plain_share(one: Share) -> dict[str, Any]:
    counts = {
        kind: {"asked": one.asked[kind], "missed": one.missed[kind], "percent": round(one.percent(kind), 1)}
        for kind in KINDS
    }
    return {"pack": one.pack, "rules": one.rules, **counts}
