"""How often rules were right: payments they hit that people judged since, by rule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from monitor.database import Database
from streams.findings import findings_by_rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """What payments that a live rule hit turned out to be, each counted once, by the last word about it."""

    rule: str
    fraud: int
    genuine: int

    @property
    def judged(self) -> int:
        """Payments of which it is known."""
        return self.fraud + self.genuine

    @property
    def precision(self) -> float | None:
        """Share of frauds among them, 0 to 1; None where nothing was judged.

        Examples
        --------
        >>> [Precision(rule="A-1", fraud=fraud, genuine=0).precision for fraud in (3, 0)]
        [1.0, None]
        """
        return self.fraud / self.judged if self.judged else None


NOBODY_JUDGED = Precision(rule="", fraud=0, genuine=0)


def precisions(db: Database) -> dict[str, Precision]:
    """Return by rule what was judged, whatever its version was then; rules without a verdict are left out."""
    found = findings_by_rule(db).items()
    return {rule: Precision(rule=rule, fraud=fraud, genuine=genuine) for rule, (fraud, genuine) in found}


def noisiest(found: Iterable[Precision]) -> list[Precision]:
    """Return them with most genuine payments first: those took officers' time for nothing.

    Examples
    --------
    >>> few, many = Precision(rule="A", fraud=0, genuine=2), Precision(rule="B", fraud=9, genuine=3)
    >>> [one.rule for one in noisiest([few, many])]
    ['B', 'A']
    """
    return sorted(found, key=lambda one: (-one.genuine, one.fraud, one.rule))


def percent_text(share: float | None) -> str:
    """Return a share as people read it; empty where there is none.

    Examples
    --------
    >>> percent_text(1 / 3), percent_text(None)
    ('33.3 %', '')
    """
    return "" if share is None else f"{100 * share:.1f} %"
