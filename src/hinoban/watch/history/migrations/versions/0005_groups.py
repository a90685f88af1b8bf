"""Which incident speaks for another one of its cause."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("incidents", sa.Column("lead", sa.String))
    there = sa.text("lead IS NOT NULL")
    op.create_index("incidents_by_lead", "incidents", ["lead"], sqlite_where=there, postgresql_where=there)
