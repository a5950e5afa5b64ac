"""Cases as lines of a test file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from monitor.ruletest.case import Step, shown
from monitor.ruletest.proposing import Proposal
from monitor.ruletest.reading import START

ALIKE = "points and severity"
TAKEN = ("at", "kind", "id")
"""Names that the line of an event uses itself."""
COPIED = ("lists", "with")
MOST_WIDE = 1_000_000
PLAIN = re.compile(r"[A-Za-z0-9_+][A-Za-z0-9_.+-]*|-\d[A-Za-z0-9_.]*")


def said_in(path: Path) -> tuple[dict[str, Any], dict[int, dict[str, Any]]]:
    """Return the keys of a test file, and those of its cases by line."""
    text = path.read_text(encoding="utf-8")
    outer, root = yaml.safe_load(text), yaml.compose(text)
    keys = root.value if isinstance(root, yaml.MappingNode) else []
    nodes = next(value.value for key, value in keys if key.value == "cases")
    lines = [node.start_mark.line + 1 for node in nodes]
    return outer, dict(zip(lines, outer["cases"], strict=True))


def case_text(proposal: Proposal, outer: Mapping[str, Any], own: Mapping[str, Any] | None = None) -> str:
    """Return the lines of a proposed case as an item of `cases`; read again, they are the same case.

    Parameters
    ----------
    outer
        The keys of the test file: what holds for all its cases is not said again.
    own
        The keys of the case that was changed: its lists and the rules it names `with` are said again.
    """
    case = proposal.case
    what = "hits" if proposal.hits else "does not hit"
    lines = [f"  - name: {quoted(f'{case.name or ALIKE}: {what}')}"]
    start = case.start.isoformat()
    if start != str(outer.get("start", START)).replace(" ", "T"):
        lines.append(f"    start: {start}")
    for name in ("profile", "account"):
        values = getattr(case, name)
        known = dict(_flat(outer.get(name) or {}))
        differing = {key: text for key, text in values.items() if known.get(key) != text}
        differing |= dict.fromkeys(key for key in known if key not in values)
        if differing:
            lines.append(f"    {name}: {_mapping(differing)}")
    lines += [f"    {name}: {_flow(own[name])}" for name in COPIED if own and name in own]
    lines.append("    events:")
    lines += [f"      - {_step(step, number, outer)}" for number, step in enumerate(case.steps, start=1)]
    lines.append(f"    expect: {_expect(proposal)}")
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """Return a text as YAML, in quotes where it needs them.

    Examples
    --------
    >>> quoted("+1h30m"), quoted("at 5, again"), quoted("null")
    ('+1h30m', '"at 5, again"', '"null"')
    """
    return text if PLAIN.fullmatch(text) and text.lower() != "null" else json.dumps(text, ensure_ascii=False)


def _step(step: Step, number: int, outer: Mapping[str, Any]) -> str:
    if step.again:
        return _mapping({"again": step.again})
    if not step.kind:
        return _mapping({"tick": shown(step.at_ms)})
    said: dict[str, Any] = {"at": shown(step.at_ms)}
    defaults = dict(_flat(outer.get("defaults") or {}))
    usual = defaults.pop("kind", "")
    if step.kind != usual:
        said["kind"] = step.kind
        defaults = {}
    if step.id != f"e{number}":
        said["id"] = step.id
    for name, text in step.values.items():
        key = f"field.{name}" if name in TAKEN else name
        if defaults.get(key) != text:
            said[key] = text
    gone = [name for name in defaults if name.removeprefix("field.") not in step.values]
    return _mapping(said | dict.fromkeys(gone))


def _flat(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Give the names of a file's values as they are read: dotted, each with a text or several."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", text) for inner, text in _flat(value))
        elif value is not None:
            yield name, [_text(one) for one in value] if isinstance(value, list) else _text(value)


def _flow(value: Any) -> str:
    """Return what a file says, in one line of YAML."""
    several = [value] if isinstance(value, str) else value
    return yaml.safe_dump(several, default_flow_style=True, allow_unicode=True, width=MOST_WIDE).strip()


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _mapping(values: Mapping[str, Any]) -> str:
    return f"{{{', '.join(f'{name}: {_value(value)}' for name, value in values.items())}}}"


def _value(value: Any) -> str:
    if value is None:
        return "~"
    return (
        f"[{', '.join(quoted(str(one)) for one in value)}]" if isinstance(value, list) else quoted(str(value))
    )


def _expect(proposal: Proposal) -> str:
    hits = []
    for hit in proposal.hits:
        at = shown(hit.time_ms - proposal.start_ms)
        hits.append(f"{{at: {at}, points: {hit.points:g}, severity: {hit.severity}}}")
    if not hits:
        return "{hits: []}"
    if len({(hit.points, hit.severity) for hit in proposal.hits}) > 1:
        return f"{{hits: [{', '.join(hits)}]}}"
    times = ", ".join(shown(hit.time_ms - proposal.start_ms) for hit in proposal.hits)
    last = proposal.hits[-1]
    return f"{{hits: [{times}], points: {last.points:g}, severity: {last.severity}}}"
