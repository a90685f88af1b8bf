"""What an incident's definition differs in from that of the last good run."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("incidents", sa.Column("changed", sa.Text))
