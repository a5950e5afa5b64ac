"""What a case expected and what the rule said, compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from monitor.core.assessment import Hit
from monitor.ruletest.case import Expected, shown
from monitor.ruletest.timeline import Timeline


def differences(timeline: Timeline, hits: Sequence[Hit]) -> list[str]:
    """Return what the hits do not have in common with the expected ones; nothing where they agree."""
    case = timeline.case
    place = f"{case.file}:{case.expect_line}: {case.name}"
    expected = [shown(hit.at_ms or 0) for hit in case.hits]
    actual = [shown(hit.time_ms - timeline.start_ms) for hit in hits]
    if expected != actual:
        lines = (
            place,
            f"  expected hits: {', '.join(expected) or 'none'}",
            f"  was:           {', '.join(actual) or 'none'}",
        )
        return ["\n".join(lines)]
    if case.last and not case.hits:
        return [f"{place}: says {', '.join(case.last)} of a hit, but expects none"]
    return [
        f"{place}\n  {name} of the hit at {shown(one.at_ms or 0)}\n  - {text}\n  + {said(hit, name)}"
        for one, hit in zip(wanted(timeline), hits, strict=True)
        for name, text in one.more.items()
        if not same(said(hit, name), text)
    ]


def wanted(timeline: Timeline) -> list[Expected]:
    """Return the expected hits, the last with what is said beside `hits`."""
    hits = list(timeline.case.hits)
    if hits:
        hits[-1] = replace(hits[-1], more={**timeline.case.last, **hits[-1].more})
    return hits


def said(hit: Hit, name: str) -> str:
    """Return what a hit has under a name of the test file, as text."""
    if name.startswith("saw."):
        return str(hit.saw.get(name.removeprefix("saw."), "nothing of that name"))
    if name == "late":
        return str(hit.late).lower()
    if name == "subject":
        return hit.subject_id
    return f"{hit.points:g}" if name == "points" else str(getattr(hit, name))


def same(actual: str, expected: str) -> bool:
    """Return whether two texts are the same but for their spaces.

    Examples
    --------
    >>> same("50 %  left", "50 % left"), same("50", "50.0")
    (True, False)
    """
    return " ".join(actual.split()) == " ".join(expected.split())
