"""PURE: a CBOR call as the JSON call that moto understands, and its JSON answer as CBOR (docs/decisions/0012: moto speaks no CBOR).

AWS's CBOR services speak JSON 1.0 too, with the same members and errors; only times and bytes are spelled otherwise.
"""

import base64
import re
from typing import Any

import msgspec

from hinoban.aws import models
from hinoban.aws.protocols import cbor
from hinoban.base.units import parse_iso

_OPERATION = re.compile(r"/service/([^/]+)/operation/([^/]+)/?")


def speaks_cbor(headers: dict[str, str], path: str) -> bool:
    """Whether the request is Smithy RPC v2 CBOR."""
    return headers.get("smithy-protocol") == cbor.PROTOCOL and _OPERATION.fullmatch(path) is not None


def as_json(path: str, headers: dict[str, str], body: bytes) -> tuple[dict[str, str], bytes]:
    """Headers and body of the same call in JSON 1.0, whose path is `/`."""
    found = _OPERATION.fullmatch(path)
    assert found is not None, path
    kept = {name: value for name, value in headers.items() if name not in ("smithy-protocol", "accept", "content-encoding")}
    kept |= {"content-type": "application/x-amz-json-1.0", "x-amz-target": f"{found[1]}.{found[2]}"}
    return kept, msgspec.json.encode(cbor.decode(body))


def as_cbor(service: str, path: str, status: int, headers: list[tuple[str, str]], body: bytes) -> tuple[list[tuple[str, str]], bytes]:
    """Headers and body of the answer; `service` is botocore's name."""
    found = _OPERATION.fullmatch(path)
    value = msgspec.json.decode(body) if body else {}
    if status < 300 and found is not None and service in models.service_names():
        model = models.service(service)
        operation = model.operation(found[2])
        if operation is not None and operation.output_shape is not None:
            value = _shaped(value, operation.output_shape, model.shapes)
    encoded = cbor.encode(value)
    kept = [(name, one) for name, one in headers if name.lower() not in ("content-type", "content-length")]
    kept += [("smithy-protocol", cbor.PROTOCOL), ("content-type", "application/cbor"), ("content-length", str(len(encoded)))]
    return kept, encoded


def _shaped(value: Any, name: str, shapes: dict[str, Any]) -> Any:
    """The JSON value with its times and bytes as what they are."""
    shape = shapes[name]
    match shape["type"]:
        case "structure" if isinstance(value, dict):
            members = shape["members"]
            return {key: _shaped(one, members[key]["shape"], shapes) for key, one in value.items() if key in members and one is not None}
        case "list" if isinstance(value, list):
            return [_shaped(one, shape["member"]["shape"], shapes) for one in value]
        case "map" if isinstance(value, dict):
            return {key: _shaped(one, shape["value"]["shape"], shapes) for key, one in value.items()}
        case "timestamp" if isinstance(value, str):
            return cbor.Timestamp(parse_iso(value))
        case "timestamp" if value is not None:
            return cbor.Timestamp(value)
        case "blob" if isinstance(value, str):
            return base64.b64decode(value)
        case "double" | "float" if isinstance(value, int):
            return float(value)
    return value
