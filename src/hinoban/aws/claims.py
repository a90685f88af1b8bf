"""What a request says of its signature, in the Authorization header or in a presigned URL: who signed, for what, when, over which headers.

Only reads and dates are judged here; whether the signature is right is sigv4's to say.
"""

import base64
import calendar
import hashlib
import re
import time
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote

from msgspec import Struct

from hinoban.aws import errors
from hinoban.aws.http import HttpRequest
from hinoban.base.clock import MINUTES

SKEW = 5 * MINUTES
LONGEST_PRESIGNED = 604_800  # seconds
ALGORITHM = "AWS4-HMAC-SHA256"

_AMZ_DATE = re.compile(r"\d{8}T\d{6}Z")


class Scope(Struct, frozen=True):
    """The credential scope: whose key, and the day, region and service that the signature is good for."""

    access_key_id: str
    date: str
    region: str
    service: str


# The Authorization header ------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def parse_beginning(beginning: str, has_date: bool) -> tuple[Scope, tuple[str, ...]]:
    """All but the signature: it is the same for a client's every call of the day, hence the cache."""
    scope, signed_headers, _ = parse(f"{beginning}Signature=0", has_date)
    return scope, signed_headers


def parse(header: str, has_date: bool) -> tuple[Scope, tuple[str, ...], str]:
    algorithm, _, rest = header.partition(" ")
    fields: dict[str, str] = {}
    if algorithm == ALGORITHM:
        for part in rest.replace(",", " ").split():
            name, equals, value = part.partition("=")
            if not equals:
                raise errors.incomplete_signature(
                    "Invalid key=value pair (missing equal-sign) in Authorization header "
                    f"(hashed with SHA-256 and encoded with Base64): '{_hashed(header)}'."
                )
            fields[name] = value
    missing = [name for name in ("Credential", "Signature", "SignedHeaders") if not fields.get(name)]
    if missing:
        raise lacking(header, missing, has_date=has_date)
    return parse_scope(fields["Credential"]), parse_signed_headers(fields["SignedHeaders"]), fields["Signature"]


def lacking(header: str, names: list[str], *, has_date: bool) -> errors.AwsError:
    texts = [f"Authorization header requires '{name}' parameter." for name in names]
    if not has_date:
        texts.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    return errors.incomplete_signature(f"{' '.join(texts)} (Hashed with SHA-256 and encoded with Base64) Authorization={_hashed(header)}")


def _hashed(header: str) -> str:
    """As AWS shows a bad header: recognisable for who sent it, and no secret for who reads the error."""
    return base64.b64encode(hashlib.sha256(header.encode("utf-8", "replace")).digest()).decode()


def parse_scope(credential: str) -> Scope:
    parts = credential.rsplit("/", 4)
    if len(parts) != 5 or not all(parts):
        raise errors.incomplete_signature(
            f"Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{credential}'"
        )
    if parts[4] != "aws4_request":
        raise errors.invalid_signature(f"Credential should be scoped with a valid terminator: 'aws4_request', not '{parts[4]}'.")
    return Scope(parts[0], parts[1], parts[2], parts[3])


def parse_signed_headers(text: str) -> tuple[str, ...]:
    names = tuple(sorted(text.lower().split(";")))
    if "host" not in names:
        raise errors.invalid_signature("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    return names


# A presigned URL ---------------------------------------------------------------------------------------------------------------------


def claimed_key(request: HttpRequest) -> str:
    """The key id that a request says it is signed with; empty if it says none."""
    found = re.search(r"[ ?&,](?:X-Amz-)?Credential=([^/%,]+)", f" {request.headers.get('authorization', '')}&{request.query}")
    return found[1] if found else ""


def presigned(query: str) -> dict[str, str]:
    """The signature's own parameters, decoded; AwsError where one is missing."""
    told = {name: unquote(value) for name, _, value in (part.partition("=") for part in query.split("&")) if name.startswith("X-Amz-")}
    for name in ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"):
        if not told.get(f"X-Amz-{name}"):
            raise errors.incomplete_signature(f"AWS query-string parameters must include 'X-Amz-{name}'.")
    if told["X-Amz-Algorithm"] != ALGORITHM or not told["X-Amz-Expires"].isdecimal() or int(told["X-Amz-Expires"]) > LONGEST_PRESIGNED:
        raise errors.incomplete_signature(f"X-Amz-Algorithm must be {ALGORITHM}, X-Amz-Expires at most {LONGEST_PRESIGNED} seconds.")
    return told


def check_presigned_date(told: Mapping[str, str], scope: Scope, now: float) -> None:
    basic, moment = _parse_amz_date(told["X-Amz-Date"])
    if basic[:8] != scope.date or moment > now + SKEW:
        raise errors.access_denied("Request is not valid yet")
    if moment + int(told["X-Amz-Expires"]) < now:
        raise errors.access_denied("Request has expired")


# The date ----------------------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _parse_amz_date(text: str) -> tuple[str, float]:
    """A date header as basic ISO 8601, and as a moment."""
    if _AMZ_DATE.fullmatch(text):
        try:
            return text, float(calendar.timegm(time.strptime(text, "%Y%m%dT%H%M%SZ")))
        except ValueError:
            pass
    raise errors.incomplete_signature(f"Date must be in ISO-8601 'basic format'. Got '{text}'. See http://en.wikipedia.org/wiki/ISO_8601")


def check_date(text: str, scope: Scope, now: float) -> None:
    basic, moment = _parse_amz_date(text)
    if basic[:8] != scope.date:
        raise errors.invalid_signature(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{scope.date}' != '{basic[:8]}', from '{text}'."
        )
    if moment < now - SKEW:
        raise errors.invalid_signature(f"Signature expired: {basic} is now earlier than {_amz(now - SKEW)} ({_amz(now)} - 5 min.)")
    if moment > now + SKEW:
        raise errors.invalid_signature(f"Signature not yet current: {basic} is still later than {_amz(now + SKEW)} ({_amz(now)} + 5 min.)")


def _amz(moment: float) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(moment))
