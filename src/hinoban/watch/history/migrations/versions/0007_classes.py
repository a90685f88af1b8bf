"""Why a task went wrong, by the catalogue's name of the reason. Of those that ended before, their incidents tell it."""

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("tasks", sa.Column("class", sa.String))
    connection = op.get_bind()
    incidents = sa.table("incidents", sa.column("value", sa.LargeBinary))
    tasks = sa.table("tasks", *(sa.column(name) for name in ("id", "arn", "verdict", "class")))
    known = []
    for value in connection.execute(sa.select(incidents.c.value)).scalars():
        finding = msgspec.json.decode(value)["finding"]
        if arn := finding.get("task_arn"):
            told = {"of_arn": arn, "of_verdict": finding["verdict"], "to_class": finding["explanation"]["code"]}
            known.append({"of_id": arn.rpartition("/")[2], **told})
    same = [tasks.c[name] == sa.bindparam(f"of_{name}") for name in ("id", "arn", "verdict")]
    if known:
        connection.execute(sa.update(tasks).where(*same).values({"class": sa.bindparam("to_class")}), known)
