"""rendered models."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rendered",
        sa.Column("graph", sa.String(), nullable=False),
        sa.Column("weights", sa.String(), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("artifact", sa.String(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("potluck", sa.String(), nullable=False),
        sa.Column("used_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("graph", "weights", "format", name=op.f("pk_rendered")),
    )
    with op.batch_alter_table("rendered", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rendered_used_at"), ["used_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_rendered_weights"), ["weights"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("rendered", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_rendered_weights"))
        batch_op.drop_index(batch_op.f("ix_rendered_used_at"))

    op.drop_table("rendered")
