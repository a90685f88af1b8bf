"""PutPermission and RemovePermission: a bus's policy (facts/eventbridge.md §9).

It is kept and shown. Differs from AWS: it refuses nobody, because it speaks of other accounts and there is one only.
"""

from typing import Any

import msgspec

from hinoban.aws import arns
from hinoban.aws.call import Call, Handler, Params, Result
from hinoban.aws.errors import AwsError
from hinoban.engine.events import errors
from hinoban.engine.events.api.names import find_bus
from hinoban.engine.events.api.objects import json_object
from hinoban.engine.events.model import Bus
from hinoban.engine.events.state import EventsState

LONGEST_POLICY = 10_240
_NEEDED = ("Action", "Principal", "StatementId")


class PermissionOperations:
    """The operations on a bus's policy."""

    def __init__(self, state: EventsState) -> None:
        self._state = state

    def operations(self) -> dict[str, Handler]:
        return {"PutPermission": self.put, "RemovePermission": self.remove}

    def put(self, call: Call, params: Params) -> Result:
        """A whole `Policy` replaces what is there; a statement replaces the one of its id."""
        bus = find_bus(self._state, call.region, params.get("EventBusName"))
        policy = _document(params["Policy"]) if "Policy" in params else _with(bus, _statement(bus, params))
        if len(msgspec.json.encode(policy)) > LONGEST_POLICY:
            # UNCONFIRMED: the text.
            raise AwsError("PolicyLengthExceededException", f"The policy is longer than {LONGEST_POLICY} characters.")
        self._put(bus, policy, call.now)
        return {}

    def remove(self, call: Call, params: Params) -> Result:
        bus = find_bus(self._state, call.region, params.get("EventBusName"))
        if params.get("RemoveAllPermissions"):
            self._put(bus, None, call.now)
            return {}
        statements = _statements(bus)
        left = [one for one in statements if one.get("Sid") != params.get("StatementId")]
        if len(left) == len(statements):
            raise errors.no_such_statement()
        self._put(bus, {**(bus.policy or {}), "Statement": left} if left else None, call.now)
        return {}

    def _put(self, bus: Bus, policy: dict[str, Any] | None, now: float) -> None:
        self._state.put_bus(msgspec.structs.replace(bus, policy=policy, modified_at=now))


def _statement(bus: Bus, params: Params) -> dict[str, Any]:
    missing = [name for name in _NEEDED if name not in params]
    if missing:
        raise errors.invalid(f"Parameter(s) {', '.join(missing)} must be specified.")  # UNCONFIRMED: the text
    if params["Action"] != "events:PutEvents":
        raise errors.invalid("Provided value in parameter 'action' is not supported.")
    principal = params["Principal"]
    found: dict[str, Any] = {
        "Sid": params["StatementId"],
        "Effect": "Allow",
        "Principal": "*" if principal == "*" else {"AWS": f"arn:{arns.partition_of(bus.region)}:iam::{principal}:root"},
        "Action": params["Action"],
        "Resource": bus.arn,
    }
    if (condition := params.get("Condition")) is not None:
        found["Condition"] = {condition["Type"]: {condition["Key"]: condition["Value"]}}
    return found


def _with(bus: Bus, statement: dict[str, Any]) -> dict[str, Any]:
    others = [one for one in _statements(bus) if one.get("Sid") != statement["Sid"]]
    return {"Version": "2012-10-17", **(bus.policy or {}), "Statement": [*others, statement]}


def _statements(bus: Bus) -> list[dict[str, Any]]:
    found = (bus.policy or {}).get("Statement", [])
    return list(found) if isinstance(found, list) else [found]


def _document(text: str) -> dict[str, Any]:
    found = json_object(text)
    if found is None:
        raise errors.invalid("Parameter Policy is not valid.")  # UNCONFIRMED: the text
    return found
