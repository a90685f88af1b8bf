"""Who stopped a task: the callers of StopTask."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "stops",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("task_id", sa.String, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("arn", sa.String, nullable=False),
        sa.Column("caller", sa.String, nullable=False),
    )
    op.create_index("stops_by_task", "stops", ["task_id"])
