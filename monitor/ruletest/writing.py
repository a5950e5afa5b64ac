"""Cases as lines of a test file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from monitor.ruletest.case import Step, shown
from monitor.ruletest.proposing import Proposal
from monitor.ruletest.reading import START

ALIKE = "points and severity"
PLAIN = re.compile(r"[A-Za-z0-9_+][A-Za-z0-9_.+-]*|-\d[A-Za-z0-9_.]*")


def case_text(proposal: Proposal, outer: Mapping[str, Any]) -> str:
    """Return the lines of a proposed case as an item of `cases`.

    Parameters
    ----------
    outer
        The keys of the test file: what holds for all its cases is not said again.
    """
    case = proposal.case
    what = "hits" if proposal.hits else "does not hit"
    lines = [f"  - name: {quoted(f'{case.name or ALIKE}: {what}')}"]
    start = case.start.isoformat()
    if start != str(outer.get("start", START)).replace(" ", "T"):
        lines.append(f"    start: {start}")
    for name in ("profile", "account"):
        values = getattr(case, name)
        known = {key: _text(value) for key, value in (outer.get(name) or {}).items()}
        own = {key: text for key, text in values.items() if known.get(key) != text}
        if own:
            lines.append(f"    {name}: {_mapping(own)}")
    lines.append("    events:")
    lines += [f"      - {_step(step, number, outer)}" for number, step in enumerate(case.steps, start=1)]
    lines.append(f"    expect: {_expect(proposal)}")
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """Return a text as YAML, in quotes where it needs them.

    Examples
    --------
    >>> quoted("+1h30m"), quoted("at 5, again")
    ('+1h30m', '"at 5, again"')
    """
    return text if PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _step(step: Step, number: int, outer: Mapping[str, Any]) -> str:
    if step.again:
        return _mapping({"again": step.again})
    if not step.kind:
        return _mapping({"tick": shown(step.at_ms)})
    said: dict[str, Any] = {"at": shown(step.at_ms)}
    defaults = {name: _text(value) for name, value in (outer.get("defaults") or {}).items()}
    usual = defaults.pop("kind", "")
    if step.kind != usual:
        said["kind"] = step.kind
        defaults = {}
    if step.id != f"e{number}":
        said["id"] = step.id
    return _mapping(said | {name: text for name, text in step.values.items() if defaults.get(name) != text})


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _mapping(values: Mapping[str, Any]) -> str:
    parts = [
        f"{name}: [{', '.join(quoted(str(one)) for one in text)}]"
        if isinstance(text, list)
        else f"{name}: {quoted(str(text))}"
        for name, text in values.items()
    ]
    return f"{{{', '.join(parts)}}}"


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
