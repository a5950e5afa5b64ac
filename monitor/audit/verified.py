"""What the last verification found, kept beside the database: metrics and pages read it.

It says what somebody was told, and proves nothing: whoever can write the folder can write this file.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

FILE = "verification.json"
"""Its name in the data directory."""


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one `riskmon audit verify`."""

    time_ms: int
    """Wall clock at its end, epoch milliseconds."""
    seconds: float
    """How long it took."""
    findings: int
    """0 where everything is proven."""
    entries: int
    """Ledger entries it covered."""
    ledger_head: str
    """Hash of the last of them, hex digits."""


def write_verified(folder: Path, verified: Verified) -> None:
    """Leave the result in a data directory; a reader sees the old or the new one, whole.

    Raises
    ------
    OSError
        The folder cannot be written.
    """
    new = folder / f"{FILE}.new"
    new.write_bytes(msgspec.json.encode(verified) + b"\n")
    new.replace(folder / FILE)


def read_verified(folder: Path) -> Verified | None:
    """Return the last result; None where there is none or it cannot be read.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as name:
    ...     folder = Path(name)
    ...     before = read_verified(folder)
    ...     one = Verified(time_ms=1, seconds=0.5, findings=0, entries=7, ledger_head="ab")
    ...     write_verified(folder, one)
    ...     before, read_verified(folder) == one
    (None, True)
    """
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Verified)
    except (OSError, msgspec.MsgspecError):
        return None
