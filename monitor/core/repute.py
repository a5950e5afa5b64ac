"""What became of a subject's payments: those judged in short, those still open one by one.

A customer has one, and so has every place (terminal, merchant, counterparty). A payment is judged
when somebody says what it was, and counts as genuine once nobody has said anything for so long that
a dispute would have arrived. Nothing here knows a label before its event.
"""

from __future__ import annotations

from array import array
from math import exp
from typing import Any

MATURES_S = 7 * 86_400
"""After so long without a dispute a payment counts as genuine."""
OPEN = 24
"""Payments kept while they wait to be judged; at a busy place these are a sample of all."""
FADING_S = 14 * 86_400.0
"""Counts fade to a third in so long."""
SHORT, LONG = 1 / 8, 1 / 32
"""Least weight of the payment judged last in the two shares of frauds."""
UNKNOWN = 0.01
"""The share of frauds where nothing was judged yet."""
PARTS = 1024
"""Shares are read in 1024ths."""
AGES = 1350
"""Ages are read in 64ths of a day: of so many seconds."""
OLDEST = 60 * 64
"""Ages beyond 60 days are 60 days."""
MOST = 255
"""Counts beyond are read as this."""
NEVER = -(1 << 40)

READS = (
    "share", "share_long", "run", "last", "first", "before", "calm", "calm_last", "fresh", "payments",
    "mixed", "usual",
)  # fmt: skip
"""What `Repute.read` gives, in this order."""


class Repute:
    """Frauds and genuine payments as they became known. Times are epoch seconds.

    Examples
    --------
    >>> repute = Repute()
    >>> repute.add(7, 0, usual=True)
    >>> repute.add(8, 3_600, usual=True)
    >>> repute.judge(8, 7_200, is_fraud=True, who=1)
    >>> dict(zip(READS, repute.read(86_400), strict=True))["run"]
    1
    """

    __slots__ = (
        "before",
        "calm",
        "calm_last",
        "count",
        "first",
        "fresh",
        "fresh_s",
        "is_mixed",
        "last",
        "payments",
        "payments_s",
        "refs",
        "run",
        "share",
        "share_long",
        "times",
        "usual",
        "who",
    )

    def __init__(self) -> None:
        self.count = 0
        """Payments judged."""
        self.share = UNKNOWN
        """Of frauds among the last eight judged, or so."""
        self.share_long = UNKNOWN
        self.run = 0
        """Frauds after one another, up to the last one known."""
        self.last = NEVER
        """When the last known fraud was made."""
        self.first = NEVER
        """When the run began."""
        self.before = NEVER
        """When the last genuine payment before the run was made."""
        self.calm = 0
        """Genuine payments made after the last known fraud."""
        self.calm_last = NEVER
        """When the last genuine payment was made."""
        self.fresh = 0.0
        """Frauds that became known, fading."""
        self.fresh_s = 0
        self.payments = 0.0
        """Payments, fading."""
        self.payments_s = 0
        self.is_mixed = False
        """Whether the run is of several customers (or places)."""
        self.usual = 0.0
        """Share of the run's frauds whose amounts were nothing odd."""
        self.who = 0
        """Who had the last fraud."""
        self.refs = array("q")
        self.times = array("q")
        """Of open payments: seconds times two, and one more where the amount was nothing odd."""

    def mature(self, now_s: int) -> None:
        """Take open payments that are old enough for genuine."""
        times, ripe = self.times, 2 * (now_s - MATURES_S)
        while times and times[0] < ripe:
            moment = times.pop(0)
            del self.refs[0]
            self._take(moment >> 1, False, bool(moment & 1), 0)

    def add(self, ref: int, now_s: int, *, usual: bool) -> None:
        """Note a payment that nobody has judged yet."""
        since = now_s - self.payments_s
        if since > 0:
            self.payments *= exp(-since / FADING_S)
            self.payments_s = now_s
        self.payments += 1.0
        if len(self.refs) == OPEN:
            # By its reference: who stays has nothing to do with what it will turn out to be.
            place = ref % OPEN
            del self.refs[place], self.times[place]
        self.refs.append(ref)
        self.times.append(2 * now_s + usual)

    def judge(self, ref: int, now_s: int, *, is_fraud: bool, who: int) -> None:
        """Learn what a payment was, at the moment when that became known."""
        if is_fraud:
            since = max(now_s - self.fresh_s, 0)
            self.fresh = self.fresh * exp(-since / FADING_S) + 1.0
            self.fresh_s = max(now_s, self.fresh_s)
        if ref in self.refs:
            place = self.refs.index(ref)
            moment = self.times.pop(place)
            del self.refs[place]
            self._take(moment >> 1, is_fraud, bool(moment & 1), who)

    def drop(self, ref: int) -> None:
        """Forget an open payment that was taken back."""
        if ref in self.refs:
            place = self.refs.index(ref)
            del self.refs[place], self.times[place]

    def read(self, now_s: int) -> list[int]:
        """Return what is known, as whole numbers in the order of `READS`; changes nothing.

        Shares are in 1024ths, ages in 64ths of a day, `fresh` and `payments` in eighths.
        """
        fresh = self.fresh
        if fresh:
            fresh *= 8.0 * exp((self.fresh_s - now_s) / FADING_S)
        payments = self.payments * 8.0 * exp((self.payments_s - now_s) / FADING_S)
        oldest_s = now_s - AGES * OLDEST
        last, first, before, calm_last = self.last, self.first, self.before, self.calm_last
        return [
            int(PARTS * self.share),
            int(PARTS * self.share_long),
            self.run if self.run < MOST else MOST,
            (now_s - last) // AGES if last > oldest_s else OLDEST,
            (now_s - first) // AGES if first > oldest_s else OLDEST,
            (now_s - before) // AGES if before > oldest_s else OLDEST,
            self.calm if self.calm < MOST else MOST,
            (now_s - calm_last) // AGES if calm_last > oldest_s else OLDEST,
            int(fresh),
            int(payments),
            int(self.is_mixed),
            int(PARTS * self.usual),
        ]

    def snapshot(self) -> list[Any]:
        """Return all of it as plain data."""
        plain = [getattr(self, name) for name in _PLAIN]
        return [*plain, self.refs.tobytes(), self.times.tobytes()]

    @classmethod
    def restore(cls, plain: list[Any]) -> Repute:
        """Return the repute whose `snapshot()` is `plain`."""
        repute = cls()
        *values, refs, times = plain
        for name, value in zip(_PLAIN, values, strict=True):
            setattr(repute, name, value)
        repute.refs, repute.times = array("q", refs), array("q", times)
        return repute

    def _take(self, made_s: int, is_fraud: bool, usual: bool, who: int) -> None:
        count = self.count = self.count + 1
        one = 1.0 / (count + 1)
        self.share += (one if one > SHORT else SHORT) * (is_fraud - self.share)
        self.share_long += (one if one > LONG else LONG) * (is_fraud - self.share_long)
        if not is_fraud:
            if made_s > self.last:
                self.calm += 1
            if made_s > self.calm_last:
                self.calm_last = made_s
            return
        if self.run == 0 or self.calm > 0:
            self.before, self.first, self.run = self.calm_last, made_s, 1
            self.is_mixed, self.usual = False, float(usual)
        else:
            self.run += 1
            self.is_mixed = self.is_mixed or who != self.who
            self.usual += max(1.0 / self.run, SHORT) * (usual - self.usual)
        self.who, self.calm = who, 0
        self.last = max(self.last, made_s)


_PLAIN = tuple(name for name in Repute.__slots__ if name not in ("refs", "times"))
