"""What payments that rules hit turned out to be, by rule and journal position of the payment."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the table; the desk fills it from the journal when it starts."""
    op.execute(
        'CREATE TABLE findings (rule TEXT COLLATE "C" NOT NULL, seq BIGINT NOT NULL,'
        " is_fraud BIGINT NOT NULL, PRIMARY KEY (rule, seq))"
    )
