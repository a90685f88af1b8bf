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
