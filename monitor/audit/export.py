"""Evidence packs: everything about one alert in one signed file, and the same for people to read."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from monitor.audit.ledger import Entry, canonical

FORMAT = "riskmon evidence 1"


def plain_entry(entry: Entry) -> dict[str, Any]:
    """Return a ledger entry as plain data, its hash in hex digits."""
    return {
        "seq": entry.seq,
        "time_ms": entry.time_ms,
        "kind": entry.kind,
        "subject": entry.subject,
        "body": entry.data,
        "hash": entry.hash.hex(),
    }


def evidence(
    alert: Mapping[str, Any],
    entries: Iterable[Entry],
    events: Mapping[str, Any],
    ledger_head: str,
    configuration: str,
) -> dict[str, Any]:
    """Return the content of a pack.

    Parameters
    ----------
    alert
        As the desk describes it, with its history.
    entries
        Ledger entries about the alert.
    events
        The contributing events as journaled, by reference.
    ledger_head, configuration
        Hashes (hex digits) of the last ledger entry and of the configuration in force.
    """
    return {
        "format": FORMAT,
        "alert": dict(alert),
        "entries": [plain_entry(entry) for entry in entries],
        "events": dict(events),
        "ledger_head": ledger_head,
        "configuration": configuration,
    }


def signing_key(path: Path) -> Ed25519PrivateKey:
    """Return the institution's signing key, made at the first use; readable by its owner alone."""
    if not path.exists():
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
    key = load_pem_private_key(path.read_bytes(), password=None)  # type: ignore[assignment]
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{path}: expected an Ed25519 key, was {type(key).__name__}")  # noqa: TRY004 (a file's content)
    return key


def sign(content: Mapping[str, Any], key: Ed25519PrivateKey) -> bytes:
    """Return the pack: canonical JSON of the content with signature and public key beside it."""
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    signature = key.sign(canonical(content))
    pack = {
        "content": content,
        "public_key": base64.b64encode(public).decode(),
        "signature": base64.b64encode(signature).decode(),
    }
    return orjson.dumps(pack, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2) + b"\n"


def is_genuine(pack: bytes, public_key: bytes | None = None) -> bool:
    """Tell whether a pack is as it was signed.

    Parameters
    ----------
    public_key
        The institution's raw key, kept elsewhere; without it the key in the pack is taken, which
        proves wholeness but not the author.
    """
    try:
        plain = orjson.loads(pack)
        key = base64.b64decode(plain["public_key"]) if public_key is None else public_key
        signature = base64.b64decode(plain["signature"])
        Ed25519PublicKey.from_public_bytes(key).verify(signature, canonical(plain["content"]))
    except (InvalidSignature, ValueError, KeyError, TypeError):
        return False
    return True


def readable(content: Mapping[str, Any]) -> str:
    """Return the content as text for people."""
    alert = content["alert"]
    lines = [
        f"{alert['title']}  ({alert['severity']}, {alert['dimension']})",
        f"rule {alert['rule']}, version {alert['version']}",
        f"alert {alert['id']}, {alert['status']}, {alert['subject']} {alert['subject_id']}",
        f"raised {_moment(alert['opened_ms'])} by event {alert['event_id']}",
        alert["say"],
        "",
        "What the rule saw",
        *(f"  {name}: {value}" for name, value in sorted(alert["saw"].items())),
        "",
        "Contributing events",
        *(f"  {reference}: {_line(event)}" for reference, event in content["events"].items()),
        "",
        "Ledger",
        *(f"  {_entry_line(entry)}" for entry in content["entries"]),
        "",
        f"Ledger head {content['ledger_head']}",
        f"Configuration {content['configuration']}",
    ]
    return "\n".join(lines) + "\n"


def _entry_line(entry: Mapping[str, Any]) -> str:
    action = entry["body"].get("action") or entry["body"].get("say") or ""
    return f"{entry['seq']} {_moment(entry['time_ms'])} {entry['kind']} {action} {entry['hash'][:16]}"


def _moment(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="seconds")


def _line(event: Any) -> str:
    return orjson.dumps(event, option=orjson.OPT_SORT_KEYS).decode()
