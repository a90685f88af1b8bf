"""Why a delivery did not succeed, in AWS's codes and in a sentence for people, and whether trying again may help.

Codes are those of a rule's dead-letter queue; transient or permanent follows facts/eventbridge.md §6.3: 5xx and throttling are tried
again, a missing permission, a target that is gone and other 4xx are not.
"""

from hinoban.aws.errors import AwsError

_THROTTLED = ("Throttl", "TooManyRequests", "RequestLimitExceeded", "SlowDown")
_DENIED = ("AccessDenied", "NotAuthorized", "Forbidden", "AuthorizationError", "UnrecognizedClient")
_GONE = ("NotFound", "NonExistentQueue", "DoesNotExist")


class Failure(Exception):
    """One attempt that failed.

    `why` is a plain sentence without a full stop, `repair` one command that works as pasted. `target_code` and `target_message` are the
    target's own words (Scheduler's dead letters carry them), `request` what was asked of it. `retry_after`: at least so many seconds,
    a negative number: never again.
    """

    def __init__(
        self,
        code: str,
        message: str,
        why: str,
        *,
        transient: bool = False,
        repair: str | None = None,
        target_code: str | None = None,
        target_message: str | None = None,
        request: object = None,
        retry_after: float = 0.0,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.why = why
        self.transient = transient
        self.repair = repair
        self.target_code = target_code or code
        self.target_message = target_message or message
        self.request = request
        self.retry_after = retry_after


def of_answer(error: AwsError, asked: str, *, why: str | None = None, repair: str | None = None, request: object = None) -> Failure:
    """The failure that an error answer of `asked` (`RunTask`) is."""
    code, transient = _judge(error)
    return Failure(
        code,
        f"{asked} {error.code}: {error.message}",
        why or f"{asked} answered {error.code}: {error.message}".rstrip("."),
        transient=transient,
        repair=repair,
        target_code=error.code,
        target_message=error.message,
        request=request,
    )


def _judge(error: AwsError) -> tuple[str, bool]:
    """A code of the dead-letter list, and whether the error is transient."""
    if any(part in error.code for part in _THROTTLED) or error.status == 429:
        return "THROTTLING", True
    if error.status >= 500 or error.code.startswith(("ServerException", "InternalFailure", "ServiceUnavailable")):
        return "ERROR_FROM_TARGET", True
    if any(part in error.code for part in _DENIED):
        return "NO_PERMISSIONS", False
    if any(part in error.code for part in _GONE):
        return "NO_RESOURCE", False
    return "INVALID_PARAMETER", False
