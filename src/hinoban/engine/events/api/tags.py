"""TagResource, UntagResource, ListTagsForResource: of rules and buses (facts/eventbridge.md §5)."""

import msgspec

from hinoban.aws.call import Call, Handler, Params, Result
from hinoban.engine.events.api.names import find_tagged
from hinoban.engine.events.model import Bus, Rule
from hinoban.engine.events.state import EventsState


def tags_of(params: Params) -> dict[str, str]:
    """The tags that a call was given; of two with one key the last holds."""
    return {tag["Key"]: tag["Value"] for tag in params.get("Tags", ())}


class TagOperations:
    """The operations on tags."""

    def __init__(self, state: EventsState) -> None:
        self._state = state

    def operations(self) -> dict[str, Handler]:
        return {"TagResource": self.tag, "UntagResource": self.untag, "ListTagsForResource": self.list}

    def tag(self, call: Call, params: Params) -> Result:
        found = find_tagged(self._state, call.region, params["ResourceARN"])
        self._put(found, found.tags | tags_of(params))
        return {}

    def untag(self, call: Call, params: Params) -> Result:
        found = find_tagged(self._state, call.region, params["ResourceARN"])
        gone = set(params["TagKeys"])
        self._put(found, {key: value for key, value in found.tags.items() if key not in gone})
        return {}

    def list(self, call: Call, params: Params) -> Result:
        found = find_tagged(self._state, call.region, params["ResourceARN"])
        return {"Tags": [{"Key": key, "Value": value} for key, value in found.tags.items()]}

    def _put(self, found: Bus | Rule, tags: dict[str, str]) -> None:
        if isinstance(found, Bus):
            self._state.put_bus(msgspec.structs.replace(found, tags=tags))
        else:
            self._state.put_rule(msgspec.structs.replace(found, tags=tags))
