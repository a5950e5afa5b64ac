"""What generated functions call for sequences: tracks of events, and chains through them.

A track holds times and references of the events that may be one step, by time. Step n of a chain lies
at or after step n-1, within its limit (exclusive), and is another event; nothing of the last track
lies between them: after the one, up to the other. A chain may leave steps out where fewer are enough:
then the limits of the steps left out add up.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from typing import Any

from monitor.core.windows import Series

Track = list["array[int]"]
"""Times and references."""
Tracks = list[Track]
Chain = tuple[tuple[int, int], ...]
"""Time and reference of each event, oldest first."""
Span = tuple[Series | None, tuple[int, int]]
SWEEP = 32
"""Every so many new keys those of which nothing is left are forgotten."""


def tracks(slots: list[Any], place: int, width: int) -> Tracks:
    """Return the tracks of a slot, made where there are none."""
    found: Tracks | None = slots[place]
    if found is None:
        found = slots[place] = _new(width)
    return found


def tracks_of(slots: list[Any], place: int, key: str, width: int, before_ms: int) -> Tracks:
    """Return the tracks of a key, made where it is new; now and then forget keys with nothing left."""
    parts: dict[str, Tracks] | None = slots[place]
    if parts is None:
        parts = slots[place] = {}
    found = parts.get(key)
    if found is None:
        if not (len(parts) + 1) % SWEEP:
            _sweep(parts, before_ms)
        found = parts[key] = _new(width)
    return found


def step(found: Tracks, n: int, time_ms: int, ref: int, before_ms: int) -> None:
    """Note an event that may be step `n`, once; forget those of the step at or before `before_ms`."""
    times, refs = found[n]
    end = at = bisect_right(times, time_ms)
    while at and times[at - 1] == time_ms:
        at -= 1
        if refs[at] == ref:
            return
    times.insert(end, time_ms)
    refs.insert(end, ref)
    _forget_old(found[n], before_ms)


def completed(
    found: Tracks | None, limits: tuple[int, ...], least: int, n: int, time_ms: int, ref: int
) -> bool:
    """Return whether the event `ref` at `time_ms`, as step `n`, is the last of `least` steps."""
    return chain(found, limits, least, n, time_ms, ref) is not None


def steps(found: Tracks | None, limits: tuple[int, ...], least: int, n: int, time_ms: int, ref: int) -> Span:
    """Return the events of the steps, as a series and a range would: for evidence."""
    return _span(chain(found, limits, least, n, time_ms, ref) or ())


def chain(
    found: Tracks | None, limits: tuple[int, ...], least: int, n: int, time_ms: int, ref: int
) -> Chain | None:
    """Return the latest chain of `least` steps that ends with the event `ref` as step `n`; None: none."""
    if found is None:
        return None
    return _longer(found, limits, n, least - 1, ((time_ms, ref),), set())


def _longer(
    found: Tracks, limits: tuple[int, ...], n: int, more: int, later: Chain, dead: set[Any]
) -> Chain | None:
    """Return a chain of `more` steps before step `n`, the first of `later`."""
    if not more:
        return later
    time_ms, between, length = later[0][0], found[-1][0], 0
    for m in range(n - 1, more - 2, -1):
        length += limits[m + 1]
        times, refs = found[m]
        for at in range(bisect_right(times, time_ms) - 1, -1, -1):
            own_ms, ref = times[at], refs[at]
            if time_ms - own_ms >= length or _any_in(between, own_ms, time_ms):
                break
            # Only events of the very same time can have been taken already.
            taken = frozenset(other for when, other in later if when == own_ms)
            known = (m, own_ms, ref, more, taken)
            if ref in taken or known in dead:
                continue
            longer = _longer(found, limits, m, more - 1, ((own_ms, ref), *later), dead)
            if longer is not None:
                return longer
            dead.add(known)
    return None


def _any_in(times: array[int], after_ms: int, up_to_ms: int) -> bool:
    return bisect_right(times, after_ms) < bisect_right(times, up_to_ms)


def gathered(found: Tracks | None, length_ms: int, least: int, time_ms: int) -> bool:
    """Return whether events of `least` tracks lie within `length_ms` together with one at `time_ms`."""
    return _start(found, length_ms, least, time_ms) is not None


def gathering(found: Tracks | None, length_ms: int, least: int, time_ms: int) -> Span:
    """Return the events that lie together, the newest of each track: for evidence."""
    start = _start(found, length_ms, least, time_ms)
    if found is None or start is None:
        return _span(())
    together = []
    for times, refs in found:
        at = bisect_left(times, start + length_ms) - 1
        if at >= 0 and times[at] >= start:
            together.append((times[at], refs[at]))
    return _span(tuple(together))


def _start(found: Tracks | None, length_ms: int, least: int, time_ms: int) -> int | None:
    """Return the latest begin of a time of `length_ms` around `time_ms` that holds enough; None: none."""
    if found is None:
        return None
    near = [times[bisect_right(times, time_ms - length_ms) :] for times, _ in found]
    begins = sorted({one for times in near for one in times if one <= time_ms}, reverse=True)
    for begin in begins:
        end = begin + length_ms
        if sum(bisect_left(times, begin) < bisect_left(times, end) for times in near) >= least:
            return begin
    return None


def _span(events: Chain) -> Span:
    series = Series()
    for when, ref in sorted(events):
        series.push(when, ref)
    return series, (0, len(events))


def _new(width: int) -> Tracks:
    return [[array("q"), array("q")] for _ in range(width)]


def _forget_old(track: Track, before_ms: int) -> None:
    times, refs = track
    old = bisect_right(times, before_ms)
    if old:
        del times[:old], refs[:old]


def _sweep(parts: dict[str, Tracks], before_ms: int) -> None:
    for key in list(parts):
        for track in parts[key]:
            _forget_old(track, before_ms)
        if not any(times for times, _ in parts[key]):
            del parts[key]


# What a state does with a slot of tracks: parted by key, or not.


def take_out(held: Any, ref: int) -> None:
    """Take an event, and what it led to, out of every track."""
    for found in held.values() if isinstance(held, dict) else (held,):
        for times, refs in found:
            while ref in refs:
                at = refs.index(ref)
                del times[at], refs[at]


def plain(held: Any, before_ms: int) -> list[Any]:
    """Return a slot as plain data; of keys only those with something later than `before_ms`."""
    if not isinstance(held, dict):
        return _bytes(held)
    _sweep(held, before_ms)
    return [[key, _bytes(held[key])] for key in sorted(held)]


def restored(stored: list[Any], *, keyed: bool) -> Any:
    """Return the slot whose `plain` data these are."""
    return {key: _arrays(found) for key, found in stored} if keyed else _arrays(stored)


def _bytes(found: Tracks) -> list[list[bytes]]:
    return [[times.tobytes(), refs.tobytes()] for times, refs in found]


def _arrays(stored: list[Any]) -> Tracks:
    return [[array("q", times), array("q", refs)] for times, refs in stored]


NAMES: dict[str, Any] = {
    "tracks": tracks,
    "tracks_of": tracks_of,
    "step": step,
    "completed": completed,
    "steps": steps,
    "gathered": gathered,
    "gathering": gathering,
}
"""What generated code names."""
