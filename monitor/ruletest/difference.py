"""What happened in a case beside what was expected: events in their order, hits marked + and -.

A line that begins with `-` was expected and did not come, one with `+` came and was not expected, one
with `=` is as it should be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from monitor.core.assessment import Hit
from monitor.ruletest.case import Expected, shown
from monitor.ruletest.timeline import Moment, Timeline

FIELDS_MOST = 6
SEEN_MOST = 6


def timeline_lines(
    timeline: Timeline, hits: Sequence[Hit], reasons: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """Give the events of a case with the hits that came and those that were expected.

    Parameters
    ----------
    reasons
        By event: why the rule did not hit, see `monitor.ruletest.probing`.
    """
    waiting, left = list(timeline.case.hits), list(hits)
    for moment in timeline.moments:
        if moment.step.line == timeline.case.line and moment.step.at_ms < 0:
            continue  # what tells the profile
        yield f"    {_event(moment)}"
        came = [hit for hit in left if moment.event is not None and hit.event_id == moment.event.id]
        left = [hit for hit in left if hit not in came]
        for hit in came:
            yield from _came(timeline, hit, waiting)
        if not came and not moment.step.again:
            yield from _missed(moment, waiting, reasons)
    for hit in left:
        yield from _came(timeline, hit, waiting)
    for expected in waiting:
        when = shown(expected.at_ms or 0)
        yield f"  - hit at {when}: the rule looks at no event then, and no time runs out"


def _came(timeline: Timeline, hit: Hit, waiting: list[Expected]) -> Iterator[str]:
    at_ms = hit.time_ms - timeline.start_ms
    expected = next((one for one in waiting if one.at_ms == at_ms), None)
    mark = "+" if expected is None else "="
    if expected is not None:
        waiting.remove(expected)
    timed = " when time ran out" if hit.event_id.startswith("timer:") else ""
    late = ", late" if hit.late else ""
    yield f"  {mark} hit at {shown(at_ms)}{timed}: {hit.severity}, {hit.points:g} points{late}: {hit.say}"
    if expected is None and hit.saw:
        seen = [f"{name} {value}" for name, value in hit.saw.items() if value is not None]
        yield f"      saw {', '.join(seen[:SEEN_MOST])}"


def _missed(moment: Moment, waiting: list[Expected], reasons: Mapping[str, Sequence[str]]) -> Iterator[str]:
    expected = next((one for one in waiting if one.at_ms == moment.step.at_ms), None)
    event = moment.event
    if expected is None or event is None or event.id not in reasons:
        return
    waiting.remove(expected)
    yield f"  - hit at {shown(moment.step.at_ms)}"
    for reason in reasons[event.id]:
        yield f"      {reason}"


def _event(moment: Moment) -> str:
    step = moment.step
    if step.again:
        return f"again {step.again}"
    if not step.kind:
        return f"{shown(step.at_ms)}  time passes"
    said = [f"{name} {text}" for name, text in step.values.items()]
    more = ", ..." if len(said) > FIELDS_MOST else ""
    return f"{shown(step.at_ms)}  {step.kind}  {step.id}  {', '.join(said[:FIELDS_MOST])}{more}".rstrip()
