"""Which configuration is in force, since when and by whom, what is proposed, and every step so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from monitor.app import CONFIGURATION
from monitor.audit.ledger import Ledger
from monitor.configuration import Configuration, needs_approval
from monitor.core.rule_life import ENTRY, TAKEN, RuleLife
from monitor.database import Database
from streams.progress import progress_of
from streams.stores.reading import artifact


def life_of(db: Database) -> RuleLife:
    """Return what the ledger says of proposals and of what was in force."""
    life = RuleLife.of_entries((entry.time_ms, entry.data) for entry in Ledger(db).entries(kind=ENTRY))
    if not life.history:
        rulebooks = progress_of(db).rulebooks
        for _, digest in rulebooks:
            life.note(0, {"action": TAKEN, "hash": digest})
    return life


def standing(db: Database) -> dict[str, Any]:
    """Return, as plain data, what is in force and what is proposed.

    Keys: `in_force` (None before the first event), `needs_approval`, `former` (hash that a rollback
    leads to, or None) and `proposals`, oldest first.
    """
    life = life_of(db)
    now = life.in_force
    return {
        "in_force": asdict(now) if now else None,
        "needs_approval": bool(now) and needs_approval(archived(db, now.hash)) if now else False,
        "former": life.former,
        "proposals": [asdict(one) for one in life.proposals.values()],
    }


def steps(db: Database, limit: int | None = None) -> list[dict[str, Any]]:
    """Return the steps, newest first, as plain data: `time_ms` and what the ledger says."""
    entries = Ledger(db).entries(kind=ENTRY, newest_first=True, limit=limit)
    return [{"time_ms": entry.time_ms, **entry.data} for entry in entries]


def archived(db: Database, digest: str) -> Configuration:
    """Return a configuration of the archive.

    Raises
    ------
    LookupError
        It is not there.
    """
    found = artifact(db, CONFIGURATION, digest)
    if found is None:
        raise LookupError(
            f"configuration {digest[:12]}: not archived\n  hint: is it a hash of this database?"
        )
    return Configuration.of_archive(found)


def told_changes(changes: Mapping[str, Any] | None) -> str:
    """Return in words what a change comes to.

    Examples
    --------
    >>> told_changes({"rules_added": 1, "rules_changed": 2, "lists_changed": 0, "others_changed": ["rating"]})
    '1 rule added, 2 rules changed, rating changed'
    >>> told_changes({"rules_added": 0})
    'nothing that decides'
    """
    found = []
    for name, count in (changes or {}).items():
        what, _, verb = name.rpartition("_")
        if name == "others_changed":
            found += [f"{one} {verb}" for one in count]
        elif count:
            found.append(f"{count} {what if count > 1 else what.removesuffix('s')} {verb}")
    return ", ".join(found) or "nothing that decides"


def told_windows(windows: Mapping[str, Any] | None, moment: Any) -> list[str]:
    """Return in words how new windows were filled; nothing where there were none.

    `monitor.completeness.incomplete_windows` tells which are not complete yet.

    Parameters
    ----------
    moment
        Makes a text of epoch milliseconds.
    """
    if not windows or not windows.get("new"):
        return []
    since_ms, late = windows.get("since_ms"), len(windows.get("incomplete", ()))
    new = f"{windows['new']} new window{'s' * (windows['new'] != 1)}"
    if since_ms is None:
        but = f" but for {late}" if late else ""
        return [f"{new}, complete{but}: filled from {windows['events']:,} events"]
    state = f"{late} not complete then" if late else "complete"
    return [f"{new}, {state}: with events from {moment(since_ms)} on"]
