"""Ratings to show: of a customer, now or then, with arithmetic that adds up and its history."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from monitor.app import scoring_engines
from monitor.audit.ledger import Ledger
from monitor.configuration import Configuration, build_codec
from monitor.core.engine import Engine
from monitor.core.rating_shown import Rating
from monitor.core.show import show_rating
from monitor.database import Database
from streams.codec import Codec
from streams.history import CUSTOMER, customer_state


@dataclass(frozen=True, slots=True)
class Shown:
    """A rating and where it came from."""

    customer_id: str
    rating: Rating
    history: tuple[dict[str, Any], ...]
    """The last 1,000 changes up to the moment, oldest first: time_ms, score, grade, previous_grade, cause."""


def customer_rating(
    db: Database, configuration: Configuration, customer_id: str, at_ms: int | None = None
) -> Shown | None:
    """Return a customer's rating now or as of `at_ms`; None where there was none.

    The state is recomputed from the journal under the configuration of its day; decay and timers
    run on to the moment asked for.
    """
    engines = scoring_engines(db)
    found = customer_state(db, _codec(configuration.archive), engines, customer_id, at_ms)
    if found is None or found[0].rating is None or found[0].rating.grade is None:
        return None
    state, engine = found
    assert isinstance(engine, Engine)
    moment_ms = state.now_ms if at_ms is None else max(at_ms, state.now_ms)
    engine.tick(moment_ms, CUSTOMER, customer_id, state)
    rating = show_rating(engine.rater, state.rating, moment_ms)
    return Shown(customer_id, rating, _history(db, customer_id, moment_ms))


@lru_cache(maxsize=2)
def _codec(archived: bytes) -> Codec:
    """Build a codec once: it takes longer than a customer's year."""
    return build_codec(Configuration.of_archive(archived))


def _history(db: Database, customer_id: str, until_ms: int) -> tuple[dict[str, Any], ...]:
    entries = Ledger(db).entries(
        kind="rating", subject=f"customer:{customer_id}", newest_first=True, limit=1_000
    )
    changes = [{"time_ms": entry.time_ms, **entry.data} for entry in entries if entry.time_ms <= until_ms]
    changes.reverse()  # oldest first again: sorting keeps the order of changes at one moment
    return tuple(sorted(changes, key=lambda change: change["time_ms"]))
