"""What a handler is given and what it gives back: the words between the API's server and the rooms that answer."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct


class Caller(Struct, frozen=True):
    """Who calls, as far as CloudTrail tells it, e.g. `arn:aws:iam::123456789012:user/hinoban`, `IAMUser`.

    `invoked_by` is the AWS service that calls with a role of ours, e.g. `events.amazonaws.com` (facts/cloudtrail_sns_lambda.md §1.2).
    """

    access_key_id: str
    principal_arn: str
    principal_type: str
    invoked_by: str | None = None


class Call(Struct, frozen=True, kw_only=True):
    """One API call, without its parameters. `now` is the moment at which it was taken in."""

    service: str
    operation: str
    region: str
    account: str
    request_id: str
    now: float
    caller: Caller
    source_ip: str
    user_agent: str


Params = dict[str, Any]
"""An operation's input: member names as on the wire, timestamps as floats, blobs as bytes, absent members left out."""

Result = dict[str, Any]
"""An operation's output, in the same terms."""

Handler = Callable[[Call, Params], Result]
Operations = Mapping[str, Handler]
"""A service's operations by name; a handler raises AwsError for what the caller did wrong."""
