"""The first tables: tasks, their events, launches, incidents, retries, outbox, cursors."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "tasks",
        sa.Column("key", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", sa.String, nullable=False),
        sa.Column("region", sa.String, nullable=False),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("arn", sa.String, nullable=False),
        sa.Column("family", sa.String, nullable=False),
        sa.Column("revision", sa.Integer),
        sa.Column("cluster", sa.String, nullable=False),
        sa.Column("group", sa.String),
        sa.Column("started_by", sa.String),
        sa.Column("created_at", sa.Float),
        sa.Column("started_at", sa.Float),
        sa.Column("stopped_at", sa.Float),
        sa.Column("last_status", sa.String, nullable=False),
        sa.Column("stop_code", sa.String),
        sa.Column("exit_code", sa.Integer),
        sa.Column("verdict", sa.String),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("open", sa.Boolean, nullable=False),
        sa.Column("versions", sa.LargeBinary, nullable=False),
        sa.Column("timeline", sa.LargeBinary),
    )
    is_open, ours = sa.text("open"), sa.text("started_by LIKE 'hinoban/%'")
    op.create_index("tasks_by_id", "tasks", ["id", "region", "account"], unique=True)
    op.create_index("tasks_by_family", "tasks", ["family", "created_at"])
    op.create_index("tasks_open", "tasks", ["key"], sqlite_where=is_open, postgresql_where=is_open)
    op.create_index("tasks_by_starter", "tasks", ["started_by"], sqlite_where=ours, postgresql_where=ours)
    op.create_table(
        "task_events",
        sa.Column("task_key", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "launches",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("family", sa.String, nullable=False),
        sa.Column("refused", sa.Integer, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )
    op.create_index("launches_by_family", "launches", ["family", "at"])
    op.create_table(
        "incidents",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("verdict", sa.String, nullable=False),
        sa.Column("family", sa.String, nullable=False),
        sa.Column("opened_at", sa.Float, nullable=False),
        sa.Column("changed_at", sa.Float, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("log_wanted", sa.Integer, nullable=False),
        sa.Column("log", sa.Text),
    )
    op.create_index("incidents_by_state", "incidents", ["state", "opened_at"])
    op.create_index("incidents_by_family", "incidents", ["family", "opened_at"])
    op.create_table(
        "retries",
        sa.Column("incident_id", sa.String, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("due_at", sa.Float),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )
    op.create_index("retries_due", "retries", ["state", "due_at"])
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("channel", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("due_at", sa.Float, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("claimed_by", sa.String),
        sa.Column("claimed_until", sa.Float),
        sa.Column("last_error", sa.Text),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )
    op.create_index("outbox_by_state", "outbox", ["state", "channel", "id"])
    op.create_table(
        "cursors",
        sa.Column("source", sa.String, primary_key=True),
        sa.Column("feed", sa.String, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("newest", sa.Integer, nullable=False),
        sa.Column("polled_at", sa.Float, nullable=False),
        sa.Column("gap_at", sa.Float),
    )
