"""Detector blind: the watch lost a right or a source that it needs to see. Has a memory. Pure.

One matter per thing that it looks at, but one per account where AWS does not take the credentials: it is one cause, whatever is asked.
It is fed with every attempt, good or bad; throttling is no blindness, as the pace yields to it.
"""

from collections.abc import Mapping

import msgspec

from hinoban.aws.errors import CREDENTIALS_REFUSED
from hinoban.base.clock import MINUTES
from hinoban.base.units import iso_seconds
from hinoban.watch.detect.services import Over, Told
from hinoban.watch.detect.sight import Tried, about_watch
from hinoban.watch.explain import explain_finding
from hinoban.watch.explain.catalogue import find
from hinoban.watch.model import Finding

VERDICT = "BLIND"
DENIED_FOR, UNREACHABLE_FOR = 1 * MINUTES, 3 * MINUTES
"""IAM forgets and remembers for some seconds when policies are changed; a network has its moments."""
OF_RIGHTS = ("access_denied", "pass_role_denied", "credentials_refused", "account_blocked", "blocked")
_NO_CREDENTIALS = ("AccessDenied", "AccessDeniedException", "NoCredentials")
"""AssumeRole's refusals, and a profile without credentials."""


class Sight(msgspec.Struct, frozen=True):
    """How one thing is seen: since when it fails, and how. Its first value is worth no row."""

    failed_since: float | None = None
    last: Tried | None = None
    subject: str | None = None
    """Set while it is told."""
    refused: Mapping[str, str] = {}
    """Of credentials: the things for which they are not taken, each with its region."""


def key_of(tried: Tried) -> str:
    """What was looked at, through which source; of credentials, whose they are."""
    return credentials_key(tried.account) if tried.credentials else thing_of(tried.source, tried.what)


def thing_of(source: str, what: str) -> str:
    """The name of what is looked at through a source."""
    return f"{source}#{what}"


def credentials_key(account: str) -> str:
    """The key of an account's credentials."""
    return f"credentials#{account}"


def seen(state: Sight, tried: Tried) -> tuple[Sight, tuple[Told, ...]]:
    """One more attempt; an older one than the latest says nothing."""
    if (state.last is not None and tried.at < state.last.at) or is_throttling(tried):
        return state, ()
    if tried.credentials:
        return _credentials_seen(state, tried)
    if tried.code is None:
        return Sight(), (Over(state.subject, tried.at, f"{tried.what} can be seen again."),) if state.subject else ()
    since = tried.at if state.failed_since is None else state.failed_since
    return asked(Sight(since, tried, state.subject), tried.at)


def _credentials_seen(state: Sight, tried: Tried) -> tuple[Sight, tuple[Told, ...]]:
    """They are well again when everything that they were refused for is answered."""
    thing = thing_of(tried.source, tried.what)
    if tried.code is not None:
        since = tried.at if state.failed_since is None else state.failed_since
        return asked(Sight(since, tried, state.subject, {**state.refused, thing: tried.region}), tried.at)
    left = {name: region for name, region in state.refused.items() if name != thing}
    if left:
        return msgspec.structs.replace(state, refused=left), ()
    return Sight(), (Over(state.subject, tried.at, "The credentials are taken again."),) if state.subject else ()


def asked(state: Sight, now: float) -> tuple[Sight, tuple[Told, ...]]:
    """A finding once it has failed for long enough."""
    moment = due(state)
    if moment is None or now < moment or state.last is None:
        return state, ()
    since = state.failed_since or now
    finding = _of_credentials(state.last, state.refused, since) if state.last.credentials else _finding(state.last, since)
    return msgspec.structs.replace(state, subject=finding.subject), (finding,)


def due(state: Sight) -> float | None:
    """When its failing becomes a matter; None while it is well, or told already."""
    if state.failed_since is None or state.last is None or state.subject is not None:
        return None
    return state.failed_since + (DENIED_FOR if state.last.credentials or is_right(state.last) else UNREACHABLE_FOR)


def is_right(tried: Tried) -> bool:
    """Whether AWS refused for want of a right, as the catalogue knows its codes."""
    match = find("launch_error", tried.message, error_code=tried.code)
    return match is not None and match.entry.code in OF_RIGHTS


def refuses_credentials(code: str | None, *, unsigned: bool) -> bool:
    """Whether AWS did not take the credentials; `unsigned`: there were none to send, as a profile or a role gave none."""
    return code in CREDENTIALS_REFUSED or (unsigned and code in _NO_CREDENTIALS)


def is_throttling(tried: Tried) -> bool:
    """Whether AWS only asked us to be slower."""
    match = find("launch_error", tried.message, error_code=tried.code) if tried.code else None
    return match is not None and match.entry.kind == "throttling"


def _finding(tried: Tried, since: float) -> Finding:
    right, said = is_right(tried), _said(tried)
    explanation = explain_finding("right_lost" if right else "source_lost", {"what": tried.what, "since": iso_seconds(since)}, (said,))
    facts = {"what": tried.what, "since": since, "error_code": tried.code}
    return about_watch(tried, "blind", f"blind:{key_of(tried)}", VERDICT, explanation, at=since, facts=facts)


def _of_credentials(tried: Tried, refused: Mapping[str, str], since: float) -> Finding:
    regions = sorted({region for region in refused.values() if region})
    whose = tried.account or tried.source
    named = f"{whose} ({', '.join(regions)})" if regions else whose
    texts = {"whose": named, "role": tried.role, "since": iso_seconds(since)}
    explanation = explain_finding("role_refused" if tried.role else "account_refused", texts, (_said(tried),))
    facts = {"what": "credentials", "since": since, "error_code": tried.code, "regions": regions, "role": tried.role or None}
    about = msgspec.structs.replace(tried, source=f"account {whose}", region=regions[0] if len(regions) == 1 else "")
    return about_watch(about, "blind", f"blind:{key_of(tried)}", VERDICT, explanation, at=since, facts=facts)


def _said(tried: Tried) -> str:
    return f"{tried.code}: {tried.message}" if tried.message else str(tried.code)
