"""Laws that every case with a hit must obey, played without being written down.

*Duplicates*: every event sent twice gets the same answer (`running.play` with restarts).

*Lateness*: one millisecond newer, an event of a kind that the rule does not read arrives before the last
event that hits. That one then comes late, within the grace period: it hits as before, marked late where
the rule is about the customer, whom both events name. Sliding windows are seen from the newer event, so
where the millisecond alone makes a window lose an event, the answer of a millisecond later is right too.
No law is asked of hits of timers, which no event makes, nor where a rule reads all of `NEWER`.

*Order*: what lies before the last event arrives in reverse order, all of it within the grace period. The last
event hits as before. That is asked where the last event is the newest and hits, and nothing but events
lies before it that take nothing back and set nothing of the profile or an account, which count from when
they arrive; nor of rules about what the monitor itself found, which hear of earlier hits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from monitor.core.assessment import Hit
from monitor.core.engine import Engine
from monitor.ruletest.case import Step, shown
from monitor.ruletest.timeline import Timeline, Timelines

NEWER = ("interaction.contact", "interaction.chat", "interaction.call", "complaint.feedback", "limit.changed")
"""Kinds of events that set nothing; the first that a rule does not read makes its events late."""
AHEAD_MS = 1
GRACE_MS = 259_200_000
ECHOES = ("rule.", "rating.", "model.", "case.", "alert.")
"""Beginnings of the kinds that tell what the monitor, or an officer, found."""
TAKES_BACK = ("reversal_of", "correction_of", "of_event")

Play = Callable[[Timeline], Sequence[Hit]]


def lateness_problems(
    timelines: Timelines, engine: Engine, timeline: Timeline, hits: Sequence[Hit], play: Play
) -> list[str]:
    """Return what is wrong with the answer to the last event that hits, once it comes late.

    Parameters
    ----------
    engine
        Of the rule alone.
    hits
        What the rule says to the timeline as it stands.
    play
        Returns what the rule says to a timeline.
    """
    case = timeline.case
    place = _last_hitting(timeline, hits)
    read = {kind for kinds in engine.rulebook.kinds.values() for kind in kinds}
    kind = next((one for one in NEWER if one in timelines.vocabulary.kinds and one not in read), None)
    if place is None or kind is None:
        return []
    step = case.steps[place]
    told = [(hit.time_ms, hit.severity) for hit in hits if hit.event_id == step.id]
    values = {"customer_id": step.values.get("customer_id", "c1")}
    newer = Step(line=step.line, at_ms=step.at_ms + AHEAD_MS, kind=kind, id="newer", values=values)
    late = timelines.of(replace(case, steps=(*case.steps[:place], newer, step)), timeline)
    found = [hit for hit in play(late) if hit.event_id == step.id]
    if [(hit.time_ms, hit.severity) for hit in found] != told and not _is_edge(
        timelines, timeline, place, found, play
    ):
        was = ", ".join(hit.severity for hit in found) or "no hit"
        return [f"{case.place}: {case.name}: the event at {shown(step.at_ms)} hits in time, late: {was}"]
    if any(hit.subject == "customer" and not hit.late for hit in found):
        return [f"{case.place}: {case.name}: the late hit at {shown(step.at_ms)} is not marked late"]
    return []


def order_problems(
    timelines: Timelines, engine: Engine, timeline: Timeline, hits: Sequence[Hit], play: Play
) -> list[str]:
    """Return what is wrong with the answer to the last event, once those before come in reverse order.

    The parameters are those of `lateness_problems`.
    """
    case = timeline.case
    *before, last = case.steps
    told = [hit.severity for hit in hits if hit.event_id == last.id]
    read = {kind for kinds in engine.rulebook.kinds.values() for kind in kinds}
    if not told or len(before) < 2 or any(kind.startswith(ECHOES) for kind in read):
        return []
    if not _is_free_order(timelines, case.steps):
        return []
    turned = timelines.of(replace(case, steps=(*reversed(before), last)), timeline)
    found = [hit.severity for hit in play(turned) if hit.event_id == last.id]
    if found == told:
        return []
    was = ", ".join(found) or "no hit"
    return [f"{case.place}: {case.name}: the last event hits; after the others in reverse order: {was}"]


def _is_free_order(timelines: Timelines, steps: Sequence[Step]) -> bool:
    known = timelines.vocabulary
    setters = {kind for one in (*known.profile.values(), *known.account.values()) for kind in one.kinds}
    times = [step.at_ms for step in steps]
    return (
        times[-1] == max(times)
        and max(times) - min(times) <= GRACE_MS
        and all(step.kind and not step.alert_of and step.kind not in setters for step in steps)
        and not any(name in step.values for step in steps for name in TAKES_BACK)
    )


def _last_hitting(timeline: Timeline, hits: Sequence[Hit]) -> int | None:
    """Return the place among the steps of the last event that hits."""
    hitting = {hit.event_id for hit in hits}
    steps = timeline.case.steps
    places = [n for n, step in enumerate(steps) if step.kind and step.id in hitting and not step.alert_of]
    return max(places, default=None)


def _is_edge(timelines: Timelines, timeline: Timeline, place: int, late: Sequence[Hit], play: Play) -> bool:
    """Return whether the event would get the late answer too, had it happened when the newer one did."""
    case = timeline.case
    step = replace(case.steps[place], at_ms=case.steps[place].at_ms + AHEAD_MS)
    shifted = timelines.of(replace(case, steps=(*case.steps[:place], step)), timeline)
    answer = [hit.severity for hit in play(shifted) if hit.event_id == step.id]
    return answer == [hit.severity for hit in late]
