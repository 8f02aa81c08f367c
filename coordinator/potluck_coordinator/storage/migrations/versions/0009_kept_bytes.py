"""kept bytes: what each study keeps in the database, and nothing of datasets that were deleted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None
KEPT = ["owner", "id", "name", "kept_bytes"]


def upgrade() -> None:
    with op.batch_alter_table("study", schema=None) as batch_op:
        batch_op.add_column(sa.Column("kept_bytes", sa.BigInteger(), nullable=True))
    op.execute(
        "UPDATE study SET kept_bytes = length(CAST(spec AS TEXT)) + length(CAST(plan AS TEXT))"
        " + length(CAST(wire_plan AS TEXT))"
        " + coalesce((SELECT sum(length(CAST(rows AS TEXT))) FROM sealed"
        " WHERE sealed.study_id = study.id), 0)"
        " + coalesce((SELECT sum(length(CAST(train_rows AS TEXT))"
        " + length(CAST(held_rows AS TEXT)) + length(CAST(encoder AS TEXT))) FROM part"
        " WHERE part.study_id = study.id), 0)"
    )
    with op.batch_alter_table("study", schema=None) as batch_op:
        batch_op.alter_column("kept_bytes", existing_type=sa.BigInteger(), nullable=False)
        batch_op.create_index("study_by_kept", KEPT, unique=False)
    # Until now a deleted dataset's names and examples stayed, and its row for ever.
    op.execute(
        "DELETE FROM dataset WHERE deleted_at IS NOT NULL"
        " AND id NOT IN (SELECT dataset_id FROM study)"
    )
    op.execute(
        'UPDATE dataset SET name = id, filename = \'\', profile = \'{"kind": "table",'
        ' "rows": 0, "columns": [], "suggested_target": null, "warnings": []}\''
        " WHERE deleted_at IS NOT NULL"
    )


def downgrade() -> None:
    with op.batch_alter_table("study", schema=None) as batch_op:
        batch_op.drop_index("study_by_kept")
        batch_op.drop_column("kept_bytes")
