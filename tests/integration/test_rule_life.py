"""Rules proposed, approved, activated and rolled back: what counts, what is void, and what proves it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from ruled_monitor import COUNTED, SUMMED, archive, change, configured, life, opened, send, step, windows

from monitor.app import scoring_engines
from monitor.audit.ledger import canonical
from monitor.configuration import Configuration, build_codec
from monitor.recompute import proof
from monitor.testing import START_MS, record
from streams.history import customer_state
from streams.journal import GENESIS, row_hash
from streams.progress import progress_of
from streams.stores.sqlite import read_only

HOUR_MS = 3_600_000
OLD = configured(COUNTED)
NEW = configured(COUNTED, SUMMED)
THIRD = configured(SUMMED)


def pay(n: int, at_ms: int, amount: str = "1000") -> bytes:
    return record(f"e{n}", "payment.transfer", at_ms, amount=amount, direction="in")


def hits(outcomes: Any) -> list[tuple[str, ...]]:
    return [outcome.rules for outcome in outcomes]


@pytest.fixture
def monitor(tmp_path: Path):
    made = opened(tmp_path, OLD)
    yield made
    made.store.db.close()


def test_the_first_configuration_is_taken_and_recorded(monitor):
    assert [(one.action, one.hash) for one in life(monitor).history] == [("taken", OLD.hash)]


def test_nobody_approves_what_they_proposed(monitor):
    archive(monitor, NEW)
    proposed, approved, activated = send(
        monitor,
        step("proposed", NEW, "ada", 0),
        step("approved", NEW, "ada", 1),
        step("activated", NEW, "bob", 2),
    )
    assert proposed.status == "accepted"
    assert approved.message.endswith("ada proposed it, expected another person")
    assert activated.message.endswith("expected another person's approval first")
    assert monitor.processor.progress.rulebooks == [(1, OLD.hash)]


def test_an_approval_counts_for_no_other_content(monitor):
    other = Configuration({**NEW.plain, "rates": {**NEW.plain["rates"], "source": "another byte"}})
    archive(monitor, NEW, other)
    outcomes = send(
        monitor,
        step("proposed", NEW, "ada", 0),
        step("approved", NEW, "bob", 1),
        step("activated", other, "ada", 2),
        step("proposed", other, "ada", 3),
        step("activated", other, "ada", 4, key="2"),
    )
    assert [one.status for one in outcomes] == ["accepted", "accepted", "refused", "accepted", "refused"]


def test_an_approval_lapses_when_something_else_comes_into_force(monitor):
    archive(monitor, NEW, THIRD)
    send(monitor, step("proposed", NEW, "ada", 0), step("approved", NEW, "bob", 1))
    change(monitor, THIRD, 2)
    (late,) = send(monitor, step("activated", NEW, "ada", 3))
    assert "another one came into force" in late.message


def test_what_is_not_archived_or_has_mistakes_is_refused(monitor):
    wrong = Configuration({**NEW.plain, "rules": [{**NEW.plain["rules"][0], "content": {"id": "X"}}]})
    archive(monitor, wrong)
    unknown, mistaken = send(
        monitor, step("proposed", "ab" * 32, "ada", 0), step("proposed", wrong, "ada", 0)
    )
    assert "not archived" in unknown.message
    assert "RuleError" in mistaken.message


def test_rules_change_between_two_events_of_one_batch(monitor):
    archive(monitor, NEW)
    events = [pay(n, n * HOUR_MS) for n in range(6)]
    steps = [
        step("proposed", NEW, "ada", 6 * HOUR_MS),
        step("approved", NEW, "bob", 6 * HOUR_MS),
        step("activated", NEW, "ada", 6 * HOUR_MS, backfill=1_000),
        step("activated", NEW, "ada", 6 * HOUR_MS, backfill=1_000),
    ]
    outcomes = send(monitor, *events, *steps, pay(7, 7 * HOUR_MS))
    assert [one.status for one in outcomes[6:]] == [
        "accepted",
        "accepted",
        "accepted",
        "duplicate",
        "accepted",
    ]
    assert hits(outcomes[:6]) == [(), (), ("T-1",), ("T-1",), ("T-1",), ("T-1",)]
    assert hits(outcomes[-1:]) == [("T-1", "T-2")], "the seven days were filled from the journal"


def test_windows_that_cannot_be_filled_say_since_when_they_are_complete(monitor):
    send(monitor, *[pay(n, n * HOUR_MS) for n in range(30)])
    change(monitor, NEW, 30 * HOUR_MS, backfill=5)
    found = life(monitor).in_force.windows
    assert found["new"] == 1
    (late,) = found["incomplete"]
    assert late["complete_ms"] > found["since_ms"] > 0


def test_without_filling_a_new_window_begins_at_the_change(monitor):
    send(monitor, *[pay(n, n * HOUR_MS) for n in range(10)])
    change(monitor, NEW, 10 * HOUR_MS, backfill=0)
    assert not any(slots for key, slots in windows(monitor).items() if key[0] == "customer")


def test_rolling_back_takes_a_reason_and_no_approval(monitor):
    change(monitor, NEW, 0)
    silent, back = send(
        monitor,
        step("rolled_back", OLD, "ada", 1, reason=""),
        step("rolled_back", OLD, "ada", 2, key="2", reason="too many hits"),
    )
    assert "expected a reason" in silent.message
    assert back.status == "accepted"
    assert [one.action for one in life(monitor).history] == ["taken", "activated", "rolled_back"]


def test_nobody_rolls_back_to_a_time_when_one_person_sufficed(tmp_path):
    alone = configured(COUNTED, approval="off")
    with closing(opened(tmp_path, alone)):
        pass
    with closing(opened(tmp_path, NEW)) as monitor:  # taken at the start, as nothing forbids it
        (outcome,) = send(monitor, step("rolled_back", alone, "ada", 0))
        assert "propose it instead" in outcome.message


def test_files_that_differ_wait_where_an_approval_is_needed(tmp_path):
    with closing(opened(tmp_path, OLD)):
        pass
    with closing(opened(tmp_path, NEW)) as monitor:
        assert (monitor.configuration.hash, monitor.waiting) == (OLD.hash, NEW.hash)
        assert monitor.processor.progress.rulebooks == [(1, OLD.hash)]


def test_files_that_differ_are_taken_where_none_is_needed(tmp_path):
    with closing(opened(tmp_path, configured(COUNTED, approval="off"))):
        pass
    with closing(opened(tmp_path, NEW)) as monitor:
        assert (monitor.configuration.hash, monitor.waiting) == (NEW.hash, "")
        assert life(monitor).in_force.action == "taken"


def changed_thrice(folder: Path) -> None:
    monitor = opened(folder, OLD)
    for number, what in enumerate((NEW, THIRD, NEW)):
        send(monitor, *[pay(10 * number + n, (10 * number + n) * HOUR_MS) for n in range(9)])
        change(monitor, what, (10 * number + 9) * HOUR_MS, key=str(number))
    send(monitor, step("rolled_back", THIRD, "ada", 40 * HOUR_MS), pay(99, 41 * HOUR_MS))
    monitor.close()


def test_three_activations_and_a_rollback_are_proven(tmp_path):
    changed_thrice(tmp_path)
    assert proof(tmp_path) == []


def test_a_configuration_put_into_force_behind_everybodys_back_is_found(tmp_path):
    changed_thrice(tmp_path)
    with closing(sqlite3.connect(tmp_path / "riskmon.db", isolation_level=None)) as db:
        (value,) = db.execute("SELECT value FROM meta WHERE key = 'epochs'").fetchone()
        epochs = orjson.loads(value)
        epochs["rulebooks"].append([progress_of(db).head + 1, OLD.hash])
        db.execute("UPDATE meta SET value = ? WHERE key = 'epochs'", (orjson.dumps(epochs),))
    assert any("came into force" in str(one) and "without an approval" in str(one) for one in proof(tmp_path))


def test_an_approval_that_is_forged_with_all_its_hashes_is_found(tmp_path):
    """The author approves it herself: the journal's chain is made anew, and still it does not follow."""
    changed_thrice(tmp_path)
    with closing(sqlite3.connect(tmp_path / "riskmon.db", isolation_level=None)) as db:
        rows = db.execute(
            "SELECT seq, ref, received_ms, facts, answer, body FROM journal ORDER BY seq"
        ).fetchall()
        previous = GENESIS
        for seq, ref, received_ms, facts, answer, body in rows:
            forged = body.replace(b'"bob"', b'"ada"') if b"rules.approved" in body else body
            previous = row_hash(previous, seq, ref, received_ms, facts, answer, forged)
            db.execute("UPDATE journal SET body = ?, hash = ? WHERE seq = ?", (forged, previous, seq))
        (value,) = db.execute("SELECT value FROM meta WHERE key = 'progress'").fetchone()
        progress = orjson.loads(value) | {"head_hash": previous.hex()}
        db.execute("UPDATE meta SET value = ? WHERE key = 'progress'", (orjson.dumps(progress),))
    told = [str(one) for one in proof(tmp_path)]
    assert any("refused when recomputed" in one and "expected another person" in one for one in told)


def test_a_step_in_the_ledger_that_nobody_took_is_found(tmp_path):
    changed_thrice(tmp_path)
    with closing(sqlite3.connect(tmp_path / "riskmon.db", isolation_level=None)) as db:
        rows = db.execute("SELECT seq, body FROM ledger WHERE kind = 'rulebook'").fetchall()
        seq, body = next(row for row in rows if b'"approver":"bob"' in row[1])
        forged = canonical(orjson.loads(body) | {"approver": "eve"})
        db.execute("UPDATE ledger SET body = ? WHERE seq = ?", (forged, seq))
    told = [str(one) for one in proof(tmp_path)]
    assert any(one.startswith("ledger") and "expected" in one for one in told)


def test_after_a_crash_the_windows_that_were_filled_are_there(tmp_path):
    monitor = opened(tmp_path, OLD)
    send(monitor, *[pay(n, n * HOUR_MS) for n in range(6)])
    change(monitor, NEW, 6 * HOUR_MS)
    monitor.store.db.close()  # nothing is written on the way out
    with closing(opened(tmp_path, NEW)) as again:
        assert hits(send(again, pay(7, 7 * HOUR_MS))) == [("T-1", "T-2")]


@pytest.mark.parametrize("at_ms", [None, START_MS + 9 * HOUR_MS])
def test_a_state_is_recomputed_with_the_windows_that_were_filled(tmp_path, at_ms):
    monitor = opened(tmp_path, OLD)
    send(monitor, *[pay(n, n * HOUR_MS) for n in range(6)])
    change(monitor, NEW, 6 * HOUR_MS)
    send(monitor, pay(7, 7 * HOUR_MS), pay(8, 8 * HOUR_MS))
    with closing(read_only(tmp_path / "riskmon.db")) as db:
        found = customer_state(db, build_codec(NEW), scoring_engines(db), "c1", at_ms)
    monitor.close()
    with closing(read_only(tmp_path / "riskmon.db")) as db:
        (packed,) = db.execute("SELECT packed FROM states WHERE kind = 'customer' AND id = 'c1'").fetchone()
    assert found is not None
    assert found[0].pack() == packed
