"""Segments have populations of their own, and nothing is learnt of customers while they are restricted."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import orjson
import pytest

from monitor.app import DATABASE, open_data
from monitor.core.seen import read
from monitor.model_cards import model_versions
from monitor.recompute import proof
from monitor.settings import Settings
from monitor.testing import configuration, record
from streams.journal import features_of
from streams.ports import Record
from streams.stores.sqlite import SqliteStore, open_database

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
PAYMENTS, DAYS = 900, 6


def configured():
    found = configuration("card_terminal")
    models = orjson.loads(orjson.dumps(found.plain["models"]))
    for population in models["populations"].values():
        population |= {"warm_up": 100, "segments": ["private"]}
        population["parameters"]["window"] = 100
    return replace(found, plain={**found.plain, "models": models})


def stream():
    """Six days of payments of forty customers, half of them private; on the third five are frozen."""
    random, told = Random(3), []
    for number in range(40):
        segment = "private" if number % 2 else "retail"
        told.append(record(f"c{number}", "customer.created", 0, customer_id=f"c{number}", segment=segment))
    for number in range(PAYMENTS):
        at_ms = 1_000 + number * DAYS * DAY_MS // PAYMENTS
        fields = {"customer_id": f"c{random.randrange(40)}", "terminal_id": f"t{random.randrange(20)}"}
        amount = f"{random.uniform(5, 80):.2f}"
        told.append(record(f"p{number}", "card.authorization", at_ms, amount=amount, **fields))
        if number == PAYMENTS // 2:
            for one in range(5):
                fields = {"customer_id": f"c{one}", "account_id": f"a{one}", "account_status": "frozen"}
                told.append(record(f"f{one}", "account.status_changed", at_ms, **fields))
    return told


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("segments")
    opened = open_data(folder, Settings(), configured(), sync="normal", tick_every_ms=HOUR_MS)
    bodies = [Record(body) for body in stream()]
    for start in range(0, len(bodies), 100):
        opened.processor.process(bodies[start : start + 100])
    opened.processor.close()
    opened.store.db.close()
    return folder


@pytest.fixture(scope="module")
def seen(folder):
    """What models saw of each payment, by customer."""
    db = open_database(folder / DATABASE, "normal")
    rows = [row for row in SqliteStore(db).rows(1) if features_of(row)]
    db.close()
    return [(orjson.loads(row.body)["customer_id"], read(features_of(row))) for row in rows]


def test_the_journal_keeps_segments_that_have_a_population(seen):
    told = {(int(customer[1:]) % 2, one.segment) for customer, one in seen}
    assert told == {(0, ""), (1, "private")}


def test_payments_of_frozen_accounts_are_marked(seen):
    half = len(seen) // 2 + 1
    assert not [one for _, one in seen[:half] if one.is_restricted]
    frozen = {f"c{number}" for number in range(5)}
    assert all(one.is_restricted == (customer in frozen) for customer, one in seen[half:])
    assert any(one.is_restricted for _, one in seen)


def test_populations_learn_their_own_and_pass_over_the_restricted(folder, seen):
    db = open_database(folder / DATABASE, "normal")
    newest = {(one.version.model, one.version.segment): one for one in model_versions(db) if one.in_use}
    db.close()
    assert set(newest) == {(m, s) for m in ("rare_values", "empty_places") for s in ("", "private")}
    own, shared = (newest["rare_values", segment].version for segment in ("private", ""))
    assert own.passed_over > 0
    assert shared.passed_over > 0
    # Until it had a version of its own, the segment counted among everybody, too.
    private = sum(one.segment == "private" for _, one in seen)
    assert own.learnt + own.passed_over <= private
    assert shared.learnt + shared.passed_over > 150


def test_verification_learns_all_of_it_again(folder):
    assert proof(folder) == []
