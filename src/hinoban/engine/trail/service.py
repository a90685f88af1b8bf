"""The API "cloudtrail" as a whole."""

from hinoban.aws.call import Handler
from hinoban.engine.trail.api import Trails
from hinoban.engine.trail.lookup import Lookup
from hinoban.engine.trail.selectors import Selectors
from hinoban.engine.trail.state import TrailState
from hinoban.engine.trail.tags import Tags


class CloudTrail:
    """Trails, their selectors and tags, and LookupEvents."""

    def __init__(self, state: TrailState, lookup: Lookup) -> None:
        self._state = state
        self._lookup = lookup

    def operations(self) -> dict[str, Handler]:
        """The API's operations by name."""
        return {
            **Trails(self._state).operations(),
            **Selectors(self._state).operations(),
            **Tags(self._state).operations(),
            **self._lookup.operations(),
        }
