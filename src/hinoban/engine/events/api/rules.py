"""PutRule, DescribeRule, ListRules, EnableRule, DisableRule, DeleteRule, ListRuleNamesByTarget (facts/eventbridge.md §5)."""

import msgspec

from hinoban.aws import schedules
from hinoban.aws.call import Call, Handler, Params, Result
from hinoban.aws.event_patterns import compile_text
from hinoban.engine.events import errors
from hinoban.engine.events.api.managed import managed_rules
from hinoban.engine.events.api.names import find_bus, find_rule, read_rule
from hinoban.engine.events.api.tags import tags_of
from hinoban.engine.events.model import DEFAULT_BUS, Rule, RuleState, rule_arn
from hinoban.engine.events.pages import page
from hinoban.engine.events.state import EventsState

MOST_RULES = 300
"""On one bus, in most regions."""


class RuleOperations:
    """The operations on rules."""

    def __init__(self, state: EventsState) -> None:
        self._state = state

    def operations(self) -> dict[str, Handler]:
        return {
            "PutRule": self.put,
            "DescribeRule": self.describe,
            "ListRules": self.list,
            "EnableRule": self.enable,
            "DisableRule": self.disable,
            "DeleteRule": self.delete,
            "ListRuleNamesByTarget": self.list_names_by_target,
        }

    def put(self, call: Call, params: Params) -> Result:
        """Make a rule, or replace one: what is not given is gone, but for its targets and its tags.

        An empty pattern or expression counts as not given (UNCONFIRMED)."""
        bus = find_bus(self._state, call.region, params.get("EventBusName"))
        _check(bus.name, params)
        self._refuse_managed(call.region, bus.name, params["Name"])
        before = self._state.rules.get((call.region, bus.name, params["Name"]))
        if before is None and len(self._state.rules_of(call.region, bus.name)) >= MOST_RULES:
            raise errors.limit_exceeded()
        rule = Rule(
            region=call.region,
            bus=bus.name,
            name=params["Name"],
            arn=rule_arn(call.region, self._state.account, bus.name, params["Name"]),
            pattern=params.get("EventPattern") or None,
            schedule=params.get("ScheduleExpression") or None,
            state=params.get("State", "ENABLED"),
            description=params.get("Description"),
            role_arn=params.get("RoleArn"),
            tags=tags_of(params) if before is None else before.tags,
            created_at=call.now if before is None else before.created_at,
            created_by=call.account if before is None else before.created_by,
            targets={} if before is None else before.targets,
        )
        self._state.put_rule(rule)
        return {"RuleArn": rule.arn}

    def describe(self, call: Call, params: Params) -> Result:
        rule = read_rule(self._state, call.region, params.get("EventBusName"), params["Name"])
        return _view(rule) | {"CreatedBy": rule.created_by}

    def list(self, call: Call, params: Params) -> Result:
        bus = find_bus(self._state, call.region, params.get("EventBusName"))
        rules = {**self._state.rules_of(call.region, bus.name), **managed_rules(self._state, call.region, bus.name)}
        names, more = page(rules, params)
        return {"Rules": [_view(rules[name]) for name in names], **more}

    def enable(self, call: Call, params: Params) -> Result:
        rule = find_rule(self._state, call.region, params.get("EventBusName"), params["Name"])
        return self._turn(rule, "ENABLED") if not rule.enabled else {}

    def disable(self, call: Call, params: Params) -> Result:
        return self._turn(find_rule(self._state, call.region, params.get("EventBusName"), params["Name"]), "DISABLED")

    def _turn(self, rule: Rule, state: RuleState) -> Result:
        if rule.state != state:
            self._state.put_rule(msgspec.structs.replace(rule, state=state))
        return {}

    def delete(self, call: Call, params: Params) -> Result:
        """A rule that is not there is deleted already.

        Differs from AWS: `Force` does not delete a managed rule; it goes with its archive."""
        bus = find_bus(self._state, call.region, params.get("EventBusName"))
        self._refuse_managed(call.region, bus.name, params["Name"])
        rule = self._state.rules.get((call.region, bus.name, params["Name"]))
        if rule is not None:
            if rule.targets:
                raise errors.invalid("Rule can't be deleted since it has targets.")
            self._state.delete_rule(rule)
        return {}

    def list_names_by_target(self, call: Call, params: Params) -> Result:
        bus = find_bus(self._state, call.region, params.get("EventBusName"))
        names, more = page(self._state.names_by_target(call.region, bus.name, params["TargetArn"]), params)
        return {"RuleNames": names, **more}

    def _refuse_managed(self, region: str, bus: str, name: str) -> None:
        if (found := managed_rules(self._state, region, bus).get(name)) is not None and found.managed_by is not None:
            raise errors.managed_rule(name, found.managed_by)


def _check(bus: str, params: Params) -> None:
    """Which of two bad parameters AWS tells first is UNCONFIRMED.

    Differs from AWS: a pattern may have all the 4096 characters of the API's model; the quota there is 2048 until it is raised (§4.5)."""
    pattern, schedule = params.get("EventPattern"), params.get("ScheduleExpression")
    if not pattern and not schedule:
        raise errors.invalid("Parameter(s) EventPattern or ScheduleExpression must be specified.")
    if schedule:
        if bus != DEFAULT_BUS:
            raise errors.invalid("ScheduleExpression is supported only on the default event bus.")
        try:
            schedules.parse(schedule, dialect="rule")
        except schedules.BadExpression:
            raise errors.invalid("Parameter ScheduleExpression is not valid.") from None
    if pattern:
        compile_text(pattern)


def _view(rule: Rule) -> Result:
    """A rule as it is listed: what it has not is left out."""
    found: Result = {"Name": rule.name, "Arn": rule.arn}
    for member, value in (
        ("EventPattern", rule.pattern),
        ("State", rule.state),
        ("Description", rule.description),
        ("ScheduleExpression", rule.schedule),
        ("RoleArn", rule.role_arn),
        ("ManagedBy", rule.managed_by),
        ("EventBusName", rule.bus),
    ):
        if value is not None:
            found[member] = value
    return found
