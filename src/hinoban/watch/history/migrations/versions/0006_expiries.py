"""When a task is to be forgotten, where a policy says so."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "task_expiries",
        sa.Column("task_key", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_index("task_expiries_by_at", "task_expiries", ["at"])
