"""AWS's REST-JSON protocol, both ways: method and path name the operation, members stand in path, query, headers and body.

Source: "AWS restJson1 protocol" (Smithy).
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from hinoban.aws import errors
from hinoban.aws.errors import AwsError
from hinoban.aws.http import HttpRequest, HttpResponse
from hinoban.aws.protocols import json
from hinoban.aws.protocols.shapes import Shapes, from_json, scalar, text_of, to_json, wire_name

_UNRESERVED = "-_.~"
_LABEL = re.compile(r"\{([^}+]+)(\+?)\}")
_made: dict[str, "Routes"] = {}


class Routes:
    """Which operation a method and path belong to; the one with the most literal text wins."""

    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._routes: list[tuple[str, re.Pattern[str], list[str], str]] = []
        for name, definition in definitions.items():
            http = definition["http"]
            uri = http["requestUri"].partition("?")[0]
            labels = [found[1] for found in _LABEL.finditer(uri)]
            pattern, at = "", 0
            for found in _LABEL.finditer(uri):
                pattern += re.escape(uri[at : found.start()]) + ("(.+)" if found[2] else "([^/]+)")
                at = found.end()
            pattern += re.escape(uri[at:].rstrip("/") if at or uri != "/" else "") + "/?"
            self._routes.append((http["method"], re.compile(pattern), labels, name))
        self._routes.sort(key=lambda route: (len(route[2]), -len(route[1].pattern)))

    @classmethod
    def of(cls, service: str, definitions: Mapping[str, Any]) -> "Routes":
        """The routes of a service, made at its first call."""
        if service not in _made:
            _made[service] = cls(definitions)
        return _made[service]

    def find(self, method: str, path: str) -> tuple[str, dict[str, str]] | None:
        """The operation and the path's labels, decoded; None if there is none."""
        for own, pattern, labels, name in self._routes:
            if own == method and (found := pattern.fullmatch(path)) is not None:
                return name, {label: unquote(value) for label, value in zip(labels, found.groups(), strict=True)}
        return None


def decode(request: HttpRequest, labels: Mapping[str, str], shape: str | None, shapes: Shapes) -> dict[str, Any]:
    """The members of the operation's input, unchecked."""
    if shape is None:
        return {}
    members = shapes[shape]["members"]
    payload = shapes[shape].get("payload")
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        query.setdefault(name, []).append(value)
    body: Any = {}
    if payload is None and request.body:
        body = json.decode(request.body)
        if not isinstance(body, dict):
            raise errors.serialization_error("The request body is not a JSON object.")
    found: dict[str, Any] = {}
    for member, reference in members.items():
        at = reference.get("locationName", member)
        target = shapes[reference["shape"]]
        match reference.get("location"):
            case "uri":
                if at in labels:
                    found[member] = scalar(labels[at], target)
            case "querystring":
                if at in query:
                    found[member] = _from_query(query[at], target, shapes)
            case "header":
                if at.lower() in request.headers:
                    found[member] = scalar(request.headers[at.lower()], target)
            case "headers":
                found[member] = {
                    name[len(at) :]: value for name, value in request.headers.items() if name.startswith(at.lower())
                }  # fmt: skip
            case _ if member == payload:
                if request.body:
                    found[member] = request.body if target["type"] == "blob" else json.decode(request.body)
            case _:
                if at in body:
                    found[member] = body[at]
    return found


def _from_query(values: list[str], shape: dict[str, Any], shapes: Shapes) -> Any:
    if shape["type"] == "list":
        return [scalar(value, shapes[shape["member"]["shape"]]) for value in values]
    return scalar(values[0], shape)


def response(result: Mapping[str, Any], request_id: str, output: str | None, shapes: Shapes, status: int = 200) -> HttpResponse:
    """A result as AWS spells it: headers, status code, JSON (or the payload member alone)."""
    headers = [(json.REQUEST_ID, request_id)]
    inside: dict[str, Any] = {}
    shape = shapes[output] if output else {"members": {}}
    payload = shape.get("payload")
    body: bytes | None = None
    for member, reference in shape["members"].items():
        if (value := result.get(member)) is None:
            continue
        target = shapes[reference["shape"]]
        at = reference.get("locationName", member)
        match reference.get("location"):
            case "header":
                headers.append((at, text_of(value, target, "rfc822")))
            case "headers":
                headers += [(at + name, str(one)) for name, one in value.items()]
            case "statusCode":
                status = int(value)
            case _ if member == payload:
                body = value if isinstance(value, bytes) else json.encode(value)
            case _:
                inside[at] = value
    if body is None:
        body = json.encode(inside)
    headers += [("content-type", "application/json"), ("content-length", str(len(body)))]
    return HttpResponse(status, headers, body)


def error_response(request_id: str, error: AwsError, text_member: str = "message") -> HttpResponse:
    """An error: its code in a header, its text in the body."""
    body = json.encode({text_member: error.message, **error.fields})
    headers = [
        (json.REQUEST_ID, request_id),
        ("x-amzn-ErrorType", error.code),
        ("content-type", "application/json"),
        ("content-length", str(len(body))),
    ]
    return HttpResponse(error.status, headers, body)


# As a client -------------------------------------------------------------------------------------------------------------------------


def request(http: Mapping[str, Any], params: Mapping[str, Any], shape: str | None, shapes: Shapes) -> HttpRequest:
    """A call, unsigned; `http` is the operation's method and URI. AwsError (ValidationException) where a part of the path is missing."""
    uri, _, fixed = http["requestUri"].partition("?")
    pairs = [fixed] if fixed else []
    headers: dict[str, str] = {}
    labels: dict[str, str] = {}
    inside: dict[str, Any] = {}
    body: bytes | None = None
    members = shapes[shape]["members"] if shape else {}
    payload = shapes[shape].get("payload") if shape else None
    for member, reference in members.items():
        if (value := params.get(member)) is None:
            continue
        at, target = wire_name(reference, member), shapes[reference["shape"]]
        match reference.get("location"):
            case "uri":
                labels[at] = _text(value, target, "iso8601")
            case "querystring":
                pairs += [f"{quote(name, _UNRESERVED)}={quote(one, _UNRESERVED)}" for name, one in _pairs(at, value, target, shapes)]
            case "header":
                headers[at.lower()] = _text(value, target, "rfc822")
            case "headers":
                headers |= {f"{at}{name}".lower(): str(one) for name, one in value.items()}
            case _ if member == payload:
                body = value if isinstance(value, bytes) else json.encode(to_json(value, reference["shape"], shapes))
            case _:
                inside[at] = to_json(value, reference["shape"], shapes)
    if payload is None and any("location" not in reference for reference in members.values()):
        body = json.encode(inside)
    if body is not None:
        headers.setdefault("content-type", "application/json")
    return HttpRequest(http["method"], _path(uri, labels), "&".join(pairs), headers, body or b"", "")


def _path(uri: str, labels: Mapping[str, str]) -> str:
    def spelled(found: re.Match[str]) -> str:
        value = labels.get(found[1], "")
        if not value:
            raise AwsError("ValidationException", f"The path needs {found[1]}, which must not be empty.")
        return quote(value, _UNRESERVED + "/" if found[2] else _UNRESERVED)

    return _LABEL.sub(spelled, uri)


def _pairs(at: str, value: Any, shape: dict[str, Any], shapes: Shapes) -> list[tuple[str, str]]:
    match shape["type"]:
        case "list":
            inner = shapes[shape["member"]["shape"]]
            return [(at, _text(one, inner, "iso8601")) for one in value]
        case "map":
            return [pair for name, one in value.items() for pair in _pairs(name, one, shapes[shape["value"]["shape"]], shapes)]
    return [(at, _text(value, shape, "iso8601"))]


def _text(value: Any, shape: dict[str, Any], format_: str) -> str:
    return value if isinstance(value, str) else text_of(value, shape, format_)


def read(status: int, headers: Mapping[str, str], body: bytes, output: str | None, shapes: Shapes) -> dict[str, Any]:
    """The members of an answer; `headers` have lower-case names. AwsError (SerializationException) where it is no JSON."""
    if output is None:
        return {}
    shape = shapes[output]
    payload = shape.get("payload")
    inside = json.decode(body) if payload is None else {}
    found: dict[str, Any] = {}
    for member, reference in shape["members"].items():
        at, target = wire_name(reference, member), shapes[reference["shape"]]
        match reference.get("location"):
            case "statusCode":
                found[member] = status
            case "header":
                if at.lower() in headers:
                    found[member] = scalar(headers[at.lower()], target)
            case "headers":
                prefix = at.lower()
                found[member] = {name[len(prefix) :]: value for name, value in headers.items() if name.startswith(prefix)}
            case _ if member == payload:
                if target["type"] == "blob":
                    found[member] = body
                elif body:
                    found[member] = body.decode("utf-8", "replace") if target["type"] == "string" else from_json(
                        json.decode(body), reference["shape"], shapes
                    )  # fmt: skip
            case _:
                if isinstance(inside, dict) and (value := inside.get(at)) is not None:
                    found[member] = from_json(value, reference["shape"], shapes)
    return found
