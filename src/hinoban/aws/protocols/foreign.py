"""Errors for clients that speak a protocol we do not have (query, REST): in their own shape, so that they print our text
instead of stumbling over it. Which protocol it is can only be guessed from the request."""

from collections.abc import Mapping
from html import escape

from hinoban.aws.errors import MAX_BODY, MAX_OBJECT, AwsError
from hinoban.aws.http import HttpRequest, HttpResponse
from hinoban.aws.protocols import json


def speaks_json(request: HttpRequest) -> bool:
    """Whether the request is of the JSON protocols, or as likely as any other."""
    return "x-amz-target" in request.headers


# Whoever signs badly is told so in the words of the protocol's own time ("Common Errors" of IAM; "Error Responses" of S3): code, status.
_IN_QUERY = {
    "InvalidSignatureException": ("SignatureDoesNotMatch", 403),
    "UnrecognizedClientException": ("InvalidClientTokenId", 403),
    "MissingAuthenticationTokenException": ("MissingAuthenticationToken", 403),
    "IncompleteSignatureException": ("IncompleteSignature", 400),
}
_IN_S3 = {
    "InvalidSignatureException": ("SignatureDoesNotMatch", 403),
    "UnrecognizedClientException": ("InvalidAccessKeyId", 403),
    "MissingAuthenticationTokenException": ("AccessDenied", 403),
    "IncompleteSignatureException": ("AuthorizationHeaderMalformed", 400),
    "RequestEntityTooLargeException": ("EntityTooLarge", 400),
}


def claims_to_be_signed(request: HttpRequest) -> bool:
    """Whether it looks like an API call at all: signed in some way, or at least posted or aimed."""
    return (
        request.method == "POST"
        or speaks_json(request)
        or "authorization" in request.headers
        or "X-Amz-Signature=" in request.query
        or "AWSAccessKeyId=" in request.query
    )  # fmt: skip


def speaks_s3(headers: Mapping[str, str], query: str) -> bool:
    """Whether the request is signed for S3, which has rules of its own: paths encoded once, bodies unsigned or in pieces, large."""
    return "/s3/aws4_request" in headers.get("authorization", "") or (
        ("X-Amz-Credential=" in query and "%2Fs3%2Faws4_request" in query) or "AWSAccessKeyId=" in query
    )


def body_limit(headers: Mapping[str, str], query: str) -> int:
    """How many bytes of body we read."""
    return MAX_OBJECT if speaks_s3(headers, query) else MAX_BODY


def error_response(request: HttpRequest, request_id: str, error: AwsError) -> HttpResponse:
    """The error in the shape that the request's protocol has."""
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        error, inner = _in_words_of(_IN_QUERY, error)
        return _xml(
            f"<ErrorResponse><Error><Type>Sender</Type>{inner}</Error><RequestId>{request_id}</RequestId></ErrorResponse>",
            request_id,
            error,
        )
    if speaks_s3(request.headers, request.query):
        error, inner = _in_words_of(_IN_S3, error)
        return _xml(f"<Error>{inner}<RequestId>{request_id}</RequestId></Error>", request_id, error)
    body = json.encode({"__type": error.code, "message": error.message, **error.fields})
    headers = [
        (json.REQUEST_ID, request_id),
        ("x-amzn-ErrorType", error.code),
        ("content-type", "application/json"),
        ("content-length", str(len(body))),
    ]
    return HttpResponse(error.status, headers, body)


def _in_words_of(words: Mapping[str, tuple[str, int]], error: AwsError) -> tuple[AwsError, str]:
    code, status = words.get(error.code, (error.code, error.status))
    return AwsError(code, error.message, status), f"<Code>{escape(code)}</Code><Message>{escape(error.message)}</Message>"


def _xml(text: str, request_id: str, error: AwsError) -> HttpResponse:
    body = text.encode()
    headers = [(json.REQUEST_ID, request_id), ("content-type", "text/xml"), ("content-length", str(len(body)))]
    return HttpResponse(error.status, headers, body)
