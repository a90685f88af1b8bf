"""A call of ours as the service's protocol has it, and its answer read: JSON, REST-JSON and query, by the service's botocore model.

Values are as in `aws.call`: times are floats, bytes are bytes, absent members are left out.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import msgspec

from hinoban.aws import errors
from hinoban.aws.errors import AwsError
from hinoban.aws.http import HttpRequest
from hinoban.aws.models import Service
from hinoban.aws.protocols import query, rest_json
from hinoban.aws.protocols.shapes import from_json, is_plain, to_json

# In the order in which we would rather speak them, where a service has several.
SPOKEN = ("json", "rest-json", "query")
_QUERY_ERROR = "x-amzn-query-error"
_ERROR_TYPE = "x-amzn-errortype"
_SHOWN = 500


def protocol_of(model: Service) -> str:
    """The protocol in which we speak to the service; AwsError where we speak none of its own (EC2's query, REST-XML)."""
    for protocol in SPOKEN:
        if protocol in model.protocols:
            return protocol
    raise AwsError("UnknownOperationException", f"Hinoban does not speak {model.protocol}, the protocol of {model.name}.")


def encode(model: Service, operation: str, params: Mapping[str, Any]) -> HttpRequest:
    """The call, unsigned, with method, path, query, headers (lower-case names) and body. AwsError for an operation that AWS has not."""
    definition = _definition(model, operation)
    shape = definition.get("input", {}).get("shape")
    match protocol_of(model):
        case "rest-json":
            return rest_json.request(definition["http"], params, shape, model.shapes)
        case "query":
            form = query.form(operation, model.api_version, params, shape, model.shapes)
            return _post({"content-type": f"{query.CONTENT_TYPE}; charset=utf-8"}, urlencode(form).encode())
    headers = {
        "content-type": f"application/x-amz-json-{model.json_version}",
        "x-amz-target": f"{model.target_prefix}.{operation}",
    }
    if model.query_compatible:
        # Asks for the errors' codes of query's time.
        headers["x-amzn-query-mode"] = "true"
    plain = shape is None or _is_plain(model, shape)
    return _post(headers, msgspec.json.encode(params if plain else to_json(dict(params), shape, model.shapes)))


def decode(model: Service, operation: str, status: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """The output of an answer, whose header names are in lower case; AwsError for an error answer and for one that cannot be read."""
    definition = _definition(model, operation)
    output = definition.get("output")
    protocol = protocol_of(model)
    if status >= 300:
        raise decode_error(status, body, headers) if protocol != "query" else _xml_error(status, body)
    try:
        match protocol:
            case "rest-json":
                return rest_json.read(status, headers, body, output and output["shape"], model.shapes)
            case "query":
                return query.read(query.tree_of(body), output, model.shapes)
        found = json_object(body)
        return found if output is None or _is_plain(model, output["shape"]) else from_json(found, output["shape"], model.shapes)
    except ElementTree.ParseError as error:
        raise _unreadable(f"is not XML: {error}") from None
    except AwsError as error:
        # The shapes' readers blame the client: here the service is the one who wrote it.
        raise error if error.code == _UNREADABLE else _unreadable(f"cannot be read: {error.message}") from None


def decode_error(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> AwsError:
    """The AwsError in a JSON error answer: the code is the part after `#` and before `:` (facts/ecs.md §11.1).

    A service that once spoke query names the code of then in a header, which clients use (`AWS.SimpleQueueService.NonExistentQueue`)."""
    given = headers or {}
    try:
        fields = json_object(body)
    except AwsError:
        text = body[:_SHOWN].decode("utf-8", "replace")
        return AwsError(_code(given.get(_ERROR_TYPE)), text, status)
    said = fields.pop("__type", None), fields.pop("code", None)
    code = given.get(_QUERY_ERROR, "").partition(";")[0] or _code(said[0] or said[1] or given.get(_ERROR_TYPE))
    message = next((fields.pop(name) for name in ("message", "Message", "errorMessage") if name in fields), "")
    return AwsError(code, str(message), status, fields)


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object that a body holds; nothing is `{}`."""
    try:
        found = msgspec.json.decode(body) if body else {}
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise _unreadable(f"is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise _unreadable("is not a JSON object.")
    return found


_UNREADABLE = "UnreadableAnswer"


def _unreadable(why: str) -> AwsError:
    return AwsError(_UNREADABLE, f"The endpoint's answer {why}", 502)


def _xml_error(status: int, body: bytes) -> AwsError:
    try:
        found = next(query.tree_of(body).iter("Error"), None)
    except ElementTree.ParseError:
        found = None
    if found is None:
        return decode_error(status, body)
    return AwsError(found.findtext("Code") or "UnknownError", found.findtext("Message") or "", status)


def _code(said: Any) -> str:
    return str(said or "UnknownError").partition(":")[0].rpartition("#")[2]


def _definition(model: Service, operation: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = model.definitions[operation]
    except KeyError:
        raise errors.no_such_operation(model.name, operation) from None
    return found


def _post(headers: dict[str, str], body: bytes) -> HttpRequest:
    return HttpRequest("POST", "/", "", headers, body, "")


@cache
def _is_plain(model: Service, shape: str) -> bool:
    return is_plain(shape, model.shapes)
