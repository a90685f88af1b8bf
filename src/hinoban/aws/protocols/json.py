"""AWS JSON 1.0 and 1.1: `X-Amz-Target` names the operation, the body is its input, errors are `{"__type", "message"}`.

Source: facts/ecs.md §11.1; ECS's captures have no x-amzn-ErrorType header, so none is sent.
"""

from typing import Any

import msgspec

from hinoban.aws import errors
from hinoban.aws.errors import AwsError
from hinoban.aws.http import HttpResponse

REQUEST_ID = "x-amzn-RequestId"

_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()


def target(header: str | None) -> tuple[str, str]:
    """The service's target prefix and the operation of an X-Amz-Target header."""
    prefix, dot, operation = (header or "").rpartition(".")
    if not dot or not prefix or not operation:
        raise errors.no_target()
    return prefix, operation


def decode(body: bytes) -> Any:
    """The body's JSON; nothing at all means `{}`.

    Differs from AWS: the error says what is wrong (AWS sends no text).
    """
    if not body:
        return {}
    try:
        return _decoder.decode(body)
    except RecursionError:
        raise errors.serialization_error("The request body is nested too deeply.") from None
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise errors.serialization_error(f"The request body is not JSON: {error}") from None


def encode(value: Any) -> bytes:
    """JSON bytes; bytes inside become base64, floats stay epoch seconds."""
    return _encoder.encode(value)


def response(version: str, request_id: str, body: bytes, status: int = 200) -> HttpResponse:
    """An answer with the headers that AWS sends."""
    headers = [(REQUEST_ID, request_id), ("content-type", f"application/x-amz-json-{version}"), ("content-length", str(len(body)))]
    return HttpResponse(status, headers, body)


def error_response(version: str, request_id: str, error: AwsError, text_member: str = "message") -> HttpResponse:
    """An error as JSON; `text_member` is `Message` for the errors whose model says so."""
    body = encode({"__type": error.code, text_member: error.message, **error.fields})
    return response(version, request_id, body, error.status)
