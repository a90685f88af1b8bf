"""What retry/ asks of the pipeline above it: transactions, the ledger, and the decisions that belong to incidents."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from sqlalchemy import Connection

from hinoban.watch.deadlines import Deadlines
from hinoban.watch.history.ledger import Ledger
from hinoban.watch.model import Incident, TaskChange
from hinoban.watch.retry.recent import Recent
from hinoban.watch.terms import Terms


class Limits(Protocol):
    """What is known of the time that tasks have."""

    def terms(self, change: TaskChange) -> Terms:
        """Until when a task may run, by all that is known of it now."""
        ...

    def not_stopped(self, connection: Connection, change: TaskChange, known: Incident, words: str, now: float) -> None:
        """Say once why a task was not stopped, and no longer that it will be."""
        ...


class Desk(Protocol):
    """The pipeline, as its runners see it."""

    ledger: Ledger
    launches: Recent

    @property
    def limits(self) -> Limits:
        """How long tasks may run."""
        ...

    @property
    def deadlines(self) -> Deadlines:
        """When something is due of open tasks."""
        ...

    def transaction(self) -> AbstractContextManager[Connection]:
        """One transaction; where it fails, memory is read anew from the rows."""
        ...

    def after_refusal(
        self, connection: Connection, incident_id: str, number: int, missing: int, retryable: bool, now: float, *, off_spot: bool = False
    ) -> None:
        """Plan the attempt after one that did not bring its tasks, or give up and say so."""
        ...

    def stood_down(self, connection: Connection, incident_id: str, task_arn: str, why: str, now: float) -> None:
        """Somebody else's run stands for ours: the end of the incident, if it ended well already; else `why` no more is tried is told."""
        ...

    def note(self, connection: Connection, incident: Incident, now: float) -> None:
        """Write an incident that nobody needs to hear of."""
        ...

    def tags(self, change: TaskChange) -> Mapping[str, str]:
        """A task's tags, as far as they are known."""
        ...
