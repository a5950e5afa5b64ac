"""Another rulebook between restarts: what was assessed before stays assessed as it was."""

from pathlib import Path
from typing import Any

from counting_rulebooks import CountingRulebooks, DoublingEngine
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.processor import Processor
from streams.stores.sqlite import SqliteStore, open_database
from streams.testing import (
    CountingEngine,
    assemble,
    records,
    results,
    stream,
)

EVENTS = stream(seed=11, length=90)


ENGINES = {engine.rulebook_hash: engine for engine in (CountingEngine(), DoublingEngine())}
RULEBOOKS = CountingRulebooks(ENGINES.values())


def opened(path: Path | str, rulebook: str) -> Processor:
    store = SqliteStore(open_database(path, sync="normal"))
    return assemble(store, engine=ENGINES[rulebook], rulebooks=RULEBOOKS)


@settings(max_examples=15, deadline=None)
@given(cut=st.integers(1, len(EVENTS)), close=st.booleans())
def test_a_killed_service_recovers_under_the_rules_of_then(
    cut: int, close: bool, tmp_path_factory: Any
) -> None:
    found = []
    for is_killed in (False, close):
        path = tmp_path_factory.mktemp("rules") / "riskmon.db"
        before = opened(path, "c0")
        before.process(records(EVENTS[:cut]))
        if not is_killed:
            before.close()
        before.store.db.close()  # type: ignore[attr-defined]
        after = opened(path, "d0")
        after.process(records(EVENTS[cut:]))
        after.close()
        assert [digest for _, digest in after.progress.rulebooks] == ["c0", "d0"]
        found.append(results(after.store.db))  # type: ignore[attr-defined]
        after.store.db.close()  # type: ignore[attr-defined]
    assert found[0] == found[1]
