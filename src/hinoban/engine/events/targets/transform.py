"""What a target is sent of an event: all of it, a constant, a part, or a template filled from it (facts/eventbridge.md §6.1). PURE."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from hinoban.aws.call import Params
from hinoban.engine.events.targets.paths import MISSING, select

RESERVED = frozenset(
    {
        "aws.events.rule-arn",
        "aws.events.rule-name",
        "aws.events.event.ingestion-time",
        "aws.events.event",
        "aws.events.event.json",
    }
)
_PLACEHOLDER = re.compile(r"<([A-Za-z0-9_.\-]+)>")
_DYNAMIC = "$."


class UnknownVariableError(Exception):
    """A template or a dynamic path names what is not there; the message says which."""


def compact(value: Any) -> str:
    """JSON without spaces, members in the order in which they came: what every target gets."""
    return msgspec.json.encode(value).decode()


def is_transformed(target: Params) -> bool:
    """Whether the target asks for something else than the whole event."""
    return any(member in target for member in ("Input", "InputPath", "InputTransformer"))


def target_input(target: Params, event: Params, *, rule_arn: str, rule_name: str, ingested_at: str) -> str:
    """The text that the target gets; `ingested_at` in ISO 8601."""
    if "Input" in target:
        text: str = target["Input"]
        return text
    if "InputPath" in target:
        found = select(target["InputPath"], event)
        # UNCONFIRMED what AWS sends where the path selects nothing.
        return "null" if found is MISSING else compact(found)
    if "InputTransformer" in target:
        reserved = {
            "aws.events.rule-arn": rule_arn,
            "aws.events.rule-name": rule_name,
            "aws.events.event.ingestion-time": ingested_at,
        }
        return fill(target["InputTransformer"], event, reserved)
    return compact(event)


def unknown_placeholder(template: str, names: Iterable[str]) -> str | None:
    """The first placeholder that is neither one of `names` nor reserved: PutTargets refuses it."""
    known = RESERVED | set(names)
    return next((found[1] for found in _PLACEHOLDER.finditer(template) if found[1] not in known), None)


def fill(transformer: Params, event: Params, reserved: Params) -> str:
    """The filled template.

    A placeholder outside quotes becomes a JSON value, one inside quotes plain text; nothing is escaped. A path without a match
    becomes an empty string (facts/eventbridge.md §6.1).
    """
    template: str = transformer["InputTemplate"]
    values = {name: select(path, event) for name, path in transformer.get("InputPathsMap", {}).items()} | _reserved(event, reserved)
    as_json = _is_json(template)
    pieces: list[str] = []
    quoted, at = False, 0
    for found in _PLACEHOLDER.finditer(template):
        between = template[at : found.start()]
        quoted ^= _quotes(between) % 2 == 1
        pieces.append(between)
        at = found.end()
        if found[1] not in values:
            pieces.append(found[0])
            continue
        value = values[found[1]]
        pieces.append(_text(value) if quoted or not as_json else _json(value))
    return "".join((*pieces, template[at:]))


def dynamic(value: Any, event: Params) -> Any:
    """`value` with every text that is a whole `$.path` replaced by what it selects of the original event.

    UnknownVariableError where it selects nothing, or no string (facts/eventbridge.md §6.2).
    """
    if isinstance(value, dict):
        return {name: dynamic(each, event) for name, each in value.items()}
    if isinstance(value, list):
        return [dynamic(each, event) for each in value]
    if not isinstance(value, str) or not value.startswith(_DYNAMIC):
        return value
    found = select(value, event)
    if not isinstance(found, str):
        raise UnknownVariableError(f"the path {value} selects {'nothing' if found is MISSING else 'no string'} of the event")
    return found


def _reserved(event: Params, reserved: Params) -> Params:
    """The variables that need no path; `aws.events.event` lacks the detail and spells one key in its own way."""
    bare = {
        "id": event.get("id"),
        "account": event.get("account"),
        "detailType": event.get("detail-type"),
        "time": event.get("time"),
        "source": event.get("source"),
        "region": event.get("region"),
        "resources": event.get("resources"),
        "version": event.get("version"),
    }
    return {**reserved, "aws.events.event": bare, "aws.events.event.json": event}


def _is_json(template: str) -> bool:
    """Whether placeholders outside quotes are JSON values: in an object, an array, among quoted lines, or alone.

    A bare sentence (AWS's own API example, `<instance> is in state <status>`) is text all through (UNCONFIRMED).
    """
    text = template.strip()
    return text[:1] in ("{", "[", '"') or _PLACEHOLDER.fullmatch(text) is not None


def _quotes(text: str) -> int:
    """How many quote marks open or close a string: those behind a backslash do neither."""
    return len(re.sub(r"\\.", "", text, flags=re.DOTALL).replace("\\", "").split('"')) - 1


def _json(value: Any) -> str:
    return '""' if value is MISSING else compact(value)


def _text(value: Any) -> str:
    """Inside a string: texts as they are, objects and arrays without their quote marks."""
    if value is MISSING:
        return ""
    return value if isinstance(value, str) else compact(value).replace('"', "")
