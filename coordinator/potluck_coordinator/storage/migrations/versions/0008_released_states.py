"""released states."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None
TABLES = ("lease", "replay")


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("released_at", sa.Float(), nullable=True))
    # What a decided replay compared is named by what counts, where anything still stands on it.
    op.execute(
        "UPDATE replay SET released_at = decided_at "
        "WHERE state NOT IN ('asked', 'open', 'refuted') OR why = 'stuck' AND state = 'refuted'"
    )


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_column(table, "released_at")
