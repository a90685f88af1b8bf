"""The operations of EventBridge (service `events`)."""

from collections.abc import Callable

from hinoban.aws.call import Handler
from hinoban.base.ids import Ids
from hinoban.engine.events.api.archives import ArchiveOperations
from hinoban.engine.events.api.buses import BusOperations
from hinoban.engine.events.api.permissions import PermissionOperations
from hinoban.engine.events.api.put_events import EventOperations
from hinoban.engine.events.api.replays import ReplayOperations
from hinoban.engine.events.api.rules import RuleOperations
from hinoban.engine.events.api.tags import TagOperations
from hinoban.engine.events.api.targets import TargetOperations
from hinoban.engine.events.api.test_pattern import EventPatterns
from hinoban.engine.events.router import Router
from hinoban.engine.events.state import EventsState

__all__ = ["Api", "EventPatterns"]


class Api:
    """What is answered from `state`; `wake` wakes the loop of the Replayer."""

    def __init__(self, state: EventsState, router: Router, ids: Ids, wake: Callable[[], None]) -> None:
        self._rooms = (
            BusOperations(state),
            RuleOperations(state),
            TargetOperations(state),
            EventOperations(router, ids),
            TagOperations(state),
            PermissionOperations(state),
            ArchiveOperations(state),
            ReplayOperations(state, wake),
            EventPatterns(),
        )

    def operations(self) -> dict[str, Handler]:
        return {name: handler for room in self._rooms for name, handler in room.operations().items()}
