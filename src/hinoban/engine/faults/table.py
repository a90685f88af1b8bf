"""The fault rules: which are in force, which one strikes now, and how often it still may. An event happens at once and stays no rule."""

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from hinoban.aws.event_patterns import BadPattern, Matcher, Names, compile_pattern, unknown_name
from hinoban.base.errors import HinobanError
from hinoban.base.ids import Ids
from hinoban.engine.faults.events import EventMaker, Happened, happened
from hinoban.store.database import Database, Table

MIGRATION = "CREATE TABLE faults (id TEXT PRIMARY KEY, value BLOB NOT NULL);"
FAULTS = Table("faults", "id")

Kind = Literal["capacity", "start_error"]

_DEFAULT_REASONS: dict[str, str] = {
    "capacity": "Capacity is unavailable at this time. Please try again later or in a different availability zone",
    "start_error": "ResourceInitializationError: put in by a fault of Hinoban",
}

_OF_A_TASK = ("region", "cluster", "family", "revision", "startedBy", "group")
_KNOWN: dict[str, Names] = {"capacity": dict.fromkeys(_OF_A_TASK), "start_error": dict.fromkeys((*_OF_A_TASK, "container", "image"))}
"""What a pattern may ask about, for each kind: a launch has no container yet."""


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule: `what` happens to whatever `match` (an event pattern) matches, `times` times (None: until it is cleared).

    The pattern is matched against `{"cluster", "family", "revision", "startedBy", "group", "region", "container", "image"}`,
    as far as they are known where the fault is asked for.
    """

    what: Kind
    match: dict[str, Any] = {}
    times: int | None = None
    reason: str | None = None
    id: str = ""
    struck: int = 0


class Listed(Fault, frozen=True, kw_only=True):
    """A rule as it is shown; `left` is how often it may still strike: 0 is spent, None without end."""

    left: int | None


def _listed(fault: Fault) -> Listed:
    left = None if fault.times is None else max(0, fault.times - fault.struck)
    return Listed(**msgspec.structs.asdict(fault), left=left)


class Faults:
    """The rules in force, kept over a restart."""

    def __init__(self, database: Database, ids: Ids, events: EventMaker, tell: Callable[[dict[str, Any]], None]) -> None:
        """`tell` is handed each event that is put in: the journal."""
        self._database = database
        self._ids = ids
        self._events = events
        self._tell = tell
        self._rules: dict[str, tuple[Fault, Matcher]] = {}
        for _, value in database.rows(FAULTS):
            fault = msgspec.json.decode(value, type=Fault)
            self._rules[fault.id] = (fault, compile_pattern(fault.match))

    def add(self, bodies: list[Any]) -> list[Listed | Happened]:
        """Put rules in force, and let events happen; a bad one is refused with all the others, HinobanError says why."""
        checked = [self._event(body, index) or self._checked(body, index) for index, body in enumerate(bodies)]
        return [happened(self._told(one)) if isinstance(one, dict) else _listed(self._in_force(*one)) for one in checked]

    def _told(self, envelope: dict[str, Any]) -> dict[str, Any]:
        self._tell(envelope)
        return envelope

    def _in_force(self, fault: Fault, matcher: Matcher) -> Fault:
        self._rules[fault.id] = (fault, matcher)
        self._database.put(FAULTS, (fault.id,), fault)
        return fault

    def _event(self, body: Any, index: int) -> dict[str, Any] | None:
        """The envelope that a body of the kind `event` asks for; None for another kind."""
        is_event = isinstance(body, dict) and body.get("what") == "event"
        return self._events.envelope(body, f"faults[{index}]") if is_event else None

    def _checked(self, body: Any, index: int) -> tuple[Fault, Matcher]:
        try:
            fault = msgspec.convert(body, Fault)
            matcher = compile_pattern(fault.match, f"faults[{index}].match")
        except (msgspec.ValidationError, BadPattern) as error:
            raise HinobanError(
                f"faults[{index}] is not a fault", str(error), 'Write e.g. {"what": "capacity", "match": {"family": ["job"]}, "times": 2}.'
            ) from error
        if (unknown := unknown_name(fault.match, _KNOWN[fault.what], f"faults[{index}].match")) is not None:
            names = ", ".join(unknown.allowed)
            raise HinobanError(
                f"{unknown.path} is not known of what {fault.what} strikes",
                f"the fault would never strike; a match may name {names}",
                f"Did you mean {unknown.near!r}?" if unknown.near else "Write one of them.",
            )
        return msgspec.structs.replace(fault, id=self._ids.uuid(), struck=0), matcher

    def list(self) -> list[Listed]:
        """Every rule that was not cleared, oldest first, spent ones too: with how often each struck, and how often it still may."""
        return [_listed(fault) for fault, _ in self._rules.values()]

    def clear(self) -> None:
        """Take every rule out of force."""
        for fault_id in self._rules:
            self._database.put(FAULTS, (fault_id,), None)
        self._rules.clear()

    def strike(self, what: Kind, about: dict[str, Any]) -> str | None:
        """The reason of the first rule of this kind that matches, counted as struck; None where nothing is put in."""
        for fault, matcher in self._rules.values():
            if fault.what == what and (fault.times is None or fault.struck < fault.times) and matcher(about):
                hit = msgspec.structs.replace(fault, struck=fault.struck + 1)
                self._rules[fault.id] = (hit, matcher)
                self._database.put(FAULTS, (fault.id,), hit)
                return fault.reason or _DEFAULT_REASONS[what]
        return None
