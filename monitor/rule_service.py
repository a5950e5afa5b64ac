"""The life of configurations as the inbox sees it: a reader's side of a database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from monitor.app import CONFIGURATION
from monitor.completeness import incomplete_windows
from monitor.configuration import Configuration
from monitor.core.notable import TITLES
from monitor.database import Database
from monitor.precision import noisiest, precisions
from monitor.reader import Reader
from monitor.remembered import Filling
from monitor.rule_standing import archived, life_of, standing, steps, told_changes, told_windows
from monitor.rulebooks import WRONG, archived_parts
from monitor.rulediff import Differences, differences
from streams.progress import progress_of
from streams.stores.reading import artifact


class MonitorRules:
    """A `alerts.inbox.rule_service.RuleService` over a database.

    Parameters
    ----------
    reader
        Of the database, as far as it is committed.
    fills
        Newest events that new windows are filled from; 0: none.
    waiting
        Gives the hash of files that were found and must not be used, or an empty text.
    """

    def __init__(self, reader: Reader, fills: int = 0, waiting: Callable[[], str] = str) -> None:
        self._reader, self._fills, self._waiting = reader, fills, waiting
        self._named: Mapping[str, Mapping[str, tuple[str, str]]] = {}

    @property
    def fills(self) -> int:
        """Newest events that new windows are filled from when something is activated."""
        return self._fills

    def standing(self) -> Mapping[str, Any]:
        """Return what is in force and proposed."""
        found, late = self._reader.read(lambda db: (standing(db), incomplete_windows(db, _moment)))
        now, waiting = found["in_force"], self._waiting()
        known = {one["hash"] for one in found["proposals"]} | ({now["hash"]} if now else set())
        return {
            **found,
            "in_force": now and {**now, "windows": [*told_windows(now["windows"], _moment), *late]},
            "waiting": "" if waiting in known else waiting,
            "proposals": [{**one, "changes": told_changes(one["changes"])} for one in found["proposals"]],
        }

    def steps(self, limit: int) -> Sequence[Mapping[str, Any]]:
        """Return the newest steps first."""
        found = self._reader.read(lambda db: steps(db, limit))
        empty = {"actor": "", "reason": ""}
        return [
            {**empty, **one, "told": told_changes(one["changes"]) if "changes" in one else ""}
            for one in found
        ]

    def precision(self) -> Sequence[Mapping[str, Any]]:
        """Return the rules with verdicts, those that hit most genuine payments first."""
        found, names = self._reader.read(lambda db: (precisions(db), self._names_in_force(db)))
        return [
            {
                "rule": one.rule,
                **dict(zip(("title", "status"), names.get(one.rule, ("", "")), strict=True)),
                "judged": one.judged,
                "fraud": one.fraud,
                "genuine": one.genuine,
                "precision": one.precision,
            }
            for one in noisiest(found.values())
        ]

    def differences(self, digest: str) -> str:
        """Return line by line what a configuration would change of the one in force."""

        def pair(db: Any) -> tuple[bytes, bytes, Filling | None]:
            now = life_of(db).in_force
            new = archived(db, digest)
            filling = Filling.of(progress_of(db).head, self._fills)
            return (archived(db, now.hash) if now else new).archive, new.archive, filling

        before, after, filling = self._reader.read(pair)
        return str(_differences(before, after).filled(filling))

    def prepare(self, digest: str) -> None:
        """Build what a configuration needs, before the thread of the events asks for it."""
        found = self._reader.read(lambda db: artifact(db, CONFIGURATION, digest))
        if found is None:
            return
        try:
            archived_parts(found)
        except WRONG:
            return  # the step is refused, and says why

    def _names_in_force(self, db: Database) -> Mapping[str, tuple[str, str]]:
        now = life_of(db).in_force
        if now is None:
            return {}
        if now.hash not in self._named:
            self._named = {now.hash: _names(archived(db, now.hash))}
        return self._named[now.hash]


@lru_cache(maxsize=8)
def _differences(before: bytes, after: bytes) -> Differences:
    return differences(Configuration.of_archive(before), Configuration.of_archive(after))


def _names(configuration: Configuration) -> Mapping[str, tuple[str, str]]:
    """Return title and status of everything that alerts under a configuration."""
    rules = [entry["content"] for entry in configuration.plain["rules"]]
    models = {name: (title, "live") for name, title in TITLES.items()}
    return models | {rule["id"]: (rule["title"], rule["status"]) for rule in rules}


def _moment(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="minutes")
