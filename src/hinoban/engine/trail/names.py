"""Which trail a name or an ARN means, and which names a trail may have ("CreateTrail", CloudTrail API Reference)."""

import re

from hinoban.aws import arns
from hinoban.aws.call import Call
from hinoban.engine.trail import errors
from hinoban.engine.trail.model import TrailConfig, trail_arn
from hinoban.engine.trail.state import TrailState

_SHORTEST, _LONGEST = 3, 128
_ALLOWED = re.compile(r"[A-Za-z0-9._-]+")
_ADJACENT = re.compile(r"[._-]{2}")
_ADDRESS = re.compile(r"\d{1,3}(\.\d{1,3}){3}")


def check_name(name: str) -> None:
    """AwsError InvalidTrailNameException; the texts but the last two are those that clients report."""
    if not name.strip():
        raise errors.bad_name("Trail name cannot be blank!")
    if len(name) < _SHORTEST:
        raise errors.bad_name(
            f"Trail name too short. Minimum allowed length: {_SHORTEST} characters. Specified name length: {len(name)} characters."
        )
    if len(name) > _LONGEST:
        raise errors.bad_name(
            f"Trail name too long. Maximum allowed length: {_LONGEST} characters. Specified name length: {len(name)} characters."
        )
    if not _alphanumeric(name[0]):
        raise errors.bad_name("Trail name must starts with a letter or number.")
    if not _alphanumeric(name[-1]):
        raise errors.bad_name("Trail name must ends with a letter or number.")
    if not _ALLOWED.fullmatch(name):
        raise errors.bad_name(
            "Trail name or ARN can only contain uppercase letters, lowercase letters, numbers, periods (.), hyphens (-), and underscores (_)."
        )
    if _ADJACENT.search(name):
        raise errors.bad_name("Trail name cannot have adjacent periods, underscores or dashes.")
    if _ADDRESS.fullmatch(name):
        raise errors.bad_name("Trail names must not be formatted as an IP address.")


def find(state: TrailState, call: Call, given: str, *, as_asked: bool = False) -> TrailConfig:
    """The trail to read: by name one of this region, by ARN also the shadow of a multi-region one.

    Where there is none the error tells the ARN, as AWS's GetTrailStatus and GetEventSelectors do (aws-sdk-go-v2 issue 1957);
    with `as_asked` what was asked for, as GetTrail does by moto's tests (UNCONFIRMED: no capture of AWS itself).
    """
    if arns.is_arn(given):
        return _by_arn(state, call, given)
    check_name(given)
    found = state.trails.get((call.region, given))
    if found is None:
        raise errors.unknown_trail(given if as_asked else trail_arn(call.region, call.account, given), call.account)
    return found


def find_to_change(state: TrailState, call: Call, given: str) -> TrailConfig:
    """The trail to change, in its home region; where there is none the error tells what was asked for (AWS's page of log file examples)."""
    if arns.is_arn(given):
        found = _by_arn(state, call, given)
        if found.region != call.region:
            raise errors.not_at_home(found.arn, found.region)
        return found
    check_name(given)
    own = state.trails.get((call.region, given))
    if own is None:
        raise errors.unknown_trail(given, call.account)
    return own


def _by_arn(state: TrailState, call: Call, arn: str) -> TrailConfig:
    try:
        parsed = arns.parse(arn)
    except ValueError:
        raise errors.not_trail_arn(arn) from None
    kind, _, name = parsed.resource.partition("/")
    if parsed.service != "cloudtrail" or kind != "trail" or not name:
        raise errors.not_trail_arn(arn)
    if parsed.account != call.account:
        raise errors.bad_arn()
    found = state.trails.get((parsed.region, name))
    if found is None or not found.seen_in(call.region):
        raise errors.unknown_trail(arn, call.account)
    return found


def _alphanumeric(letter: str) -> bool:
    return letter.isascii() and letter.isalnum()
