"""Thresholds and chances are learnt beside the stream: published daily, the same whatever the restarts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from shutil import copytree

import msgspec
import orjson
import pytest

from monitor.app import DATABASE, open_data
from monitor.core.models.outcomes import Outcomes
from monitor.core.models.scale import ARTIFACT, Scale
from monitor.core.seen import read
from monitor.recompute import proof
from monitor.settings import Settings
from monitor.testing import configuration, record
from streams.journal import features_of
from streams.ports import Outcome, Record
from streams.scaling import KEPT
from streams.stores.sqlite import SqliteStore, open_database

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
PAYMENTS, DAYS = 4_600, 55


def configured(share=0.05, alerts_a_day=3):
    """The card rules, with a small budget and a large sample."""
    found = configuration("card_terminal")
    models = orjson.loads(orjson.dumps(found.plain["models"]))
    models["thresholds"] |= {"alerts_a_day": alerts_a_day}
    models["sampling"] |= {"share": share}
    return replace(found, plain={**found.plain, "models": models})


def card_stream():
    """Fifty-five days of payments at twenty terminals, two copied on the second day, with disputes."""
    random, told = Random(5), []
    for number in range(PAYMENTS):
        at_ms = number * DAYS * DAY_MS // PAYMENTS
        customer, terminal = f"c{random.randrange(80)}", random.randrange(20)
        is_fraud = terminal < 2 and at_ms > 2 * DAY_MS
        amount = f"{random.uniform(5, 80) * (1 + 2 * is_fraud):.2f}"
        fields = {"customer_id": customer, "terminal_id": f"t{terminal}"}
        told.append((at_ms, record(f"p{number}", "card.authorization", at_ms, amount=amount, **fields)))
        if is_fraud:
            later = at_ms + 7 * DAY_MS
            dispute = record(f"d{number}", "card.chargeback", later, of_event=f"p{number}", **fields)
            told.append((later, dispute))
    return [body for _, body in sorted(told, key=lambda one: one[0])]


STREAM = card_stream()


def run(folder: Path, cuts: list[int], batch: int, config=None) -> tuple[list[Outcome], list, str]:
    found: list[Outcome] = []
    for first, last in zip([0, *cuts], [*cuts, len(STREAM)], strict=True):
        opened = open_data(folder, Settings(), config or configured(), sync="normal", tick_every_ms=HOUR_MS)
        for start in range(first, last, batch):
            bodies = STREAM[start : min(start + batch, last)]
            found += opened.processor.process([Record(body) for body in bodies])
        progress, head = opened.processor.progress, opened.processor.ledger_head
        if not cuts:
            opened.processor.close()
        opened.store.db.close()
    return found, progress.scales, head


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("scales")


@pytest.fixture(scope="module")
def straight(folder):
    return run(folder, [], 400)


def scales(folder, epochs):
    db = open_database(folder / DATABASE, "normal")
    found = [Scale.of_packed(SqliteStore(db).artifact(ARTIFACT, digest)) for _, digest in epochs]
    db.close()
    return found


def test_a_scale_is_published_every_day_and_knows_nothing_of_it(straight, folder):
    found = scales(folder, straight[1])
    assert [scale.number for scale in found] == list(range(1, len(found) + 1))
    told = [scale.to_ms // DAY_MS for scale in found]
    assert told == sorted(told)
    # After the last payment there are disputes alone.
    assert len(set(told)) >= len(told) - 7
    assert all(scale.from_ms <= scale.to_ms for scale in found)


def test_about_as_many_scores_pass_as_the_budget_allows(straight, folder):
    (*_, last) = scales(folder, straight[1])
    alerts = [hit for one in straight[0][-900:] for hit in one.hits if hit.rule == "MODEL"]
    events = [one for one in straight[0][-900:] if one.event_id.startswith("p")]
    days = (events[-1].time_ms - events[0].time_ms) / DAY_MS
    assert last.curve
    assert 1 <= len(alerts) / days <= 6
    frauds = [hit for hit in alerts if f"d{hit.event_id[1:]}" in {one.event_id for one in straight[0]}]
    assert len(frauds) > len(alerts) / 2
    assert "such payments were fraud" in alerts[-1].say
    assert alerts[-1].points == 0


def test_samples_lie_below_the_threshold_and_are_about_as_many_as_asked(straight, folder):
    scored = [one for one in straight[0] if read(one.features).margin is not None]
    samples = [one for one in scored if any(hit.rule == "SAMPLE" for hit in one.hits)]
    assert samples
    hits = [hit for one in samples for hit in one.hits if hit.rule == "SAMPLE"]
    assert all(hit.saw["share"] == 0.05 and hit.severity == "info" for hit in hits)
    assert 0.6 < len(samples) / (0.05 * len(scored)) < 1.6


def test_samples_change_no_score_and_no_rating(straight, tmp_path):
    without, _, _ = run(tmp_path, [], 400, configured(share=0.0))
    assert [one.score for one in without] == [one.score for one in straight[0]]
    assert not [hit for one in without for hit in one.hits if hit.rule == "SAMPLE"]
    queries = "SELECT time_ms, subject, body FROM ledger WHERE kind = 'rating' ORDER BY seq"
    assert open_database(tmp_path / DATABASE, "normal").execute(queries).fetchall()


def test_restarts_and_batches_change_neither_scales_nor_alerts(straight, tmp_path):
    outcomes, epochs, head = run(tmp_path, [1_211, 3_390, 3_391, 4_400], 77)
    assert epochs == straight[1]
    assert [one.score for one in outcomes] == [one.score for one in straight[0]]
    assert head == straight[2]


def test_verification_learns_every_scale_again(straight, folder):
    assert proof(folder) == []


def test_another_budget_begins_a_threshold_anew(straight, folder, tmp_path):
    copytree(folder, tmp_path / "copy")
    other = configured(alerts_a_day=5)
    opened = open_data(tmp_path / "copy", Settings(), other, sync="normal", tick_every_ms=HOUR_MS)
    bodies = []
    for n in range(200):
        fields = {"customer_id": f"c{n % 80}", "terminal_id": f"t{n % 20}", "amount": str(5 + n % 70)}
        at_ms = (DAYS + 8) * DAY_MS + n * 3 * DAY_MS // 200
        bodies.append(Record(record(f"later-{n}", "card.authorization", at_ms, **fields)))
    opened.processor.process(bodies)
    epochs = opened.processor.progress.scales[len(straight[1]) :]
    last = Scale.of_packed(opened.store.artifact(ARTIFACT, epochs[-1][1]))
    opened.processor.close()
    opened.store.db.close()
    assert epochs[0][1] == ""
    assert last.alerts_a_day == 5
    assert proof(tmp_path / "copy") == []


def test_the_journal_keeps_what_the_trees_said(straight, folder):
    db = open_database(folder / DATABASE, "normal")
    rows = list(SqliteStore(db).rows(1))[-200:]
    seen = [read(features_of(row)) for row in rows if features_of(row)]
    assert all(one.margin is not None for one in seen)
    db.close()


def test_closing_a_sample_teaches_the_models(straight, folder, tmp_path):
    """An officer's finding counts as an outcome of the payment the alert is about."""
    copytree(folder, tmp_path / "copy")
    opened = open_data(tmp_path / "copy", Settings(), configured(), sync="normal", tick_every_ms=HOUR_MS)
    db = opened.store.db
    query = "SELECT id, ref FROM alerts JOIN alert_hits ON id = alert_id WHERE rule = 'SAMPLE' ORDER BY seq"
    alert_id, ref = db.execute(query).fetchone()
    fields = {"alert_id": alert_id, "actor": "ada", "reason": "seen"}
    fields["disposition"] = "true_positive.fraud_confirmed"
    body = record("closed", "alert.closed", (DAYS + 8) * DAY_MS, **fields)
    (closed,) = opened.processor.process([Record(body)])
    kept = Outcomes()
    opened.processor.process([Record(record("later", "tick", (DAYS + 10) * DAY_MS))])
    opened.processor.close()
    kept.resume(msgspec.msgpack.decode(opened.store.meta(KEPT))[2])
    db.close()
    assert closed.status == "accepted", closed.message
    assert ref in kept.known_frauds
