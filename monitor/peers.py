"""Peer figures measured: a journal replayed, named figures of every customer, quantiles of groups."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from monitor.backtest.past import Past
from monitor.configuration import Configuration, build_codec
from monitor.core.conversion import by_day
from monitor.core.engine import Engine
from monitor.core.events import Event
from monitor.core.listed import prepared
from monitor.core.periods import Periods
from monitor.core.rating import Rater
from monitor.core.rating_config import RatingConfig
from monitor.core.routes import CUSTOMER
from monitor.core.runtime import NAMES
from monitor.core.state import State
from monitor.peer_figures import Figure, compile_figures
from rules.grammar import parse
from rules.lists import list_from_plain
from rules.model import Expression
from rules.peers import COLUMNS, KEY, TABLE, groups
from rules.terms import SCALE
from rules.vocabulary import load_vocabulary
from streams.journal import tick_of
from streams.rates import Exchange, Rates
from streams.recall import earlier, note_passed

LEAST = 10
"""No group of fewer customers is published."""
_EVERY = 1_000
"""Rows between two words about the progress."""
Progress = Callable[[int, int], None]
"""Called with journal rows done and in all."""


@dataclass(frozen=True, slots=True)
class Peers:
    """What was measured: rows of the table, and what was held back."""

    at_ms: int
    rows: tuple[tuple[str, ...], ...]
    customers: Mapping[str, int]
    """Figure to how many customers have it."""
    held_back: Mapping[str, int]
    """Figure to how many groups are too small."""

    def text(self) -> str:
        """Return the list file: the same for the same measurement, byte for byte."""
        shown = [
            "{" + ", ".join(f"{name}: {cell}" for name, cell in zip(TABLE, row, strict=True) if cell) + "}"
            for row in self.rows
        ]
        day = datetime.fromtimestamp(self.at_ms / 1000, UTC).date()
        digest = hashlib.sha256("\n".join(shown).encode()).hexdigest()[:8]
        head = (
            f'version: "{day} {digest}"',
            f"about: Quantiles of figures among customers alike, at least {LEAST} a group. Frozen.",
            "source: written by riskmon rules peers",
            "verification: D",
            "kind: table",
            f"key: [{', '.join(KEY)}]",
            f"columns: {{{', '.join(f'{name}: {type_}' for name, type_ in TABLE.items())}}}",
            "rows:",
        )
        return "\n".join([*head, *(f"  - {row}" for row in shown)]) + "\n"


class _Measure:
    """A journal replayed by figures alone."""

    def __init__(self, configuration: Configuration, names: Sequence[str]) -> None:
        plain, vocabulary = configuration.plain, load_vocabulary()
        currency, grace_ms = plain["base_currency"], plain["grace_ms"]
        lists = {name: list_from_plain(name, data) for name, data in plain["lists"].items()}
        predicates = {
            name: Expression(text, parse(text), f"predicate {name}", ((1, 1),))
            for name, text in plain["predicates"].items()
        }
        book, self.figures = compile_figures(
            names, vocabulary, lists, predicates, base_currency=currency, grace_ms=grace_ms
        )
        periods, convert = Periods(plain["zone"]), Exchange(currency, Rates.from_plain(plain["rates"])).units
        rater = Rater(RatingConfig.from_plain(plain["rating"]))
        self._engine = Engine(
            book, vocabulary, rater, periods, convert, base_currency=currency, grace_ms=grace_ms
        )
        self._codec = build_codec(configuration)
        self._space = NAMES | {
            "PERIODS": periods, "FX": by_day(convert), "LISTS": prepared(lists, convert, currency),
        }  # fmt: skip
        self.states: dict[str, State] = {}

    def replay(self, past: Past, at_ms: int, progress: Progress) -> None:
        """Take in what happened up to a time."""
        last = past.progress.head
        for row in past.rows(last):
            event = tick_of(row.body) or self._codec.decode(row.body)
            if type(event) is Event and event.time_ms <= at_ms:
                target = earlier(event)
                old = past.body(target, row.seq) if target is not None else None
                before = self._codec.decode(old) if old is not None else None
                if type(before) is Event:
                    note_passed(self._engine, event, before)
                self._take(event)
            if not row.seq % _EVERY or row.seq == last:
                progress(row.seq, last)

    def _take(self, event: Event) -> None:
        for kind, subject_id in self._engine.subjects(event):
            if kind == CUSTOMER:
                state = self.states.get(subject_id)
                if state is None:
                    state = self.states[subject_id] = self._engine.new_state(kind)
                self._engine.assess(event, kind, subject_id, state)

    def values(self, figure: Figure, at_ms: int) -> list[tuple[Mapping[str, Any], Any]]:
        """Return the profile of every customer who has a figure, and the figure."""
        space = dict(self._space)
        exec(compile(figure.source, f"<{figure.name}>", "exec"), space)  # noqa: S102  the compiler wrote it
        found: list[tuple[Mapping[str, Any], Any]] = []
        for state in self.states.values():
            now_ms = max(at_ms, state.now_ms)
            value = space["figure"](None, None, state.slots, {}, state, at_ms, now_ms, 0, False)
            if value is not None:
                found.append((state.profile, value))
        return found


def measure(
    configuration: Configuration, past: Past, names: Sequence[str], at_ms: int, progress: Progress
) -> Peers:
    """Return the figures of all customers at a time, by group.

    The same journal, configuration and time give the same table. Late, reversed and duplicate events
    count as they do for rules.

    Raises
    ------
    RuleError
        A figure is not named in a pack, or cannot be asked without an event.
    """
    made = _Measure(configuration, names)
    made.replay(past, at_ms, progress)
    rows: list[tuple[str, ...]] = []
    customers, held_back = Counter[str](), Counter[str]()
    for figure in sorted(made.figures, key=lambda one: one.name):
        by_group: dict[tuple[str, ...], list[Any]] = defaultdict(list)
        for profile, value in made.values(figure, at_ms):
            customers[figure.name] += 1
            for group in groups(profile):
                by_group[group].append(value)
        held_back[figure.name] = sum(len(found) < LEAST for found in by_group.values())
        rows += [
            _row(figure, group, found) for group, found in sorted(by_group.items()) if len(found) >= LEAST
        ]
    return Peers(at_ms, tuple(rows), customers, held_back)


def _row(figure: Figure, group: tuple[str, ...], values: list[Any]) -> tuple[str, ...]:
    values.sort()
    cells = []
    for share in COLUMNS:
        rank = -(-share.numerator * len(values) // share.denominator)
        # What only the largest reaches would say what one customer has.
        cells.append(_shown(values[rank - 1], figure.type) if rank < len(values) else "")
    told = (json.dumps(one, ensure_ascii=False) for one in (figure.name, *group))
    return (*told, str(len(values)), *cells, f'"{figure.definition}"')


def _shown(value: Any, type_: str) -> str:
    """Return a figure to three digits: a group's, and no customer's."""
    exact = Decimal(value) / SCALE if type_ == "money" else Decimal(value)
    return format(Decimal(f"{exact:.3g}"), "f")
