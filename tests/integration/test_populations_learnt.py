"""Populations learn beside the stream: versions by event time alone, the same whatever the restarts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from monitor.app import DATABASE, open_data
from monitor.audit.ledger import Ledger
from monitor.configuration import Configuration
from monitor.counting import CountingSensor
from monitor.model_cards import model_versions
from monitor.recompute import proof
from monitor.settings import Settings
from monitor.testing import START_MS, configuration, record
from streams.crowd import Crowd
from streams.ports import Outcome, Record
from streams.stores.sqlite import read_only

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
PAYMENTS = 1_200


def quick(warm_up: int = 200) -> Configuration:
    """Return a configuration whose populations speak after a day or two."""
    found = configuration("card_terminal")
    models = orjson.loads(orjson.dumps(found.plain["models"]))
    for population in models["populations"].values():
        population |= {"warm_up": warm_up}
        population["parameters"]["window"] = 100
    return replace(found, plain={**found.plain, "models": models})


def stream() -> list[bytes]:
    """Return six days of payments; on the last one some of a size never seen."""
    random = Random(3)
    told = []
    for number in range(PAYMENTS):
        at_ms = number * 6 * DAY_MS // PAYMENTS
        amount = 9_000 if number > PAYMENTS - 100 and number % 10 == 0 else random.uniform(5, 80)
        fields = {"customer_id": f"c{random.randrange(40)}", "terminal_id": f"t{random.randrange(20)}"}
        told.append(record(f"p{number}", "card.authorization", at_ms, amount=f"{amount:.2f}", **fields))
    return told


STREAM = stream()


def run(folder: Path, cuts: list[int], batch: int, config: Configuration) -> tuple[list[Outcome], list, str]:
    found: list[Outcome] = []
    for first, last in zip([0, *cuts], [*cuts, len(STREAM)], strict=True):
        opened = open_data(folder, Settings(), config, sync="normal", tick_every_ms=HOUR_MS)
        for start in range(first, last, batch):
            found += opened.processor.process(
                [Record(body) for body in STREAM[start : min(start + batch, last)]]
            )
        progress, head = opened.processor.progress, opened.processor.ledger_head
        if not cuts:
            opened.processor.close()
        opened.store.db.close()
    return found, progress.populations, head


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("populations")


@pytest.fixture(scope="module")
def straight(folder):
    return run(folder, [], 300, quick())


def test_versions_are_published_daily_and_written_into_the_ledger(straight, folder):
    db = read_only(folder / DATABASE)
    versions = [facts.version for facts in model_versions(db)]
    assert {version.model for version in versions} == {"rare_values", "empty_places"}
    assert sorted(version.number for version in versions if version.model == "rare_values") == [1, 2, 3, 4, 5]
    told = {entry.data["hash"] for entry in Ledger(db).entries(kind="model") if "hash" in entry.data}
    assert told >= {version.hash for version in versions}
    db.close()


def test_a_version_knows_nothing_of_the_day_after_it(straight, folder):
    db = read_only(folder / DATABASE)
    for facts in model_versions(db):
        # The first tick of a day comes before that day's first payment.
        days = (facts.version.to_ms - START_MS) // DAY_MS + 1
        assert facts.version.learnt + facts.version.passed_over == days * PAYMENTS // 6
    db.close()


def test_what_nobody_pays_scores_higher_with_versions_than_without(straight, tmp_path):
    silent, _, _ = run(tmp_path, [], 300, quick(warm_up=1_000_000))
    odd = [n for n in range(PAYMENTS - 99, PAYMENTS) if n % 10 == 0]
    assert all(straight[0][n].score > 0.5 for n in odd)
    usual = [n for n in range(PAYMENTS - 99, PAYMENTS) if n % 10]
    assert sum(straight[0][n].score for n in usual) / len(usual) < 0.3
    assert all(straight[0][n].score >= silent[n].score for n in odd)


def test_restarts_and_batches_change_neither_versions_nor_scores_nor_ledger(straight, tmp_path):
    outcomes, populations, head = run(tmp_path, [211, 390, 391, 1_000], 77, quick())
    assert populations == straight[1]
    assert [one.score for one in outcomes] == [one.score for one in straight[0]]
    assert head == straight[2]


def test_verification_learns_every_version_again(straight, folder):
    assert proof(folder) == []


def test_another_configuration_of_models_learns_anew(tmp_path):
    first = open_data(tmp_path, Settings(), quick(), sync="normal", tick_every_ms=HOUR_MS)
    first.processor.process([Record(body) for body in STREAM[:700]])
    before = first.processor.progress.populations[-1]
    first.processor.close()
    first.store.db.close()
    second = open_data(tmp_path, Settings(), quick(warm_up=300), sync="normal", tick_every_ms=HOUR_MS)
    second.processor.process([Record(body) for body in STREAM[700:]])
    epochs = second.processor.progress.populations
    second.processor.close()
    second.store.db.close()
    after = [digest for seq, digest in epochs if seq > before[0]]
    assert len(after) >= 2
    assert proof(tmp_path) == []


def test_a_shift_of_all_amounts_is_an_alarm_in_ledger_and_metrics(tmp_path):
    sensor = CountingSensor()
    config = quick()
    opened = open_data(tmp_path, Settings(), config, sync="normal", tick_every_ms=HOUR_MS, sensor=sensor)
    random = Random(4)
    bodies = []
    for number in range(4_000):
        at_ms = number * 8 * DAY_MS // 4_000
        low, high = (5, 80) if number < 2_000 else (500, 8_000)
        fields = {"customer_id": f"c{random.randrange(40)}", "terminal_id": f"t{random.randrange(20)}"}
        amount = f"{random.uniform(low, high):.2f}"
        bodies.append(Record(record(f"p{number}", "card.authorization", at_ms, amount=amount, **fields)))
    opened.processor.process(bodies)
    entries = [entry for entry in Ledger(opened.store.db).entries(kind="model") if "measure" in entry.data]
    opened.store.db.close()
    assert ("drift:rare_values:amount", "psi") in {
        (entry.subject, entry.data["measure"]) for entry in entries
    }
    assert all(entry.time_ms >= START_MS + 4 * DAY_MS for entry in entries)
    assert sum(sensor.counts["drift_alarms"].values()) == len(entries)


def test_an_event_that_populations_fail_on_is_counted_and_the_rest_is_learnt(tmp_path, monkeypatch):
    follow = Crowd.follow

    def fails_at_100(crowd: Crowd, lesson: Any, seen: Any) -> None:
        if lesson.seq == 100:
            raise ZeroDivisionError("as a defect would")
        follow(crowd, lesson, seen)

    monkeypatch.setattr(Crowd, "follow", fails_at_100)
    sensor = CountingSensor()
    opened = open_data(tmp_path, Settings(), quick(), sync="normal", tick_every_ms=HOUR_MS, sensor=sensor)
    opened.processor.process([Record(body) for body in STREAM])
    versions = len(opened.processor.progress.populations)
    opened.store.db.close()
    assert versions > 1
    assert dict(sensor.counts["lesson_failures"]) == {("populations",): 1}
