"""The states of a task (facts/ecs.md §1.1), as a table.

A task goes forward only. `lastStatus` follows `desiredStatus`; DEACTIVATING belongs to tasks behind a load balancer, which no
standalone task is. A task that fails to start leaves PROVISIONING or PENDING by `stop` like any other that is to end.
"""

from typing import Literal

State = Literal["PROVISIONING", "PENDING", "RUNNING", "STOPPING", "DEPROVISIONING", "STOPPED"]
Event = Literal["attached", "started", "stop", "ended", "detached"]

TABLE: dict[State, dict[Event, State]] = {
    "PROVISIONING": {"attached": "PENDING", "stop": "STOPPING", "ended": "DEPROVISIONING"},
    "PENDING": {"started": "RUNNING", "stop": "STOPPING", "ended": "DEPROVISIONING"},
    "RUNNING": {"stop": "STOPPING", "ended": "DEPROVISIONING"},
    "STOPPING": {"ended": "DEPROVISIONING"},
    "DEPROVISIONING": {"detached": "STOPPED"},
    "STOPPED": {},
}


class IllegalTransition(Exception):
    """The table has no such way; the state stays as it was."""

    def __init__(self, state: str, event: str) -> None:
        super().__init__(f"task: {event!r} cannot happen in {state}")
        self.state = state
        self.event = event


def follow(state: str, event: Event) -> State:
    """The state that `event` leads to; IllegalTransition where the table has none."""
    for known, ways in TABLE.items():
        if known == state and event in ways:
            return ways[event]
    raise IllegalTransition(state, event)
