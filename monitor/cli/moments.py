"""Moments as people write them on a command line."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from monitor.cli.failure import Failure

At = Annotated[str, typer.Option(help="RFC 3339 time, e.g. 2026-03-01T12:00:00+08:00; default: now")]


def time_ms(text: str, option: str = "--at") -> int | None:
    """Return a moment in epoch milliseconds; None for no text.

    Raises
    ------
    Failure
        It is no time, or has no offset.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Failure(
            f"{option}: expected a time, was {text!r}\n  hint: write 2026-03-01T12:00:00+08:00"
        ) from None
    if moment.tzinfo is None:
        raise Failure(f"{option}: {text!r} has no offset\n  hint: add one, e.g. {text}+08:00 or {text}Z")
    return int(moment.timestamp() * 1000)


def moment(time_ms: int) -> str:
    """Return a moment as text, UTC.

    Examples
    --------
    >>> moment(0)
    '1970-01-01T00:00:00+00:00'
    """
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="seconds")
