"""The tags of open tasks that no event tells, kept over restarts: rows beside the detectors' memories, as they live no longer than these."""

import msgspec
from sqlalchemy import Connection, delete, insert, select

from hinoban.watch.history.schema import memories
from hinoban.watch.task_tags import TaskTags

_NAME = "tags"
_decode = msgspec.json.Decoder(TaskTags).decode


def read_all(connection: Connection) -> dict[str, TaskTags]:
    """By the task's ARN."""
    rows = connection.execute(select(memories.c.key, memories.c.value).where(memories.c.name == _NAME))
    return {arn: _decode(value) for arn, value in rows}


def write(connection: Connection, task_arn: str, tags: TaskTags) -> None:
    """Keep a task's tags in place of what was known of them."""
    forget(connection, task_arn)
    connection.execute(insert(memories).values(name=_NAME, key=task_arn, due_at=None, value=msgspec.json.encode(tags)))


def forget(connection: Connection, task_arn: str) -> None:
    """The task has ended."""
    connection.execute(delete(memories).where(memories.c.name == _NAME, memories.c.key == task_arn))
