"""AWS Signature Version 4 in the Authorization header: checks it for the server, makes it for the client.

Written by hand for speed and tested against botocore's signer. Source: "AWS Signature Version 4 for API requests" (IAM User Guide).
Presigned URLs (the query form) are answered with an error that says so.
"""

import base64
import calendar
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes, urlsplit

import msgspec
from msgspec import Struct

from hinoban.aws import errors
from hinoban.aws.call import Caller
from hinoban.aws.http import HttpRequest
from hinoban.base.clock import MINUTES, Clock

SKEW = 5 * MINUTES
ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
EMPTY_HASH = hashlib.sha256(b"").hexdigest()
UNESCAPED = "-_.~"
# Proxies and HTTP libraries change these on the way, so nobody signs them.
UNSIGNED_HEADERS = frozenset(
    {"authorization", "connection", "expect", "transfer-encoding", "user-agent", "x-amzn-trace-id", "content-length"}
)

_AMZ_DATE = re.compile(r"\d{8}T\d{6}Z")
_ANYBODY = Caller(access_key_id="", principal_arn="arn:aws:iam::123456789012:user/anybody", principal_type="IAMUser")

Secrets = Callable[[str], tuple[str, Caller] | None]


class Credentials(Struct, frozen=True):
    """A key pair; the session token goes with temporary ones."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"Credentials({self.access_key_id!r}, ...)"


class Scope(Struct, frozen=True):
    """The credential scope: whose key, and the day, region and service that the signature is good for."""

    access_key_id: str
    date: str
    region: str
    service: str


class Verified(Struct, frozen=True):
    """Who called, and the region and service that the credential scope names (service empty when unsigned and `enabled=False`)."""

    access_key_id: str
    caller: Caller
    region: str
    service: str


class Verifier:
    """Checks the signature of a request against the secrets we know.

    `secrets` gives the secret and the caller of a key id. With `enabled=False` nothing is checked; the scope is still read, and
    `default_region` and `anybody` stand in where it says nothing.
    """

    def __init__(
        self,
        secrets: Secrets,
        clock: Clock,
        *,
        enabled: bool = True,
        default_region: str = "ap-northeast-1",
        anybody: Caller = _ANYBODY,
    ) -> None:
        self._secrets = secrets
        self._clock = clock
        self._enabled = enabled
        self._default_region = default_region
        self._anybody = anybody

    def verify(self, request: HttpRequest, *, s3: bool = False) -> Verified:
        """Who signed the request; AwsError when nobody did, or badly. `s3` takes S3's canonical path (encoded once, not normalised)."""
        header = request.headers.get("authorization")
        if not self._enabled:
            return self._unchecked(header)
        if header is None:
            if "X-Amz-Signature=" in request.query:
                raise errors.incomplete_signature(
                    "Hinoban does not take presigned URLs yet. Sign the request with the Authorization header instead."
                )
            raise errors.missing_authentication()
        amz_date = request.headers.get("x-amz-date") or request.headers.get("date")
        beginning, separator, signature = header.rpartition("Signature=")
        if separator and "," not in signature:
            scope, signed_headers = _parse_beginning(beginning, amz_date is not None)
        else:
            scope, signed_headers, signature = _parse(header, amz_date is not None)
        if amz_date is None:
            raise _lacking(header, [], has_date=False)
        if "x-amz-target" in request.headers and "x-amz-target" not in signed_headers:
            # It names the operation: unsigned, whoever saw one call could turn it into another (IAM User Guide: x-amz-* must be signed).
            raise errors.invalid_signature("'x-amz-target' must be a 'SignedHeader' in the AWS Authorization.")
        known = self._secrets(scope.access_key_id)
        if known is None:
            raise errors.unrecognized_client()
        secret, caller = known
        _check_date(amz_date, scope, self._clock.now())
        expected = _signature(request, scope, signed_headers, amz_date, secret, s3)
        if not hmac.compare_digest(expected.encode(), signature.strip().encode("utf-8", "replace")):
            raise errors.invalid_signature()
        return Verified(scope.access_key_id, caller, scope.region, scope.service)

    def _unchecked(self, header: str | None) -> Verified:
        try:
            scope = _parse(header or "", True)[0]
        except errors.AwsError:
            return Verified(self._anybody.access_key_id, self._anybody, self._default_region, "")
        known = self._secrets(scope.access_key_id)
        caller = known[1] if known else msgspec.structs.replace(self._anybody, access_key_id=scope.access_key_id)
        return Verified(scope.access_key_id, caller, scope.region, scope.service)


def sign(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    credentials: Credentials,
    region: str,
    service: str,
    now: float,
    *,
    s3: bool = False,
) -> dict[str, str]:
    """The headers to add to the request: host, x-amz-date, authorization, and x-amz-security-token with temporary credentials.

    The URL must be as it goes over the wire (percent-encoded). `headers` are those that will be sent.
    """
    parts = urlsplit(url)
    amz_date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    added = {"host": _host(parts.scheme, parts.netloc), "x-amz-date": amz_date}
    if credentials.session_token:
        added["x-amz-security-token"] = credentials.session_token
    lower = {name.lower(): value for name, value in headers.items()} | added
    signed_headers = tuple(sorted(lower.keys() - UNSIGNED_HEADERS))
    scope = Scope(credentials.access_key_id, amz_date[:8], region, service)
    request = HttpRequest(method, parts.path or "/", parts.query, lower, body, "")
    signature = _signature(request, scope, signed_headers, amz_date, credentials.secret_access_key, s3)
    added["authorization"] = (
        f"{ALGORITHM} Credential={scope.access_key_id}/{scope.date}/{region}/{service}/aws4_request, "
        f"SignedHeaders={';'.join(signed_headers)}, Signature={signature}"
    )
    return added


# The canonical request ---------------------------------------------------------------------------------------------------------------


def _signature(request: HttpRequest, scope: Scope, signed_headers: tuple[str, ...], amz_date: str, secret: str, s3: bool) -> str:
    lines = [request.method, _canonical_path(request.path, s3), canonical_query(request.query) if request.query else ""]
    headers = request.headers
    for name in signed_headers:
        value = headers.get(name)
        if value is None:
            raise errors.invalid_signature(f"The header '{name}' is named in SignedHeaders but was not sent.")
        lines.append(f"{name}:{' '.join(value.split())}")
    lines.append("")
    lines.append(";".join(signed_headers))
    lines.append(_payload_hash(request))
    try:
        canonical = "\n".join(lines).encode("latin-1")
    except UnicodeEncodeError:
        # Only our own client can hold such text; on the wire it is UTF-8.
        canonical = "\n".join(lines).encode()
    to_sign = f"{ALGORITHM}\n{amz_date}\n{scope.date}/{scope.region}/{scope.service}/aws4_request\n{hashlib.sha256(canonical).hexdigest()}"
    return hmac.digest(_signing_key(secret, scope.date, scope.region, scope.service), to_sign.encode(), "sha256").hex()


def _payload_hash(request: HttpRequest) -> str:
    told = request.headers.get("x-amz-content-sha256")
    if told == UNSIGNED_PAYLOAD:
        return told
    found = hashlib.sha256(request.body).hexdigest() if request.body else EMPTY_HASH
    if told is not None and told != found:
        raise errors.invalid_signature("The provided 'x-amz-content-sha256' header does not match what was computed.")
    return found


@lru_cache(maxsize=256)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The derived key; cached, as it stays the same for a day. The secret is part of the cache's key, so a new one is seen at once."""
    key = hmac.digest(b"AWS4" + secret.encode(), date.encode(), "sha256")
    for part in (region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _canonical_path(path: str, s3: bool) -> str:
    if path == "/" or not path:
        return "/"
    if s3:
        return path
    # Encoded once more than on the wire, as every service but S3 wants it.
    return quote(normalised_path(path), safe="/" + UNESCAPED)


def normalised_path(path: str) -> str:
    """The path without empty, `.` and `..` segments; a slash at the end stays."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment and segment != ".":
            kept.append(segment)
    return f"/{'/'.join(kept)}{'/' if kept and path.endswith('/') else ''}"


def canonical_query(query: str) -> str:
    """Names and values encoded anew, sorted by name and then by value."""
    pairs = []
    for part in query.split("&"):
        if part:
            name, _, value = part.partition("=")
            pairs.append((_recoded(name), _recoded(value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _recoded(text: str) -> str:
    return quote(unquote_to_bytes(text), safe=UNESCAPED)


def _host(scheme: str, netloc: str) -> str:
    host = netloc.rpartition("@")[2]
    return host.removesuffix(":443" if scheme == "https" else ":80")


# The Authorization header ------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def _parse_beginning(beginning: str, has_date: bool) -> tuple[Scope, tuple[str, ...]]:
    """All but the signature: it is the same for a client's every call of the day, hence the cache."""
    scope, signed_headers, _ = _parse(f"{beginning}Signature=0", has_date)
    return scope, signed_headers


def _parse(header: str, has_date: bool) -> tuple[Scope, tuple[str, ...], str]:
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
    lacking = [name for name in ("Credential", "Signature", "SignedHeaders") if not fields.get(name)]
    if lacking:
        raise _lacking(header, lacking, has_date=has_date)
    return _parse_scope(fields["Credential"]), _parse_signed_headers(fields["SignedHeaders"]), fields["Signature"]


def _lacking(header: str, names: list[str], *, has_date: bool) -> errors.AwsError:
    texts = [f"Authorization header requires '{name}' parameter." for name in names]
    if not has_date:
        texts.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    return errors.incomplete_signature(f"{' '.join(texts)} (Hashed with SHA-256 and encoded with Base64) Authorization={_hashed(header)}")


def _hashed(header: str) -> str:
    """As AWS shows a bad header: recognisable for who sent it, and no secret for who reads the error."""
    return base64.b64encode(hashlib.sha256(header.encode("utf-8", "replace")).digest()).decode()


def _parse_scope(credential: str) -> Scope:
    parts = credential.rsplit("/", 4)
    if len(parts) != 5 or not all(parts):
        raise errors.incomplete_signature(
            f"Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{credential}'"
        )
    if parts[4] != "aws4_request":
        raise errors.invalid_signature(f"Credential should be scoped with a valid terminator: 'aws4_request', not '{parts[4]}'.")
    return Scope(parts[0], parts[1], parts[2], parts[3])


def _parse_signed_headers(text: str) -> tuple[str, ...]:
    names = tuple(sorted(text.lower().split(";")))
    if "host" not in names:
        raise errors.invalid_signature("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    return names


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


def _check_date(text: str, scope: Scope, now: float) -> None:
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
