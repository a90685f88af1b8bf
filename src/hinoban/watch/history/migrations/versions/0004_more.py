"""What an incident's definition differs in from the last good run's; what channels, and detectors with a memory, keep."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("incidents", sa.Column("changed", sa.Text))
    op.create_table(
        "channel_state",
        sa.Column("channel", sa.String, primary_key=True),
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "memories",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("due_at", sa.Float),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )
    op.create_index("memories_due", "memories", ["due_at"])
