"""Since when the windows of a rule in force are complete, told from the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from ruled_monitor import COUNTED, SUMMED, change, configured, opened, send
from typer.testing import CliRunner

from monitor.app import Opened
from monitor.cli.rules import app
from monitor.completeness import incomplete_windows, windows_of
from monitor.reader import Reader
from monitor.remembered import Filling
from monitor.rule_service import MonitorRules
from monitor.rulediff import differences
from monitor.testing import RULE, START_MS, record
from streams.stores.sqlite import read_only

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
OLD = configured(COUNTED)
NEW = configured(COUNTED, SUMMED)
HIGHER = configured(COUNTED, {**SUMMED, "points": 9})


def pay(n: int, at_ms: int) -> bytes:
    return record(f"e{n}", "payment.transfer", at_ms, amount="1000", direction="in")


def hours(time_ms: int) -> str:
    return f"{(time_ms - START_MS) / HOUR_MS:g} h"


def told(monitor: Opened, rule: str = "T-2") -> list[str]:
    found = windows_of(monitor.store.db, rule)
    assert found is not None
    return [one.told(hours) for one in found.windows]


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[Opened]:
    made = opened(tmp_path / "data", OLD)
    send(made, *[pay(n, n * HOUR_MS) for n in range(30)])
    yield made
    made.store.db.close()


def test_windows_of_the_first_configuration_are_complete(monitor):
    assert told(monitor, "T-1") == ["complete"]


def test_a_rule_that_is_not_in_force_has_none(monitor):
    assert windows_of(monitor.store.db, "T-2").version == ""


def test_a_window_filled_from_the_whole_journal_is_complete(monitor):
    change(monitor, NEW, 30 * HOUR_MS)
    assert told(monitor) == ["complete"]


def test_a_window_filled_in_part_says_from_when_on_it_is_complete_until_it_is(monitor):
    change(monitor, NEW, 30 * HOUR_MS, backfill=6)
    begins = told(monitor)[0].removeprefix("sees events from ").partition(" h on")[0]
    full = float(begins) + 7 * 24
    assert told(monitor) == [f"sees events from {begins} h on, complete from {full:g} h on"]
    assert 24 <= float(begins) < 30
    send(monitor, pay(50, 9 * DAY_MS))
    assert told(monitor) == [f"complete since {full:g} h"]


def test_a_later_change_does_not_hide_what_an_earlier_one_left_incomplete(monitor, tmp_path):
    change(monitor, NEW, 30 * HOUR_MS, backfill=5)
    before = told(monitor)
    lines = incomplete_windows(monitor.store.db, hours)
    change(monitor, HIGHER, 31 * HOUR_MS, key="2")
    assert told(monitor) == before
    assert lines == [f"{before[0]}: of each customer: payment.transfer, for 7 d"]
    assert incomplete_windows(monitor.store.db, hours) == lines
    shown = MonitorRules(Reader(lambda: read_only(tmp_path / "data" / "riskmon.db"))).standing()["in_force"]
    assert [line.partition(": of each")[2] for line in shown["windows"]] == [
        " customer: payment.transfer, for 7 d"
    ]
    send(monitor, pay(50, 9 * DAY_MS))
    assert incomplete_windows(monitor.store.db, hours) == []


def test_a_window_that_was_forgotten_and_filled_wholly_is_complete(monitor):
    change(monitor, NEW, 30 * HOUR_MS, backfill=5)
    change(monitor, OLD, 31 * HOUR_MS, key="2")
    assert incomplete_windows(monitor.store.db, hours) == []
    change(monitor, NEW, 32 * HOUR_MS, key="3")
    assert told(monitor) == ["complete"]
    assert incomplete_windows(monitor.store.db, hours) == []


def test_the_command_tells_it_and_whether_the_files_say_another_version(
    monitor, tmp_path, repository, monkeypatch
):
    monkeypatch.chdir(repository)
    change(monitor, NEW, 30 * HOUR_MS, backfill=5)
    pack = tmp_path / "own"
    pack.mkdir()
    (pack / "T-2.yaml").write_text(yaml.safe_dump({**RULE, **SUMMED}), encoding="utf-8")
    command = ["explain", "T-2", "--packs", str(pack)]
    assert "in force" not in CliRunner().invoke(app, command).output
    said = CliRunner().invoke(app, [*command, "--data", str(tmp_path / "data")]).output
    since = datetime.fromtimestamp((START_MS + 30 * HOUR_MS) / 1000, UTC).isoformat()
    assert f"in force    this version; the configuration since {since}" in said
    assert "sees events from" in said
    (pack / "T-2.yaml").write_text(yaml.safe_dump({**RULE, **SUMMED, "points": 9}), encoding="utf-8")
    assert "not this one" in CliRunner().invoke(app, [*command, "--data", str(tmp_path / "data")]).output


def test_a_difference_says_what_activation_fills():
    def kept(filling: Filling | None) -> str:
        (one,) = (one for one in differences(OLD, NEW).filled(filling).states if one.fate == "begins")
        return str(one)

    assert kept(None).startswith("begins anew, ")
    assert kept(None).endswith("; complete after 7 d")
    assert kept(Filling.of(12_345, 500_000)).startswith("new, ")
    assert kept(Filling.of(12_345, 500_000)).endswith("fills it from all 12,345 events: complete then")
    part = "activation fills it from the newest 500 events, complete where these reach 7 d back"
    assert kept(Filling.of(12_345, 500)).endswith(part)


def test_a_window_that_grew_is_filled_from_the_whole_journal_alone():
    longer = configured(COUNTED, {**SUMMED, "when": "sum(amount, 30d) > 5000 CNY"})
    (one,) = [kept for kept in differences(NEW, longer).states if kept.fate == "longer"]
    assert "activation fills it from all 10 events" in str(one.filled(Filling.of(10, 500)))
    assert str(one.filled(Filling.of(10, 5))).endswith("; complete after 30 d")


def test_grades_of_the_past_are_not_found_again():
    graded = {"id": "T-3", "on": "rating.changed", "when": "count(7d, of=rating.changed) >= 2", "points": 1}
    (one,) = differences(OLD, configured(COUNTED, graded)).states
    assert str(one.filled(Filling.of(10, 500))).startswith("begins anew, ")
