"""bounded looks: what is read at every verdict and every request is found without the rest."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TURN = ["study_id", "state", "ready_since", "trial", "fold", "repeat", "memory_bytes"]


def upgrade() -> None:
    op.create_index("trial_by_value", "trial", ["study_id", "state", "value", "number"])
    op.create_index("unit_by_turn", "unit", TURN)
    op.create_index("unit_by_memory", "unit", ["study_id", "state", "memory_bytes"])
    op.drop_index("unit_by_study", table_name="unit")
    op.create_index("lease_by_donor_and_study", "lease", ["donor_id", "study_id", "started_at"])
    op.create_index("lease_by_ending", "lease", ["study_id", "state", "ended_at"])


def downgrade() -> None:
    op.drop_index("lease_by_ending", table_name="lease")
    op.drop_index("lease_by_donor_and_study", table_name="lease")
    op.create_index("unit_by_study", "unit", ["study_id", "state"])
    op.drop_index("unit_by_memory", table_name="unit")
    op.drop_index("unit_by_turn", table_name="unit")
    op.drop_index("trial_by_value", table_name="trial")
