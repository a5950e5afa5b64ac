"""What is usual among a customer's peers, looked up in the published table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rules.peers import groups

if TYPE_CHECKING:
    from monitor.core.tables import Rows


def peer(
    rows: Rows | None, column: int, time_ms: int, figure: str, profile: Mapping[str, Any], scale: int
) -> float | None:
    """Return a quantile of the finest group of a customer that has one; missing where none has.

    Money is told in the base currency and returned in ten-thousandths of it: `scale`.
    """
    if rows is None:
        return None
    for group in groups(profile):
        value = rows.cell(column, time_ms, figure, *group)
        if value is not None:
            return float(value) if scale == 1 else round(value * scale)
    return None
