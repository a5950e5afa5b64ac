"""The archive of configurations, as the runtime asks for it: checked, compiled, compared."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

from monitor.configuration import Configuration, build_codec, build_engine, needs_approval
from monitor.core.engine import Engine
from monitor.core.models.config import ModelsConfigError
from monitor.core.rating_config import RatingConfigError
from monitor.core.refill import Refill
from rules.errors import RuleError
from streams.codec import Codec
from streams.rates import RatesError

WRONG: Final = (RuleError, RatingConfigError, ModelsConfigError, RatesError, ValueError, KeyError, TypeError)
"""What reading an archive raises that is no configuration this program can work by."""


class ArchivedRulebooks:
    """A `streams.rulebooks.Rulebooks` over archived configurations.

    Parameters
    ----------
    archived
        Gives an archive by its hash, or None.
    take_force
        Called with a configuration when it comes into force, inside the transaction, and again when
        that was undone with the one before.
    fills
        Whether windows can be filled from the journal where this runs.
    stages
        Kinds of subjects that a cluster has topics for; None: any.
    """

    def __init__(
        self,
        archived: Callable[[str], bytes | None],
        take_force: Callable[[Configuration], None],
        *,
        fills: bool = True,
        stages: Collection[str] | None = None,
    ) -> None:
        self._archived, self._take_force, self._stages = archived, take_force, stages
        self.fills = fills

    def problem(self, digest: str) -> str:
        """Return why a configuration cannot be in force; empty where it can."""
        archived = self._archived(digest)
        if archived is None:
            return "it is not archived\n  hint: propose it with `riskmon rules propose`, which archives it"
        if sha256(archived).hexdigest() != digest:
            return "its archive is not what its hash is of"
        try:
            asked = archived_parts(archived)[0].rulebook.stages
        except WRONG as error:
            return f"{type(error).__name__}: {error}"
        missing = [] if self._stages is None else [stage for stage in asked if stage not in self._stages]
        return f"its rules ask for {', '.join(missing)}, which has no topics" if missing else ""

    def needs_approval(self, digest: str) -> bool:
        """Return whether what follows this one takes another person's approval."""
        return needs_approval(self._configuration(digest))

    def changes(self, before: str, after: str) -> Mapping[str, Any]:
        """Return in numbers what the one would change of the other; nothing where there was none before."""
        return counted(self._configuration(before), self._configuration(after)) if before else {}

    def parts(self, digest: str) -> tuple[Engine, Codec]:
        """Return what assesses by a configuration."""
        return archived_parts(self._archive(digest))

    def refill(self, before: str, after: str) -> Refill:
        """Return what fills windows that the one configuration remembers and the other did not."""
        return Refill(self.parts(before)[0], self.parts(after)[0])

    def take_force(self, digest: str) -> None:
        """Let whoever else works by it go on by this one."""
        self._take_force(self._configuration(digest))

    def _configuration(self, digest: str) -> Configuration:
        return Configuration.of_archive(self._archive(digest))

    def _archive(self, digest: str) -> bytes:
        archived = self._archived(digest)
        if archived is None:
            hint = "the database was changed: restore a copy of it"
            raise LookupError(f"artifacts: configuration {digest[:12]} is not archived\n  hint: {hint}")
        return archived


@lru_cache(maxsize=4)
def archived_parts(archived: bytes) -> tuple[Engine, Codec]:
    """Build what assesses by an archive, once: a change is prepared while events go on."""
    configuration = Configuration.of_archive(archived)
    return build_engine(configuration), build_codec(configuration)


def counted(before: Configuration, after: Configuration) -> dict[str, Any]:
    """Return in numbers what `after` would change.

    Examples
    --------
    >>> rule = lambda name, status: {"pack": "p", "file": "f", "content": {"id": name, "status": status}}
    >>> plain = {"rules": [rule("A", "live"), rule("B", "live")], "lists": {}, "zone": "UTC"}
    >>> other = plain | {"rules": [rule("A", "shadow"), rule("C", "live")], "zone": "Asia/Shanghai"}
    >>> counted(Configuration(plain), Configuration(other))
    {'rules_added': 1, 'rules_removed': 1, 'rules_changed': 1, 'lists_changed': 0, 'others_changed': ['zone']}
    """
    rules, former = _rules(after), _rules(before)
    lists, known = after.plain.get("lists", {}), before.plain.get("lists", {})
    names = sorted({*before.plain, *after.plain} - {"rules", "lists"})
    return {
        "rules_added": len(rules.keys() - former.keys()),
        "rules_removed": len(former.keys() - rules.keys()),
        "rules_changed": sum(rules[name] != former[name] for name in rules.keys() & former.keys()),
        "lists_changed": sum(lists.get(name) != known.get(name) for name in {*lists, *known}),
        "others_changed": [name for name in names if before.plain.get(name) != after.plain.get(name)],
    }


def _rules(configuration: Configuration) -> dict[str, Any]:
    return {entry["content"]["id"]: entry["content"] for entry in configuration.plain["rules"]}
