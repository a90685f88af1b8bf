"""The errors that an AWS API answers, and the ones that every service shares, with AWS's codes, texts and statuses.

Codes and statuses follow the "Common Error Types" page of the ECS API Reference and facts/ecs.md §11.1; texts are those that clients report.
An operation's own errors are raised where its rules live.
"""

from collections.abc import Mapping
from typing import Any

from hinoban.base.units import parse_size

MAX_BODY = parse_size("8MiB")
# What one PutObject or UploadPart may hold: it is held in memory and in the neighbours' log.
MAX_OBJECT = parse_size("64MiB")

UNRECOGNIZED_CLIENT = "UnrecognizedClientException"
SIGNATURE_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
)

CREDENTIALS_REFUSED = frozenset(
    {
        *(UNRECOGNIZED_CLIENT, "InvalidClientTokenId", "InvalidAccessKeyId", "AuthFailure"),
        *("ExpiredToken", "ExpiredTokenException", "InvalidSignatureException", "SignatureDoesNotMatch"),
        *("IncompleteSignature", "IncompleteSignatureException", "MissingAuthenticationToken", "MissingAuthenticationTokenException"),
    }
)
"""Each protocol's codes where the credentials are not taken, whatever rights they have (CommonErrors of the API references). Also of a region
that the account has not enabled."""


class AwsError(Exception):
    """An error answer of the API: its code, message and HTTP status; `fields` are further JSON members (e.g. resourceIds)."""

    def __init__(self, code: str, message: str, status: int = 400, fields: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.fields: dict[str, Any] = dict(fields or {})


# What was asked for ------------------------------------------------------------------------------------------------------------------


def unknown_operation(service: str, operation: str) -> AwsError:
    """An operation that AWS has and we do not, or that nobody has heard of.

    Differs from AWS: there is a message (AWS sends none), so that nobody searches for the fault in their own code.
    """
    return AwsError(
        "UnknownOperationException",
        f"Hinoban does not implement {service}:{operation} yet. docs/compatibility.md lists the operations that it has.",
    )


def no_such_operation(service: str, operation: str) -> AwsError:
    """An operation that the service's model does not have."""
    return AwsError("UnknownOperationException", f"The service {service} has no operation {operation}.")


def unknown_service(service: str) -> AwsError:
    """A service that we lack, whatever its operation and protocol."""
    return AwsError(
        "UnknownOperationException",
        f"Hinoban does not implement the service {service} yet. docs/compatibility.md lists the services that it has.",
    )


def no_target() -> AwsError:
    """A request that names no operation."""
    return AwsError("UnknownOperationException", "The header X-Amz-Target is missing or is not of the form <service>.<operation>.")


def not_an_api_call(method: str, path: str) -> AwsError:
    """Anything but `POST /`: the JSON protocols know nothing else (facts/ecs.md §11.1). 404 as AWS answers it."""
    return AwsError("UnknownOperationException", f"There is no {method} {path} here; AWS API calls are POST / with X-Amz-Target.", 404)


def too_large(limit: int = MAX_BODY) -> AwsError:
    """A body larger than we read."""
    return AwsError("RequestEntityTooLargeException", f"The request is larger than {limit} bytes.", 413)


def serialization_error(text: str) -> AwsError:
    """A body that does not have the shape the operation's model says."""
    return AwsError("SerializationException", text)


def internal_failure() -> AwsError:
    """Our fault; the log says what it was."""
    return AwsError("InternalFailure", "The request processing has failed because of an unknown error, exception or failure.", 500)


# Who asks ----------------------------------------------------------------------------------------------------------------------------


def missing_authentication() -> AwsError:
    """No signature at all."""
    return AwsError("MissingAuthenticationTokenException", "Missing Authentication Token")


def unrecognized_client() -> AwsError:
    """A key id that nobody has."""
    return AwsError(UNRECOGNIZED_CLIENT, "The security token included in the request is invalid.")


def incomplete_signature(text: str) -> AwsError:
    """An Authorization header that lacks something."""
    return AwsError("IncompleteSignatureException", text)


def invalid_signature(text: str = SIGNATURE_MISMATCH) -> AwsError:
    """A signature that is wrong, too old, or not yet valid."""
    return AwsError("InvalidSignatureException", text)


def signature_version_2() -> AwsError:
    """The query form of Signature Version 2, which S3 takes in no region opened since 2014; its text there, and what to do."""
    return AwsError(
        "InvalidRequest",
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256. "
        "(boto3: Config(signature_version='s3v4') where URLs are presigned.)",
    )


def access_denied(text: str) -> AwsError:
    """A presigned URL whose time is not now, in S3's words."""
    return AwsError("AccessDenied", text, 403)


def host_not_allowed(host: str) -> AwsError:
    """A Host header that is not ours: a web page may be trying to reach us under its own name (DNS rebinding).

    Differs from AWS: there is no such check there.
    """
    return AwsError(
        "AccessDeniedException",
        f"The Host header {host!r} is not one of Hinoban's names; call it as 127.0.0.1 or localhost.",
        403,
    )
