"""Errors for clients that speak a protocol we do not have (query, REST): in their own shape, so that they print our text
instead of stumbling over it. Which protocol it is can only be guessed from the request."""

from html import escape

from hinoban.aws.errors import AwsError
from hinoban.aws.http import HttpRequest, HttpResponse
from hinoban.aws.protocols import json


def speaks_json(request: HttpRequest) -> bool:
    """Whether the request is of the JSON protocols, or as likely as any other."""
    return "x-amz-target" in request.headers


def error_response(request: HttpRequest, request_id: str, error: AwsError) -> HttpResponse:
    """The error in the shape that the request's protocol has."""
    inner = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return _xml(
            f"<ErrorResponse><Error><Type>Sender</Type>{inner}</Error><RequestId>{request_id}</RequestId></ErrorResponse>",
            request_id,
            error,
        )
    if "/s3/aws4_request" in request.headers.get("authorization", ""):
        return _xml(f"<Error>{inner}<RequestId>{request_id}</RequestId></Error>", request_id, error)
    body = json.encode({"__type": error.code, "message": error.message, **error.fields})
    headers = [
        (json.REQUEST_ID, request_id),
        ("x-amzn-ErrorType", error.code),
        ("content-type", "application/json"),
        ("content-length", str(len(body))),
    ]
    return HttpResponse(error.status, headers, body)


def _xml(text: str, request_id: str, error: AwsError) -> HttpResponse:
    body = text.encode()
    headers = [(json.REQUEST_ID, request_id), ("content-type", "text/xml"), ("content-length", str(len(body)))]
    return HttpResponse(error.status, headers, body)
