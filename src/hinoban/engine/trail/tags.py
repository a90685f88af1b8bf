"""Tags of trails: AddTags, RemoveTags, ListTags."""

from typing import Any

from msgspec import structs

from hinoban.aws import arns
from hinoban.aws.call import Call, Handler, Params, Result
from hinoban.aws.errors import AwsError
from hinoban.engine.trail import errors
from hinoban.engine.trail.model import TrailConfig
from hinoban.engine.trail.names import find, find_to_change
from hinoban.engine.trail.state import TrailState


class Tags:
    def __init__(self, state: TrailState) -> None:
        self._state = state

    def operations(self) -> dict[str, Handler]:
        return {"AddTags": self.add_tags, "RemoveTags": self.remove_tags, "ListTags": self.list_tags}

    def add_tags(self, call: Call, params: Params) -> Result:
        """A tag whose key is there gets the new value."""
        trail = find_to_change(self._state, call, _arn(params["ResourceId"]))
        self._state.put(structs.replace(trail, tags=tags_of(trail.tags, params["TagsList"])))
        return {}

    def remove_tags(self, call: Call, params: Params) -> Result:
        """Keys that the trail does not have are no error."""
        trail = find_to_change(self._state, call, _arn(params["ResourceId"]))
        gone = {tag["Key"] for tag in params["TagsList"]}
        self._state.put(structs.replace(trail, tags={key: value for key, value in trail.tags.items() if key not in gone}))
        return {}

    def list_tags(self, call: Call, params: Params) -> Result:
        found = [self._tagged(call, arn) for arn in params["ResourceIdList"]]
        return {"ResourceTagList": [{"ResourceId": trail.arn, "TagsList": _told(trail)} for trail in found]}

    def _tagged(self, call: Call, arn: str) -> TrailConfig:
        try:
            return find(self._state, call, _arn(arn))
        except AwsError as error:
            raise errors.no_resource(arn) if error.code == "TrailNotFoundException" else error from None


def tags_of(before: dict[str, str], added: list[dict[str, Any]]) -> dict[str, str]:
    """The tags with those of a request; AwsError for a key that comes twice in it, or more than 50 tags."""
    keys = [tag["Key"] for tag in added]
    if len(set(keys)) < len(keys):
        raise errors.bad_tag("The tag keys of one request must differ.")
    if any(key.lower().startswith("aws:") for key in keys):
        raise errors.bad_tag("Tag keys cannot begin with aws:.")
    found = before | {tag["Key"]: tag.get("Value", "") for tag in added}
    if len(found) > errors.MOST_TAGS:
        raise errors.too_many_tags()
    return found


def _told(trail: TrailConfig) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in trail.tags.items()]


def _arn(given: str) -> str:
    if not arns.is_arn(given):
        raise errors.not_trail_arn(given)
    return given
