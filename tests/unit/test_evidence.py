"""Evidence packs: signed once, whole or not genuine."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from monitor.audit.export import evidence, is_genuine, readable, sign, signing_key
from monitor.audit.ledger import GENESIS, Entry, canonical, chain

BODY = canonical({"action": "raised", "alert": "ab12"})
ENTRY = Entry(7, 1_000, "alert", "customer:C-1", BODY, chain(GENESIS, 1_000, "alert", "customer:C-1", BODY))
ALERT = {
    "id": "ab12",
    "title": "Structuring",
    "severity": "high",
    "dimension": "compliance",
    "rule": "A-124",
    "version": "1f0c",
    "status": "open",
    "subject": "customer",
    "subject_id": "C-1",
    "opened_ms": 1_000,
    "event_id": "tx-1",
    "say": "3 cash deposits of 9,500 within 2 days",
    "saw": {"count": 3},
}


@pytest.fixture
def content() -> dict[str, Any]:
    return evidence(ALERT, [ENTRY], {"-5": {"event_id": "tx-1", "amount": "9500.00"}}, "00ff", "c0")


def test_a_pack_is_genuine_and_a_changed_one_is_not(content: dict[str, Any], tmp_path: Path) -> None:
    pack = sign(content, signing_key(tmp_path / "audit.key"))
    assert is_genuine(pack)
    assert not is_genuine(pack.replace(b"9500.00", b"9400.00"))
    assert not is_genuine(b"{}")
    assert not is_genuine(b"rubbish")


def test_the_key_is_made_once_and_is_the_owners_alone(content: dict[str, Any], tmp_path: Path) -> None:
    key = signing_key(tmp_path / "audit.key")
    assert (tmp_path / "audit.key").stat().st_mode & 0o777 == 0o600
    public = signing_key(tmp_path / "audit.key").public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert is_genuine(sign(content, key), public)
    stranger = signing_key(tmp_path / "other.key")
    assert not is_genuine(sign(content, stranger), public)


def test_the_pack_holds_alert_entries_events_and_hashes(content: dict[str, Any], tmp_path: Path) -> None:
    plain = orjson.loads(sign(content, signing_key(tmp_path / "audit.key")))["content"]
    assert plain["alert"]["id"] == "ab12"
    assert plain["entries"][0]["hash"] == ENTRY.hash.hex()
    assert plain["events"]["-5"]["amount"] == "9500.00"
    assert (plain["ledger_head"], plain["configuration"]) == ("00ff", "c0")


def test_people_can_read_it(content: dict[str, Any]) -> None:
    text = readable(content)
    assert "Structuring  (high, compliance)" in text
    assert "3 cash deposits of 9,500 within 2 days" in text
    assert "7 1970-01-01T00:00:01+00:00 alert raised " in text
