"""What models saw of a payment, as the journal keeps it: features, and a note where there is more to say."""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from monitor.core.features import NAMES

VECTOR = Struct(f"<{len(NAMES)}f")
"""The features, little-endian."""
RESTRICTED, MARGIN = 1, 2
"""Flags of a note: the customer is restricted; the margin of the classifier follows."""
_MARGIN = Struct("<i")
_WORD = 4
"""Features take so many bytes each: with a note the length is no multiple of it."""


class Seen(NamedTuple):
    """What models saw of a payment."""

    vector: bytes
    """The features, packed; empty for whatever is no payment."""
    segment: str
    """The customer's segment at the time, where a population of its own is configured for it."""
    is_restricted: bool
    """Whether nothing may be learnt from it: its customer was restricted at the time."""
    margin: int | None
    """What the classifier's trees said, in 1024ths of the natural logarithm of the odds; None before
    there was one."""


def noted(
    vector: bytes, segment: str = "", *, is_restricted: bool = False, margin: int | None = None
) -> bytes:
    """Return features with a note of what else learners have to know; without one where that is nothing.

    Parameters
    ----------
    segment
        At most 200 bytes of UTF-8 count.

    Examples
    --------
    >>> noted(bytes(8)) == bytes(8)
    True
    >>> read(noted(bytes(8), "private", margin=-2048))[1:]
    ('private', False, -2048)
    """
    flags = RESTRICTED * is_restricted + MARGIN * (margin is not None)
    if not flags and not segment:
        return vector
    note = bytes((flags,)) + (b"" if margin is None else _MARGIN.pack(margin)) + segment.encode()[:200]
    # The last byte is the note's length; a zero before it where the whole could be taken for features.
    note += b"" if (len(note) + 1) % _WORD else b"\0"
    return vector + note + bytes((len(note) + 1,))


def read(features: bytes) -> Seen:
    """Return what `noted` put together.

    Examples
    --------
    >>> read(b"")
    Seen(vector=b'', segment='', is_restricted=False, margin=None)
    """
    if not len(features) % _WORD:
        return Seen(features, "", False, None)
    note = features[-features[-1] : -1]
    start = 1 + _MARGIN.size if note[0] & MARGIN else 1
    margin = _MARGIN.unpack_from(note, 1)[0] if note[0] & MARGIN else None
    segment = note[start:].rstrip(b"\0").decode(errors="ignore")
    return Seen(features[: -features[-1]], segment, bool(note[0] & RESTRICTED), margin)
