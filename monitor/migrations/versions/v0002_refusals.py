"""Officers' actions that the desk refused, for whoever asked; the ledger keeps what was done."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table; a refused action that comes again replaces its row."""
    op.execute(
        "CREATE TABLE refusals (ref BIGINT PRIMARY KEY, time_ms BIGINT NOT NULL, message TEXT NOT NULL)"
    )
