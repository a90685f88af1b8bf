"""PutTargets, ListTargetsByRule, RemoveTargets (facts/eventbridge.md §6.1)."""

import msgspec

from hinoban.aws.call import Call, Handler, Params, Result
from hinoban.engine.events import errors
from hinoban.engine.events.api.names import find_rule, read_rule
from hinoban.engine.events.api.target_checks import check_parameters, check_target
from hinoban.engine.events.pages import page
from hinoban.engine.events.state import EventsState

MOST_TARGETS = 5
_NOTHING_FAILED: Result = {"FailedEntryCount": 0, "FailedEntries": []}


class TargetOperations:
    """The operations on a rule's targets."""

    def __init__(self, state: EventsState) -> None:
        self._state = state

    def operations(self) -> dict[str, Handler]:
        return {"PutTargets": self.put, "ListTargetsByRule": self.list, "RemoveTargets": self.remove}

    def put(self, call: Call, params: Params) -> Result:
        """Add targets, or replace those of the same Id; of two with one Id in a call the last holds (UNCONFIRMED).

        A call with a target that is refused changes nothing. What is missing of a target is told
        before a missing rule, what is wrong with it after that (moto's tests; UNCONFIRMED)."""
        arns = check_parameters(params["Targets"])
        rule = find_rule(self._state, call.region, params.get("EventBusName"), params["Rule"])
        for target, arn in zip(params["Targets"], arns, strict=True):
            check_target(target, arn, region=call.region, account=call.account)
        targets = rule.targets | {target["Id"]: target for target in params["Targets"]}
        if len(targets) > MOST_TARGETS:
            raise errors.limit_exceeded()
        self._state.put_rule(msgspec.structs.replace(rule, targets=targets))
        return dict(_NOTHING_FAILED)

    def list(self, call: Call, params: Params) -> Result:
        """By Id: the order on AWS is not told."""
        rule = read_rule(self._state, call.region, params.get("EventBusName"), params["Rule"])
        ids, more = page(rule.targets, params)
        return {"Targets": [rule.targets[target_id] for target_id in ids], **more}

    def remove(self, call: Call, params: Params) -> Result:
        """What is not there is removed already (UNCONFIRMED)."""
        rule = find_rule(self._state, call.region, params.get("EventBusName"), params["Rule"])
        gone = set(params["Ids"])
        left = {target_id: target for target_id, target in rule.targets.items() if target_id not in gone}
        if len(left) < len(rule.targets):
            self._state.put_rule(msgspec.structs.replace(rule, targets=left))
        return dict(_NOTHING_FAILED)
