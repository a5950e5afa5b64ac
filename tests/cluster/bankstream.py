"""A bank's life for a cluster to follow: stories and habits, and everything that makes a stream unpleasant.

Besides what the simulated bank sends (late events, events sent twice, reversals): rubbish, old
events again, corrections, ticks, and officers who act on the alerts that the stream itself raises.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count, islice
from pathlib import Path
from random import Random
from typing import Any

import orjson
from reference import Reference

from monitor.simulate import Simulation
from streams.journal import tick
from streams.ports import Record

RECEIVED_MS = 1_767_139_200_000
"""When everything was received: fixed, so that the journal's hashes are; after every event."""
RUBBISH = (
    b"",
    b"\xff\xfe\x00rubbish",
    b'{"event_id": "cut off',
    b"[]",
    b"null",
    b'{"event_type": "payment.transfer"}',
    b'{"event_id":"r-1","event_type":"no.such.kind","occurred_at":"2025-01-07T10:00:00Z","source_system":"x"}',
    b'{"event_id":"r-2","event_type":"auth.login","occurred_at":"yesterday","source_system":"core"}',
    (Path(__file__).parents[1] / "unit/nasty_json/bad_value--nul_in_id.json").read_bytes(),
)
"""Records that are no events; each becomes a dead letter."""
_TRANSFER = b'"event_type":"payment.transfer"'


def record(body: bytes) -> Record:
    """Return a record as a source delivers it."""
    return Record(body, "bank", RECEIVED_MS)


class BankStream:
    """An endless stream, the same for the same seed and the same reference.

    Parameters
    ----------
    reference
        Is asked which alerts there are, so that officers can act on them.
    """

    def __init__(self, reference: Reference, *, customers: int = 40, seed: int = 7) -> None:
        self._reference = reference
        self._random = Random(seed)
        self._numbers = count(1)
        self._bank = self._thinned(Simulation(customers=customers, seed=seed).records())
        self._seen: list[bytes] = []

    def next(self, length: int) -> list[Record]:
        """Return about so many records that follow those before."""
        found: list[bytes] = []
        for body in islice(self._bank, length):
            found.append(body)
            self._seen.append(body)
            found += self._unpleasant(body)
        return [record(body) for body in found + self._actions()]

    def _thinned(self, bodies: Iterator[bytes]) -> Iterator[bytes]:
        """Leave out most heartbeats, which are most of a quiet night, and with them some on time."""
        for body in bodies:
            if b'"source.heartbeat"' not in body or self._random.random() < 0.02:
                yield body

    def _unpleasant(self, body: bytes) -> Iterator[bytes]:
        chance = self._random.random()
        if chance < 0.01:
            yield self._random.choice(RUBBISH)
        elif chance < 0.03:
            yield self._random.choice(self._seen)
        elif chance < 0.05:
            yield body
        elif chance < 0.055:
            yield tick(_time_ms(body) // 1_800_000 * 1_800_000).body
        elif _TRANSFER in body and chance < 0.15:
            yield self._correction(body)

    def _correction(self, body: bytes) -> bytes:
        """A transfer went to somebody else, and the amount was another one."""
        plain = orjson.loads(body)
        other = orjson.loads(self._random.choice([one for one in self._seen if _TRANSFER in one]))
        corrected = {
            **plain,
            "event_id": f"correction-{next(self._numbers)}",
            "correction_of": plain["event_id"],
            "amount": f"{self._random.randrange(1, 90_000)}.00",
        }
        if "counterparty" in other:
            corrected["counterparty"] = other["counterparty"]
        return orjson.dumps(corrected)

    def _actions(self) -> list[bytes]:
        """Officers take, close and snooze alerts, rightly and wrongly, or one that is not there."""
        alerts = self._reference.db.execute(
            "SELECT id FROM alerts ORDER BY opened_ms DESC, id LIMIT 6"
        ).fetchall()
        names = [name for (name,) in alerts] or ["0" * 32]
        kinds = ("alert.taken", "alert.noted", "alert.closed", "alert.snoozed", "alert.released")
        return [
            self._action(kind, self._random.choice([*names, names[0]]))
            for kind in kinds
            if self._random.random() < 0.7
        ]

    def _action(self, kind: str, alert_id: str) -> bytes:
        now_ms = self._reference.stream_time_ms or 1
        more: dict[str, Any] = {
            "alert.noted": {"note": "seen"},
            "alert.closed": {"disposition": "false_positive", "reason": "known payee"},
            "alert.snoozed": {"until": _iso(now_ms + 3 * 3_600_000), "reason": "called"},
        }.get(kind, {})
        return orjson.dumps(
            {
                "event_id": f"action-{next(self._numbers)}",
                "event_type": kind,
                "occurred_at": _iso(now_ms),
                "source_system": "inbox",
                "alert_id": alert_id,
                "actor": self._random.choice(("wang", "li")),
                **more,
            }
        )


def _iso(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds")


def _time_ms(body: bytes) -> int:
    return int(datetime.fromisoformat(orjson.loads(body)["occurred_at"]).timestamp() * 1000)
