"""The Scheduler's operations on schedule groups and on their tags (facts/eventbridge.md §8)."""

from msgspec import structs

from hinoban.aws import arns
from hinoban.aws.call import Call, Handler, Params, Result
from hinoban.engine.schedules import errors
from hinoban.engine.schedules.model import DEFAULT_GROUP, Group
from hinoban.engine.schedules.paging import size_of, start_of, token_of
from hinoban.engine.schedules.state import SchedulerState, group_arn

# Per Region; UNCONFIRMED (facts/eventbridge.md §8.3).
_MOST_GROUPS = 500


class Groups:
    """CreateScheduleGroup, GetScheduleGroup, DeleteScheduleGroup, ListScheduleGroups, TagResource, UntagResource, ListTagsForResource."""

    def __init__(self, state: SchedulerState) -> None:
        self._state = state

    def operations(self) -> dict[str, Handler]:
        return {
            "CreateScheduleGroup": self.create,
            "GetScheduleGroup": self.get,
            "DeleteScheduleGroup": self.delete,
            "ListScheduleGroups": self.list,
            "TagResource": self.tag,
            "UntagResource": self.untag,
            "ListTagsForResource": self.list_tags,
        }

    def create(self, call: Call, params: Params) -> Result:
        """Again with the same token and tags: the answer of the first time."""
        name, token = params["Name"], params.get("ClientToken")
        tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags", ())}
        found = self._state.group(call.region, name)
        if found is not None:
            if token is None or found.token != token or found.tags != tags:
                raise errors.group_exists(name)
            return {"ScheduleGroupArn": found.arn}
        if len(self._state.groups(call.region)) >= _MOST_GROUPS:
            raise errors.too_many("schedule groups", _MOST_GROUPS)
        arn = group_arn(call.region, self._state.account, name)
        group = Group(region=call.region, name=name, arn=arn, created_at=call.now, modified_at=call.now, tags=tags, token=token)
        self._state.put_group(group)
        return {"ScheduleGroupArn": arn}

    def get(self, call: Call, params: Params) -> Result:
        return _told(existing_group(self._state, call.region, params["Name"]))

    def delete(self, call: Call, params: Params) -> Result:
        """Differs from AWS: the group and its schedules are gone at once; there the group is DELETING for a while first."""
        name = params["Name"]
        if name == DEFAULT_GROUP:
            # The text is UNCONFIRMED.
            raise errors.invalid("The default schedule group cannot be deleted.")
        token = params.get("ClientToken")
        if self._state.group(call.region, name) is None and self._state.was_deleted(
            call.region, token, group_arn(call.region, self._state.account, name)
        ):
            return {}
        self._state.delete_group(existing_group(self._state, call.region, name), token)
        return {}

    def list(self, call: Call, params: Params) -> Result:
        prefix, after, size = params.get("NamePrefix", ""), start_of(params), size_of(params)
        found = [group for group in self._state.groups(call.region) if group.name.startswith(prefix) and ("", group.name) > after]
        page = found[:size]
        return {"ScheduleGroups": [_told(group) for group in page]} | token_of([("", group.name) for group in page], len(found) > size)

    def tag(self, call: Call, params: Params) -> Result:
        given = {tag["Key"]: tag["Value"] for tag in params["Tags"]}
        group = self._tagged(call, params)
        self._state.put_group(structs.replace(group, tags=group.tags | given, modified_at=call.now))
        return {}

    def untag(self, call: Call, params: Params) -> Result:
        group = self._tagged(call, params)
        left = {key: value for key, value in group.tags.items() if key not in params["TagKeys"]}
        self._state.put_group(structs.replace(group, tags=left, modified_at=call.now))
        return {}

    def list_tags(self, call: Call, params: Params) -> Result:
        return {"Tags": [{"Key": key, "Value": value} for key, value in self._tagged(call, params).tags.items()]}

    def _tagged(self, call: Call, params: Params) -> Group:
        """The group of a `schedule-group` ARN, the only kind that the model lets pass."""
        arn = arns.parse(params["ResourceArn"])
        name = arn.resource.partition("/")[2]
        if (arn.region, arn.account) != (call.region, self._state.account):
            raise errors.no_such_group(name)
        return existing_group(self._state, call.region, name)


def existing_group(state: SchedulerState, region: str, name: str) -> Group:
    """The group, or ResourceNotFoundException."""
    group = state.group(region, name)
    if group is None:
        raise errors.no_such_group(name)
    return group


def _told(group: Group) -> Result:
    return {
        "Arn": group.arn,
        "Name": group.name,
        "State": "ACTIVE",
        "CreationDate": group.created_at,
        "LastModificationDate": group.modified_at,
    }
