"""One page of a List operation of the Scheduler, and the token that goes on behind its last item."""

import base64
from collections.abc import Sequence

import msgspec

from hinoban.aws.call import Params
from hinoban.engine.schedules.errors import invalid_token

Key = tuple[str, str]
_PAGE = 100


def size_of(params: Params) -> int:
    """Items of a page: MaxResults, 100 at the most and by default."""
    size: int = params.get("MaxResults", _PAGE)
    return size


def start_of(params: Params) -> Key:
    """Behind which key to go on; the lowest there is for the first page."""
    if "NextToken" not in params:
        return ("", "")
    try:
        key: Key = msgspec.json.decode(base64.b64decode(params["NextToken"], altchars=b"-_", validate=True), type=Key)
    except (ValueError, msgspec.DecodeError):
        raise invalid_token() from None
    return key


def token_of(page: Sequence[Key], more: bool) -> dict[str, str]:
    """The answer's NextToken, where there is more."""
    return {"NextToken": base64.urlsafe_b64encode(msgspec.json.encode(page[-1])).decode()} if more else {}
