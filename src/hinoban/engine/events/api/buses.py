"""CreateEventBus, DescribeEventBus, UpdateEventBus, DeleteEventBus, ListEventBuses (facts/eventbridge.md §5)."""

import msgspec

from hinoban.aws.call import Call, Handler, Params, Result
from hinoban.aws.errors import AwsError
from hinoban.engine.events import errors
from hinoban.engine.events.api.names import find_bus
from hinoban.engine.events.api.tags import tags_of
from hinoban.engine.events.model import DEFAULT_BUS, Bus, bus_arn
from hinoban.engine.events.pages import page
from hinoban.engine.events.state import EventsState

MOST_BUSES = 100
_SETTINGS = ("Description", "KmsKeyIdentifier", "DeadLetterConfig", "LogConfig")


class BusOperations:
    """The operations on event buses.

    Differs from AWS: a bus's LogConfig, DeadLetterConfig and KmsKeyIdentifier are kept and shown, and change nothing."""

    def __init__(self, state: EventsState) -> None:
        self._state = state

    def operations(self) -> dict[str, Handler]:
        return {
            "CreateEventBus": self.create,
            "DescribeEventBus": self.describe,
            "UpdateEventBus": self.update,
            "DeleteEventBus": self.delete,
            "ListEventBuses": self.list,
        }

    def create(self, call: Call, params: Params) -> Result:
        name = params["Name"]
        if "EventSourceName" in params:
            # Differs from AWS: no partner has an event source here.
            raise AwsError("ResourceNotFoundException", f"Event source {params['EventSourceName']} does not exist.")
        if "/" in name:
            raise errors.invalid("Event bus name must not contain '/'.")  # UNCONFIRMED: the text
        if self._state.bus(call.region, name) is not None:
            raise errors.bus_exists(name)
        if len(self._state.buses(call.region)) >= MOST_BUSES:
            raise errors.limit_exceeded()
        bus = Bus(
            region=call.region,
            name=name,
            arn=bus_arn(call.region, self._state.account, name),
            settings=_settings(params),
            tags=tags_of(params),
            created_at=call.now,
            modified_at=call.now,
        )
        self._state.put_bus(bus)
        return {"EventBusArn": bus.arn, **bus.settings}

    def describe(self, call: Call, params: Params) -> Result:
        bus = find_bus(self._state, call.region, params.get("Name"))
        return _summary(bus) | bus.settings

    def update(self, call: Call, params: Params) -> Result:
        """Change the settings that are given; those that are not stay (UNCONFIRMED)."""
        bus = find_bus(self._state, call.region, params.get("Name"))
        bus = msgspec.structs.replace(bus, settings=bus.settings | _settings(params), modified_at=call.now)
        self._state.put_bus(bus)
        return {"Arn": bus.arn, "Name": bus.name, **bus.settings}

    def delete(self, call: Call, params: Params) -> Result:
        """A bus that is not there is deleted already."""
        name = params["Name"]
        if name == DEFAULT_BUS:
            raise errors.invalid("Cannot delete event bus default.")
        if self._state.rules_of(call.region, name):
            raise errors.invalid("EventBus can't be deleted since it has rules.")  # terraform-provider-aws#22131
        self._state.delete_bus(call.region, name)
        return {}

    def list(self, call: Call, params: Params) -> Result:
        buses = {bus.name: bus for bus in self._state.buses(call.region)}
        names, more = page(buses, params)
        return {"EventBuses": [_summary(buses[name]) for name in names], **more}


def _settings(params: Params) -> Params:
    return {name: params[name] for name in _SETTINGS if name in params}


def _summary(bus: Bus) -> Result:
    found: Result = {"Name": bus.name, "Arn": bus.arn}
    if "Description" in bus.settings:
        found["Description"] = bus.settings["Description"]
    if bus.policy is not None:
        found["Policy"] = msgspec.json.encode(bus.policy).decode()
    return found | {"CreationTime": bus.created_at, "LastModifiedTime": bus.modified_at}
