"""Which bus, rule or archive a call means: a bus by its name or its ARN, everything else within the call's region."""

from hinoban.aws import arns
from hinoban.engine.events import errors
from hinoban.engine.events.api.managed import managed_rules
from hinoban.engine.events.model import DEFAULT_BUS, Bus, Rule
from hinoban.engine.events.state import EventsState


def bus_name(text: str | None, region: str, account: str) -> tuple[str, bool]:
    """The name of the bus that a name or an ARN means (none: the default one), and whether it can be one of this account and region."""
    if text is None:
        return DEFAULT_BUS, True
    if not arns.is_arn(text):
        return text, True
    arn = arns.parse(text)
    return arn.resource.removeprefix("event-bus/"), (arn.region, arn.account) == (region, account)


def find_bus(state: EventsState, region: str, text: str | None) -> Bus:
    """The bus; AwsError where there is none."""
    name, here = bus_name(text, region, state.account)
    found = state.bus(region, name) if here else None
    if found is None:
        raise errors.no_such_bus(name)
    return found


def read_rule(state: EventsState, region: str, bus_text: str | None, name: str) -> Rule:
    """The rule, which may be a managed one; AwsError where it or its bus is missing."""
    bus = find_bus(state, region, bus_text)
    found = managed_rules(state, region, bus.name).get(name) or state.rules.get((region, bus.name, name))
    if found is None:
        raise errors.no_such_rule(name, bus.name)
    return found


def find_rule(state: EventsState, region: str, bus_text: str | None, name: str) -> Rule:
    """The rule, to be changed; AwsError also for a managed one."""
    found = read_rule(state, region, bus_text, name)
    if found.managed_by is not None:
        raise errors.managed_rule(name, found.managed_by)
    return found


def find_tagged(state: EventsState, region: str, arn: str) -> Bus | Rule:
    """The bus or rule of an ARN (`event-bus/NAME`, `rule/NAME`, `rule/BUS/NAME`); AwsError where there is none."""
    try:
        parts = arns.parse(arn)
    except ValueError:
        raise errors.bad_arn(arn) from None
    kind, _, path = parts.resource.partition("/")
    if (parts.service, parts.account) != ("events", state.account) or not path:
        raise errors.bad_arn(arn)
    if kind == "event-bus":
        return find_bus(state, region, arn)
    if kind != "rule":
        raise errors.bad_arn(arn)
    bus, _, name = path.rpartition("/")
    if parts.region != region:
        raise errors.no_such_rule(name, bus or DEFAULT_BUS)
    return find_rule(state, region, bus or None, name)
