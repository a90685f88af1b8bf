"""CreateLogGroup, DescribeLogGroups, DeleteLogGroup (facts/logs.md §1)."""

from collections.abc import Callable, Iterable, Iterator

from hinoban.aws import arns
from hinoban.aws.call import Call, Handler, Params, Result
from hinoban.aws.errors import AwsError
from hinoban.engine.logs import errors
from hinoban.engine.logs.state import Group, State
from hinoban.engine.logs.tokens import name_token, parse_after

PAGE = 50


class GroupOperations:
    """The operations on log groups."""

    def __init__(self, state: State, account: str, on_deleted: Callable[[str, str], None]) -> None:
        self._state = state
        self._account = account
        self._on_deleted = on_deleted

    def operations(self) -> dict[str, Handler]:
        return {
            "CreateLogGroup": self.create_log_group,
            "DescribeLogGroups": self.describe_log_groups,
            "DeleteLogGroup": self.delete_log_group,
        }

    def create_log_group(self, call: Call, params: Params) -> Result:
        name = params["logGroupName"]
        if name.lower().startswith("aws/"):
            raise errors.invalid("Log groups starting with AWS/ are reserved for AWS.")
        if name in self._state.groups(call.region):
            raise errors.group_exists()
        group = Group(
            created=round(call.now * 1000),
            log_class=params.get("logGroupClass", "STANDARD"),
            kms_key_id=params.get("kmsKeyId"),
            deletion_protection=params.get("deletionProtectionEnabled", False),
            tags=params.get("tags", {}),
        )
        self._state.create_group(call.region, name, group)
        return {}

    def delete_log_group(self, call: Call, params: Params) -> Result:
        name = params["logGroupName"]
        group = self._state.groups(call.region).get(name)
        if group is None:
            raise errors.no_such_group()
        if group.deletion_protection:
            raise AwsError("ValidationException", "Cannot delete the log group while deletion protection is enabled.")
        self._state.delete_group(call.region, name)
        self._on_deleted(call.region, name)
        return {}

    def describe_log_groups(self, call: Call, params: Params) -> Result:
        """Groups by name. `logGroupNamePattern` is a part of the name in any case; it excludes the prefix."""
        if "logGroupNamePrefix" in params and "logGroupNamePattern" in params:
            raise errors.invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
        after = parse_after(params)
        limit = params.get("limit", PAGE)
        found = [name for name in self._matching(call.region, params) if after is None or name > after]
        page = found[:limit]
        result: Result = {"logGroups": [self._described(call.region, name) for name in page]}
        if len(found) > limit:
            result["nextToken"] = name_token(page[-1])
        return result

    def _matching(self, region: str, params: Params) -> Iterator[str]:
        groups = self._state.groups(region)
        prefix = params.get("logGroupNamePrefix", "")
        part = params.get("logGroupNamePattern", "").lower()
        wanted_class = params.get("logGroupClass")
        identifiers = _names(params["logGroupIdentifiers"]) if "logGroupIdentifiers" in params else None
        for name in sorted(groups):
            if (
                name.startswith(prefix)
                and part in name.lower()
                and (wanted_class is None or groups[name].log_class == wanted_class)
                and (identifiers is None or name in identifiers)
            ):
                yield name

    def _described(self, region: str, name: str) -> Result:
        group = self._state.groups(region)[name]
        arn = arns.log_group_arn(region, self._account, name)
        item: Result = {
            "logGroupName": name,
            "creationTime": group.created,
            "metricFilterCount": 0,
            "arn": f"{arn}:*",
            "storedBytes": self._state.stored_bytes(region, name),
            "logGroupClass": group.log_class,
            "logGroupArn": arn,
            "deletionProtectionEnabled": group.deletion_protection,
        }
        if group.kms_key_id is not None:
            item["kmsKeyId"] = group.kms_key_id
        return item


def group_of(params: Params) -> str:
    """The group's name from `logGroupName` or `logGroupIdentifier` (a name, or an ARN without `:*`): exactly one (facts/logs.md §3)."""
    name, identifier = params.get("logGroupName"), params.get("logGroupIdentifier")
    if name is not None and identifier is not None:
        raise errors.invalid("LogGroup name and LogGroup identifier are mutually exclusive parameters.")
    if name is not None:
        return str(name)
    if identifier is None:
        raise errors.invalid("Either logGroupName or logGroupIdentifier must be specified.")
    return _name(identifier)


def _names(identifiers: Iterable[str]) -> set[str]:
    return {_name(identifier) for identifier in identifiers}


def _name(identifier: str) -> str:
    if not arns.is_arn(identifier):
        return identifier
    try:
        kind, _, name = arns.parse(identifier).resource.partition(":")
    except ValueError:
        kind, name = "", ""
    if kind != "log-group" or not name or ":" in name:
        raise errors.invalid("The log group identifier must be a log group name, or its ARN without a trailing :*.")
    return name
