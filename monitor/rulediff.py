"""What another configuration would change, in words: the text an approver reads.

Two configurations are compared as they are archived, key by key: rules with their thresholds,
windows, points and statuses, predicates, lists, the rating and everything else that decides an
assessment. Both are compiled, too, to tell which windows go on and which are new.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

from monitor.configuration import Configuration
from monitor.remembered import Filling, Kept, kept_of

_NUMBER: Final = re.compile(r"(-?[0-9][0-9_]*(?:\.[0-9]+)?)(?: [A-Z]{3}|[a-z]+|%)?")
_FIGURE: Final = re.compile(r"(?<![\w.])[0-9][0-9_]*(?:\.[0-9]+)?(?:[a-z]+| [A-Z]{3})?\b")
_STATUS: Final[Mapping[tuple[str, str], str]] = {
    ("shadow", "live"): "its hits raise alerts and give points from now on",
    ("draft", "live"): "it begins to run: its hits raise alerts and give points",
    ("draft", "shadow"): "it begins to run: its hits are recorded, silently",
    ("live", "shadow"): "its hits are recorded, silently",
    ("live", "retired"): "it stops",
    ("shadow", "retired"): "it stops",
}
_MOST: Final = 12
"""Entries of a list that are named; the others are counted. Of more rules that are added: their titles."""
_DECIDES: Final = (
    "on", "subject", "params", "let", "when", "bands", "points", "severity", "alert", "cooldown", "half_life",
    "valid", "disposition", "say",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One key that differs. `before` is None where it was not there, `after` where it is gone."""

    key: str
    before: Any
    after: Any
    remark: str = ""

    def __str__(self) -> str:
        """Return it as one line.

        Examples
        --------
        >>> print(Change("params.minimum", "20000 CNY", "15000 CNY", "-25 %"))
        params.minimum: 20000 CNY -> 15000 CNY (-25 %)
        """
        remark = f" ({self.remark})" if self.remark else ""
        if self.before is None:
            return f"{self.key}: added {_told(self.after)}{remark}"
        if self.after is None:
            return f"{self.key}: removed, was {_told(self.before)}{remark}"
        return f"{self.key}: {_told(self.before)} -> {_told(self.after)}{remark}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChange:
    """A rule that is added, removed or changed."""

    id: str
    title: str
    pack: str
    status: str
    """After the change; of a removed rule: before it."""
    changes: tuple[Change, ...] = ()
    """Key by key; empty where the rule is added or removed."""
    content: tuple[str, ...] = ()
    """Of an added rule, or a draft that begins to run: what it decides by, a key a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """Everything that differs between two configurations; nothing where they are the same."""

    before: str
    """Hash of the one configuration."""
    after: str
    added: tuple[RuleChange, ...] = ()
    removed: tuple[RuleChange, ...] = ()
    changed: tuple[RuleChange, ...] = ()
    others: Mapping[str, tuple[Change, ...]] = field(default_factory=dict)
    """By part: `predicates`, `lists`, `rating`, `models`, `rates`, `desk` and the rest."""
    states: tuple[Kept, ...] = ()
    """What becomes of what is remembered, where it is not simply kept."""

    def __bool__(self) -> bool:
        """Return whether anything differs."""
        return self.before != self.after and any(
            (self.added, self.removed, self.changed, self.others, self.states)
        )

    def filled(self, filling: Filling | None) -> Differences:
        """Return them with what activation fills new windows from; None where they begin empty."""
        return replace(self, states=tuple(kept.filled(filling) for kept in self.states))

    def plain(self) -> dict[str, Any]:
        """Return it as plain data, for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        """Return it as text, a line a fact."""
        return "\n".join(_lines(self))


def differences(old: Configuration, new: Configuration) -> Differences:
    """Return everything that `new` would change of what `old` decides.

    Equal configurations give no difference. Both are read as archived, so it does not matter
    whether they come from files or from an archive.

    Raises
    ------
    RuleError
        Where the rules of one of them have mistakes.
    """
    before, after = _rules(old), _rules(new)
    return Differences(
        before=old.hash,
        after=new.hash,
        added=tuple(
            _begun(_told_rule(after[name]), after[name]["content"])
            for name in sorted(after.keys() - before.keys())
        ),
        removed=tuple(_told_rule(before[name]) for name in sorted(before.keys() - after.keys())),
        changed=tuple(
            _begun(told, after[name]["content"])
            if before[name]["content"]["status"] == "draft" != told.status
            else told
            for name in sorted(after.keys() & before.keys())
            if (changes := _rule_changes(before[name], after[name]))
            for told in [_told_rule(after[name], changes)]
        ),
        others=_others(old.plain, new.plain),
        states=kept_of(old, new) if old.hash != new.hash else (),
    )


def _rules(configuration: Configuration) -> dict[str, Mapping[str, Any]]:
    return {entry["content"]["id"]: entry for entry in configuration.plain["rules"]}


def _told_rule(entry: Mapping[str, Any], changes: Sequence[Change] = ()) -> RuleChange:
    content = entry["content"]
    return RuleChange(
        id=content["id"],
        title=content["title"],
        pack=entry["pack"],
        status=content["status"],
        changes=tuple(changes),
    )


def _begun(told: RuleChange, rule: Mapping[str, Any]) -> RuleChange:
    """Return it with what the rule decides by: nobody approved that before."""
    return replace(told, content=tuple(_content(rule)))


def _content(rule: Mapping[str, Any]) -> Iterator[str]:
    """Give what a rule decides by, a key a line."""
    for key in _DECIDES:
        if isinstance(rule.get(key), Mapping):
            yield from (f"{key}.{name}: {_told(_said(value))}" for name, value in rule[key].items())
        elif key in rule:
            yield f"{key}: {_told(_said(rule[key]))}"


def _rule_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    moved = [Change("pack", before["pack"], after["pack"])] if before["pack"] != after["pack"] else []
    return [*moved, *_changes("", before["content"], after["content"])]


def _others(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Change, ...]]:
    found = {}
    for name in dict.fromkeys([*before, *after]):
        if name != "rules" and (changes := tuple(_changes("", before.get(name), after.get(name)))):
            found[name] = changes
    return found


def _changes(key: str, before: Any, after: Any) -> Iterator[Change]:
    """Give what differs, as deep as both are mappings or lists of mappings."""
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys([*before, *after]):
            yield from _changes(f"{key}.{name}" if key else str(name), before.get(name), after.get(name))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _list_changes(key, before, after)
    else:
        yield Change(key, _said(before), _said(after), _remark(key, before, after))


def _list_changes(key: str, before: Sequence[Any], after: Sequence[Any]) -> Iterator[Change]:
    if any(isinstance(one, Mapping | list) for one in (*before, *after)):
        if len(before) == len(after):
            for number, (old, new) in enumerate(zip(before, after, strict=True), start=1):
                yield from _changes(f"{key}[{number}]", old, new)
            return
        yield Change(key, before, after)
        return
    gone, come = [one for one in before if one not in after], [one for one in after if one not in before]
    if gone:
        yield Change(key, gone, None)
    if come:
        yield Change(key, None, come)
    if not gone and not come:
        yield Change(key, before, after, "the order alone")


def _said(value: Any) -> Any:
    return " ".join(value.split()) if isinstance(value, str) else value


def _remark(key: str, before: Any, after: Any) -> str:
    if key == "status":
        return _STATUS.get((before, after), "")
    old, new = _number(before), _number(after)
    if old is not None and new is not None and old[0] and old[1] == new[1]:
        return f"{float((new[0] - old[0]) / abs(old[0]) * 100):+,.0f} %"
    if isinstance(before, str) and isinstance(after, str):
        return _figures(before, after)
    return ""


def _figures(before: str, after: str) -> str:
    """Return the figures that differ, where two expressions differ in nothing else.

    Examples
    --------
    >>> _figures("count(24h) >= 3", "count(24h)  >= 5"), _figures("a >= 3", "b >= 3")
    ('3 -> 5', '')
    """
    old, new = " ".join(before.split()), " ".join(after.split())
    if _FIGURE.sub("#", old) != _FIGURE.sub("#", new):
        return ""
    pairs = zip(_FIGURE.findall(old), _FIGURE.findall(new), strict=True)
    return ", ".join(f"{one} -> {other}" for one, other in pairs if one != other)


def _number(value: Any) -> tuple[Decimal, str] | None:
    """Return a figure and its unit, or None where the value is none."""
    text = str(value).strip()
    found = None if isinstance(value, bool) else _NUMBER.fullmatch(text)
    return (Decimal(found[1].replace("_", "")), text[found.end(1) :].strip()) if found else None


def _told(value: Any) -> str:
    if isinstance(value, list) and len(value) > _MOST:
        return f"{_told(value[:_MOST])} and {len(value) - _MOST:,} more"
    if isinstance(value, list):
        return ", ".join(_told(one) for one in value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_told(one)}" for name, one in value.items()) + "}"
    return str(value)


def _lines(found: Differences) -> Iterator[str]:
    yield f"{found.before[:12]} -> {found.after[:12]}"
    if not found:
        yield "nothing differs"
        return
    for heading, rules in (
        ("added", found.added),
        ("removed", found.removed),
        ("changed", found.changed),
    ):
        if rules:
            yield f"rules {heading}: {len(rules)}"
        for rule in rules:
            yield f"  {rule.id}  {rule.title} ({rule.status}, {rule.pack})"
            yield from (f"    {change}" for change in rule.changes)
            yield from (f"    {line}" for line in rule.content if len(rules) <= _MOST)
    for part, changes in found.others.items():
        yield part
        yield from (f"  {change}" if change.key else f"  {part}{change}" for change in changes)
    if found.states:
        yield "what is remembered"
        yield from (f"  {kept}" for kept in found.states)
    else:
        yield "every window is kept as it is"
