"""PutEvents (facts/eventbridge.md §3): each entry becomes an event on its bus or an error in its place."""

from typing import Any

from hinoban.aws.call import Call, Handler, Params, Result
from hinoban.base.ids import Ids
from hinoban.base.units import FIRST_MOMENT, LAST_MOMENT, iso_seconds
from hinoban.engine.events import errors
from hinoban.engine.events.api.names import bus_name
from hinoban.engine.events.api.objects import json_object
from hinoban.engine.events.router import Router

LARGEST = 256 * 1024
"""Bytes of all entries of a call. That AWS takes 1 MiB by now is UNCONFIRMED."""

_TIME = 14  # bytes that a Time counts for
_OURS = "aws."


class EventOperations:
    """The operation that brings events in."""

    def __init__(self, router: Router, ids: Ids) -> None:
        self._router = router
        self._ids = ids

    def operations(self) -> dict[str, Handler]:
        return {"PutEvents": self.put}

    def put(self, call: Call, params: Params) -> Result:
        """Differs from AWS: an EndpointId is not looked at, there are no global endpoints here; and digits beyond a double's are lost."""
        entries = params["Entries"]
        if sum(map(_size, entries)) > LARGEST:
            raise errors.invalid("Total size of the entries in the request is over the limit.")
        answers = [self._take(call, entry) for entry in entries]
        return {"FailedEntryCount": sum("ErrorCode" in answer for answer in answers), "Entries": answers}

    def _take(self, call: Call, entry: Params) -> Result:
        for name in ("Source", "DetailType", "Detail"):
            if not entry.get(name):
                return _error("InvalidArgument", f"Parameter {name} is not valid. Reason: {name} is a required argument.")
        if entry["Source"].startswith(_OURS):
            return _error("NotAuthorizedForSourceException", "Not authorized for the source.")
        if (detail := json_object(entry["Detail"])) is None:
            return _error("MalformedDetail", "Detail is malformed.")
        if (time := _time(entry.get("Time", call.now))) is None:
            return _error("InvalidArgument", "Parameter Time is not valid.")  # UNCONFIRMED: the text
        event_id = self._ids.uuid()
        bus, here = bus_name(entry.get("EventBusName"), call.region, call.account)
        if here:
            # A bus that is missing has no rules: the event is taken and goes nowhere (§3).
            self._router.publish(call.region, bus, _event(call, entry, time, detail, event_id))
        return {"EventId": event_id}


def _event(call: Call, entry: Params, time: str, detail: dict[str, Any], event_id: str) -> Params:
    return {
        "version": "0",
        "id": event_id,
        "detail-type": entry["DetailType"],
        "source": entry["Source"],
        "account": call.account,
        "time": time,
        "region": call.region,
        "resources": entry.get("Resources", []),
        "detail": detail,
    }


def _time(moment: float) -> str | None:
    """The moment as an envelope spells it; None where no calendar has it."""
    return iso_seconds(moment) if FIRST_MOMENT <= moment <= LAST_MOMENT else None


def _size(entry: Params) -> int:
    texts = (entry.get("Source", ""), entry.get("DetailType", ""), entry.get("Detail", ""), *entry.get("Resources", ()))
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts) + (_TIME if "Time" in entry else 0)


def _error(code: str, message: str) -> Result:
    return {"ErrorCode": code, "ErrorMessage": message}
