"""TestEventPattern (facts/eventbridge.md §4.6): the pattern language answers for itself; nothing is kept."""

import msgspec

from hinoban.aws.call import Call, Handler, Params, Result
from hinoban.aws.errors import AwsError
from hinoban.aws.event_patterns import NumberText, compile_text

# The documentation lists `resources`, too; AWS takes events without it.
_MANDATORY = frozenset({"id", "account", "source", "time", "region", "detail-type"})
_decode = msgspec.json.Decoder(float_hook=NumberText).decode


class EventPatterns:
    """The operation on patterns that belong to no rule."""

    def operations(self) -> dict[str, Handler]:
        return {"TestEventPattern": self.test}

    def test(self, call: Call, params: Params) -> Result:
        """Which of two bad parameters AWS tells first is UNCONFIRMED; here it is the event."""
        try:
            event = _decode(params["Event"])
        except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
            event = None
        if not isinstance(event, dict) or not event.keys() >= _MANDATORY:
            raise AwsError("ValidationException", "Parameter Event is not valid.")
        return {"Result": compile_text(params["EventPattern"])(event)}
