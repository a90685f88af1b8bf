"""Tells further people of what stays open and nobody takes: a step for each `[[escalate]]`, each once while it lasts."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Connection

from hinoban.aws.event_patterns import compile_pattern
from hinoban.watch.config import Escalation
from hinoban.watch.group_row import Escalated
from hinoban.watch.history.ledger import Ledger
from hinoban.watch.model import Incident
from hinoban.watch.notify.routes import view_of

Step = tuple[Callable[[Any], bool], Escalation]


def compiled(escalations: Sequence[Escalation]) -> list[Step]:
    """The steps with their patterns compiled, the earliest first; BadPattern names what is wrong in one."""
    steps = [(compile_pattern(one.match, f"escalate[{index}].match"), one) for index, one in enumerate(escalations)]
    return sorted(steps, key=lambda step: step[1].after)


def steps_left(incident: Incident, steps: Sequence[Step]) -> list[tuple[float, Escalation]]:
    """When which step is due of an incident that people were told of and nobody has. Pure."""
    if incident.level is None or incident.level_since is None:
        return []
    taken = {one.key for one in incident.escalated}
    left = [step for step in steps if step[1].key not in taken and incident.level in step[1].levels]
    if not left:
        return []
    view = view_of(incident, "escalated", incident.level)
    return [(incident.level_since + one.after, one) for matches, one in left if matches(view)]


class Escalator:
    """`transaction` is the one that the ledger's other writes go through. Without `[[escalate]]` it does nothing."""

    def __init__(
        self, transaction: Callable[[], AbstractContextManager[Connection]], ledger: Ledger, escalations: Sequence[Escalation]
    ) -> None:
        self._transaction = transaction
        self._ledger = ledger
        self._steps = compiled(escalations)

    async def step(self, now: float) -> float | None:
        """Take every step that is due; when the next one is. What a mute hides is taken when that ends."""
        if not self._steps:
            return None
        following: list[float] = []
        with self._transaction() as connection:
            for incident in self._ledger.alerted(connection):
                left = steps_left(incident, self._steps)
                following += [at for at, _ in left if at > now]
                for at, one in left:
                    if at <= now:
                        known = self._ledger.incident(connection, incident.id) or incident
                        hidden_until = self._ledger.escalate(connection, known, Escalated(one.key, one.after), one.channels, now)
                        following += [] if hidden_until is None else [hidden_until]
        return min(following, default=None)
