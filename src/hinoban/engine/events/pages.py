"""Lists in pages: sorted by name, continued behind the name that the token hides."""

import base64
import binascii
from bisect import bisect_right
from collections.abc import Iterable

from hinoban.aws.call import Params
from hinoban.engine.events import errors

PAGE = 100
"""The most that `Limit` may ask for, and what is given without it (UNCONFIRMED)."""


def page(names: Iterable[str], params: Params) -> tuple[list[str], dict[str, str]]:
    """The names of this page that begin with `NamePrefix`, and `NextToken` where more follow."""
    prefix = params.get("NamePrefix", "")
    found = sorted(name for name in names if name.startswith(prefix))
    token = params.get("NextToken")
    start = 0 if token is None else bisect_right(found, _decoded(token))
    end = start + params.get("Limit", PAGE)
    more = {"NextToken": _encoded(found[end - 1])} if end < len(found) else {}
    return found[start:end], more


def one_filter(operation: str, params: Params) -> None:
    """Of archives and replays a list is narrowed in one way at the most; AwsError otherwise."""
    if sum(name in params for name in ("State", "EventSourceArn", "NamePrefix")) > 1:
        raise errors.invalid(f"At most one filter is allowed for {operation}. Use either : State, EventSourceArn, or NamePrefix.")


def _encoded(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _decoded(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise errors.bad_token() from None
