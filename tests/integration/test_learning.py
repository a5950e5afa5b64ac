"""The classifier learns beside the stream: never from a label before its time, and always the same."""

from __future__ import annotations

from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import msgspec
import pytest

from monitor.app import DATABASE, open_data
from monitor.core.classifier import ClassifierVersion
from monitor.recompute import proof
from monitor.settings import Settings
from monitor.testing import configuration, record
from streams.ports import Record
from streams.stores.sqlite import open_database

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
CONFIGURATION = configuration("card_terminal")
PAYMENTS = 4_000


def card_stream() -> list[tuple[int, bytes]]:
    """Return 40 days of payments at 20 terminals, two copied on the second day, with disputes."""
    random, told = Random(5), []
    for number in range(PAYMENTS):
        at_ms = number * 40 * DAY_MS // PAYMENTS
        customer, terminal = f"c{random.randrange(80)}", random.randrange(20)
        is_fraud = terminal < 2 and at_ms > 2 * DAY_MS
        amount = f"{random.uniform(5, 80) * (1 + 2 * is_fraud):.2f}"
        fields = {"customer_id": customer, "terminal_id": f"t{terminal}"}
        told.append((at_ms, record(f"p{number}", "card.authorization", at_ms, amount=amount, **fields)))
        if is_fraud:
            later = at_ms + 7 * DAY_MS
            dispute = record(f"d{number}", "card.chargeback", later, of_event=f"p{number}", **fields)
            told.append((later, dispute))
    return sorted(told, key=lambda one: one[0])


STREAM = card_stream()


class Run:
    """What a stream led to."""

    def __init__(self, folder: Path, stream: list[tuple[int, bytes]], cuts: list[int], batch: int) -> None:
        self.scores: dict[str, float] = {}
        for first, last in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            opened = open_data(folder, Settings(), CONFIGURATION, sync="normal", tick_every_ms=HOUR_MS)
            for start in range(first, last, batch):
                bodies = [Record(body) for _, body in stream[start : min(start + batch, last)]]
                for outcome in opened.processor.process(bodies):
                    self.scores[outcome.event_id] = outcome.score
            self.head, self.progress = opened.processor.ledger_head, opened.processor.progress
            if not cuts:
                opened.processor.close()
            opened.store.db.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("learnt")


@pytest.fixture(scope="module")
def straight(folder: Path) -> Run:
    return Run(folder, STREAM, [], 500)


def test_versions_take_force_and_tell_fraud_from_genuine(straight: Run) -> None:
    first = straight.progress.models[0][0]
    assert first > 2 * 1024
    payments = [body for _, body in STREAM if b"card.authorization" in body][-300:]
    fraud = [b'"t0"' in body or b'"t1"' in body for body in payments]
    scores = [straight.scores[msgspec.json.decode(body)["event_id"]] for body in payments]
    found = {True: [], False: []}  # type: dict[bool, list[float]]
    for score, is_fraud in zip(scores, fraud, strict=True):
        found[is_fraud].append(score)
    assert median(found[True]) > sorted(found[False])[-len(found[False]) // 20]


def test_restarts_and_batches_change_neither_scores_nor_versions_nor_ledger(
    straight: Run, tmp_path: Path
) -> None:
    cut = Run(tmp_path, STREAM, [900, 2_300, 2_301, 3_700], 137)
    assert cut.scores == straight.scores
    assert (cut.head, cut.progress.models) == (straight.head, straight.progress.models)


def test_shuffling_later_labels_changes_no_earlier_score(straight: Run, tmp_path: Path) -> None:
    since_ms = 12 * DAY_MS
    later = [n for n, (at_ms, body) in enumerate(STREAM) if at_ms >= since_ms and b"card.chargeback" in body]
    shuffled, moved = list(STREAM), later.copy()
    Random(1).shuffle(moved)
    for place, other in zip(later, moved, strict=True):
        fields = msgspec.json.decode(STREAM[place][1])
        told = {**msgspec.json.decode(STREAM[other][1]), "occurred_at": fields["occurred_at"]}
        shuffled[place] = (STREAM[place][0], msgspec.json.encode(told))
    other_run = Run(tmp_path, shuffled, [], 500)
    earlier = {msgspec.json.decode(body)["event_id"] for at_ms, body in STREAM if at_ms < since_ms}
    assert {name: other_run.scores[name] for name in earlier} == {
        name: straight.scores[name] for name in earlier
    }
    assert other_run.scores != straight.scores


def test_verification_learns_every_version_again(straight: Run, folder: Path) -> None:
    assert proof(folder) == []


def test_verification_finds_a_version_that_was_changed(straight: Run, folder: Path, tmp_path: Path) -> None:
    changed = Run(tmp_path, STREAM[:3_800], [], 500)
    digest = changed.progress.models[0][1]
    db = open_database(tmp_path / DATABASE, "normal")
    (packed,) = db.execute("SELECT body FROM artifacts WHERE hash = ?", (digest,)).fetchone()
    version = ClassifierVersion.of_packed(packed)
    plain: dict[str, Any] = msgspec.msgpack.decode(packed) | {"offset": version.offset + 1}
    db.execute("UPDATE artifacts SET body = ? WHERE hash = ?", (ClassifierVersion(**plain).packed, digest))
    db.close()
    assert [str(finding) for finding in proof(tmp_path)] == [
        f"artifacts classifier {digest[:12]}: is not what its hash is of"
    ]
