"""What the protocols other than JSON need to know of a model's shapes: names on the wire, and texts turned into values."""

import base64
import time
from datetime import UTC, datetime
from typing import Any

from hinoban.aws import errors
from hinoban.base.units import iso, parse_iso

Shapes = dict[str, Any]


def scalar(text: str, shape: dict[str, Any], format_: str | None = None) -> Any:
    """A text of a query string, header or XML as the value of its shape; AwsError (SerializationException) where it is none."""
    try:
        match shape["type"]:
            case "boolean":
                return {"true": True, "false": False}[text.lower()]
            case "integer" | "long":
                return int(text)
            case "float" | "double":
                return float(text)
            case "timestamp":
                return _moment(text)
            case "blob":
                return base64.b64decode(text, validate=True)
    except (KeyError, ValueError):
        raise errors.serialization_error(f"{text!r} is not a {shape['type']}") from None
    return text


def wire_name(reference: dict[str, Any], member: str) -> str:
    """A member's name on the wire."""
    found: str = reference.get("locationName", member)
    return found


def to_json(value: Any, name: str, shapes: Shapes) -> Any:
    """A value as JSON spells it: members by their names on the wire, bytes as base64, times as their shape says (else epoch seconds)."""
    shape = shapes[name]
    match shape["type"]:
        case "structure" if isinstance(value, dict) and not shape.get("document"):
            members = shape["members"]
            return {
                wire_name(members[member], member): to_json(one, members[member]["shape"], shapes)
                for member, one in value.items()
                if member in members and one is not None
            }
        case "list" if isinstance(value, list | tuple):
            return [to_json(one, shape["member"]["shape"], shapes) for one in value]
        case "map" if isinstance(value, dict):
            return {key: to_json(one, shape["value"]["shape"], shapes) for key, one in value.items()}
        case "blob" if isinstance(value, bytes):
            return base64.b64encode(value).decode()
        case "timestamp" if "timestampFormat" in shape and not isinstance(value, str):
            text = text_of(value, shape, "unixTimestamp")
            return float(text) if shape["timestampFormat"] == "unixTimestamp" else text
    return value


def from_json(value: Any, name: str, shapes: Shapes) -> Any:
    """What `to_json` spelled; members that the model does not have are left out, times are floats."""
    shape = shapes[name]
    match shape["type"]:
        case "structure" if isinstance(value, dict) and not shape.get("document"):
            found = {}
            for member, reference in shape["members"].items():
                if (one := value.get(wire_name(reference, member))) is not None:
                    found[member] = from_json(one, reference["shape"], shapes)
            return found
        case "list" if isinstance(value, list):
            return [from_json(one, shape["member"]["shape"], shapes) for one in value]
        case "map" if isinstance(value, dict):
            return {key: from_json(one, shape["value"]["shape"], shapes) for key, one in value.items()}
        case "blob" | "timestamp" if isinstance(value, str):
            return scalar(value, shape)
    return value


def is_plain(name: str, shapes: Shapes) -> bool:
    """Whether JSON's spelling of the shape is its value as it stands: no bytes, no spelled times, no other names."""
    ahead, seen = [name], {name}
    while ahead:
        shape = shapes[ahead.pop()]
        inner: list[str] = []
        match shape["type"]:
            case "blob":
                return False
            case "timestamp" if "timestampFormat" in shape:
                return False
            case "structure":
                members = shape["members"]
                if any(wire_name(reference, member) != member for member, reference in members.items()):
                    return False
                inner = [reference["shape"] for reference in members.values()]
            case "list":
                inner = [shape["member"]["shape"]]
            case "map":
                inner = [shape["value"]["shape"]]
        ahead += [one for one in inner if one not in seen]
        seen.update(inner)
    return True


def text_of(value: Any, shape: dict[str, Any], format_: str) -> str:
    """A value as text; `format_` is that of timestamps: `iso8601`, `rfc822` or `unixTimestamp`."""
    match shape["type"]:
        case "boolean":
            return "true" if value else "false"
        case "blob":
            return base64.b64encode(value).decode()
        case "timestamp":
            match shape.get("timestampFormat", format_):
                case "rfc822":
                    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(value))
                case "unixTimestamp":
                    return f"{value:.3f}".rstrip("0").rstrip(".")
            return iso(value)
    return str(value)


def _moment(text: str) -> float:
    for read in (float, parse_iso, _rfc822):
        try:
            return read(text)
        except ValueError:
            continue
    raise ValueError(text)


def _rfc822(text: str) -> float:
    return datetime.strptime(text, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC).timestamp()
