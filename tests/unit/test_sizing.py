"""Sizing: the arithmetic by hand, and a day that loses no event."""

from __future__ import annotations

from typer.testing import CliRunner

from monitor.cli import build_app
from monitor.sizing import Bank, Costs, busiest_day, size, takeover_s

BANK, COSTS = Bank(), Costs()


def test_the_size_follows_from_the_costs_by_hand():
    bank = Bank(customers=1_000_000, events_a_day=4.0, busiest_hour=0.1, burst=3.0, in_use=0.5)
    costs = Costs(desk_us=50.0, worker_us=100.0, state_bytes=4_000.0, entity_bytes=1_000.0, live_factor=2.0)
    found = size(bank, costs, worker_gb=5.0)
    assert round(found.peak, 3) == round(1e6 * 4 * 0.1 / 3_600 * 3, 3)
    assert round(found.desk_cores, 6) == round(found.peak * 50e-6, 6)
    # 10 GB of states, half of them twice as large in use, over workers of 5 GB: two, and one to spare.
    assert (found.workers, found.partitions) == (3, 12)
    assert round(found.memory_gb, 3) == round((5 + 5) / 3, 3)
    assert round(found.recovery_s, 3) == round(30 + 4e6 / 3 / 2 / 12_000, 3)


def test_every_event_of_the_day_is_settled_though_a_worker_dies():
    found = size(BANK, COSTS)
    day = list(busiest_day(BANK, COSTS, found, dies_at=20 * 60 + 30))
    came = BANK.customers * BANK.events_a_day
    assert abs(sum(minute.settled for minute in day) * 60 - came) < 0.02 * came
    assert day[-1].waiting == 0


def test_a_death_is_felt_for_as_long_as_the_takeover():
    found = size(BANK, COSTS)
    quiet = max(minute.delay_s for minute in busiest_day(BANK, COSTS, found))
    felt = max(minute.delay_s for minute in busiest_day(BANK, COSTS, found, dies_at=1_230))
    assert quiet < 1 < takeover_s(BANK, COSTS, found.workers) <= felt


def test_a_bank_too_large_for_one_desk_is_told_so():
    answer = CliRunner().invoke(build_app(), ["sizing", "--customers", "90000000", "--json"])
    assert answer.exit_code == 0
    assert not size(Bank(customers=90_000_000), COSTS).is_possible


def test_a_time_that_is_none_is_refused(tmp_path):
    answer = CliRunner().invoke(build_app(), ["sizing", "--dies-at", "25:00"])
    assert "--dies-at: expected HH:MM, was '25:00'" in str(answer.exception)


def test_the_picture_shows_what_came_what_was_settled_and_the_waits(tmp_path):
    svg = tmp_path / "day.svg"
    answer = CliRunner().invoke(build_app(), ["sizing", "--customers", "100000", "--svg", str(svg)])
    assert answer.exit_code == 0
    assert svg.read_text().count("<polyline") == 3
