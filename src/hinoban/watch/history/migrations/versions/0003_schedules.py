"""Schedules, their slots, and what was done to what they stand on."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "schedules",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("arn", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("gone_at", sa.Float),
        sa.Column("expected_until", sa.Float, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "slots",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("at", sa.Float, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("open", sa.Boolean, nullable=False),
        sa.Column("token", sa.String),
        sa.Column("incident_id", sa.String),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )
    op.create_index("slots_by_at", "slots", ["at"])
    op.create_index("slots_by_name", "slots", ["name", "at"])
    op.create_index("slots_by_token", "slots", ["token"])
    op.create_index("slots_by_incident", "slots", ["incident_id"])
    op.create_index("slots_open", "slots", ["key"], sqlite_where=sa.column("open"), postgresql_where=sa.column("open"))
    op.create_table(
        "notes",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )
    op.create_index("notes_by_subject", "notes", ["subject", "at"])
