"""AWS Signature Version 4 in the Authorization header: checks it for the server, makes it for the client.

Written by hand for speed and tested against botocore's signer. Source: "AWS Signature Version 4 for API requests" (IAM User Guide).
Presigned URLs hold the same in their query string ("Authenticating Requests: Using Query Parameters", S3 API Reference).
"""

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes, urlsplit

import msgspec
from msgspec import Struct

from hinoban.aws import errors
from hinoban.aws.call import Caller
from hinoban.aws.claims import (
    ALGORITHM,
    Scope,
    check_date,
    check_presigned_date,
    lacking,
    parse,
    parse_beginning,
    parse_scope,
    parse_signed_headers,
    presigned,
)
from hinoban.aws.http import HttpRequest
from hinoban.base.clock import Clock

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
VERSION_2 = "AWSAccessKeyId="
EMPTY_HASH = hashlib.sha256(b"").hexdigest()
UNESCAPED = "-_.~"
# Proxies and HTTP libraries change these on the way, so nobody signs them.
UNSIGNED_HEADERS = frozenset(
    {"authorization", "connection", "expect", "transfer-encoding", "user-agent", "x-amzn-trace-id", "content-length"}
)

_ANYBODY = Caller(access_key_id="", principal_arn="arn:aws:iam::123456789012:user/anybody", principal_type="IAMUser")

Secrets = Callable[[str], tuple[str, Caller] | None]


class Credentials(Struct, frozen=True):
    """A key pair; the session token goes with temporary ones."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"Credentials({self.access_key_id!r}, ...)"


class TemporaryKey(Struct, frozen=True):
    """A key that was made here, by IAM or STS; requests signed with it must bring its session token, where it has one."""

    secret: str
    caller: Caller
    session_token: str | None = None


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
        self.enabled = enabled
        self._default_region = default_region
        self._anybody = anybody

    def verify(self, request: HttpRequest, *, s3: bool = False, key: TemporaryKey | None = None) -> Verified:
        """Who signed the request; AwsError when nobody did, or badly. `s3` takes S3's canonical path (encoded once, not normalised) and
        its unsigned bodies; `key` is used in place of the secrets we know."""
        header = request.headers.get("authorization")
        if not self.enabled:
            return self._unchecked(header, request.query)
        if header is None:
            if "X-Amz-Signature=" in request.query:
                return self._verify_presigned(request, s3, key)
            if VERSION_2 in request.query:
                raise errors.signature_version_2()
            raise errors.missing_authentication()
        amz_date = request.headers.get("x-amz-date") or request.headers.get("date")
        beginning, separator, signature = header.rpartition("Signature=")
        if separator and "," not in signature:
            scope, signed_headers = parse_beginning(beginning, amz_date is not None)
        else:
            scope, signed_headers, signature = parse(header, amz_date is not None)
        if amz_date is None:
            raise lacking(header, [], has_date=False)
        _check_target_signed(request, signed_headers)
        secret, caller = self._known(scope.access_key_id, key, request.headers.get("x-amz-security-token"))
        check_date(amz_date, scope, self._clock.now())
        expected = _signature(request, scope, signed_headers, amz_date, secret, s3)
        if not hmac.compare_digest(expected.encode(), signature.strip().encode("utf-8", "replace")):
            raise errors.invalid_signature()
        return Verified(scope.access_key_id, caller, scope.region, scope.service)

    def _known(self, access_key_id: str, key: TemporaryKey | None, token: str | None) -> tuple[str, Caller]:
        if key is not None and (key.session_token is None or key.session_token == token):
            return key.secret, key.caller
        known = self._secrets(access_key_id) if key is None else None
        if known is None:
            raise errors.unrecognized_client()
        return known

    def _verify_presigned(self, request: HttpRequest, s3: bool, key: TemporaryKey | None) -> Verified:
        told = presigned(request.query)
        scope = parse_scope(told["X-Amz-Credential"])
        secret, caller = self._known(scope.access_key_id, key, told.get("X-Amz-Security-Token"))
        check_presigned_date(told, scope, self._clock.now())
        query = "&".join(part for part in request.query.split("&") if not part.startswith("X-Amz-Signature="))
        headers = request.headers | ({"x-amz-content-sha256": UNSIGNED_PAYLOAD} if s3 else {})
        signed = msgspec.structs.replace(request, query=query, headers=headers)
        names = parse_signed_headers(told["X-Amz-SignedHeaders"])
        _check_target_signed(request, names)
        expected = _signature(signed, scope, names, told["X-Amz-Date"], secret, s3)
        if not hmac.compare_digest(expected.encode(), told["X-Amz-Signature"].encode("utf-8", "replace")):
            raise errors.invalid_signature()
        return Verified(scope.access_key_id, caller, scope.region, scope.service)

    def _unchecked(self, header: str | None, query: str) -> Verified:
        try:
            scope = parse_scope(presigned(query)["X-Amz-Credential"]) if header is None else parse(header, True)[0]
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
    lines.append(_payload_hash(request, s3))
    try:
        canonical = "\n".join(lines).encode("latin-1")
    except UnicodeEncodeError:
        # Only our own client can hold such text; on the wire it is UTF-8.
        canonical = "\n".join(lines).encode()
    to_sign = f"{ALGORITHM}\n{amz_date}\n{scope.date}/{scope.region}/{scope.service}/aws4_request\n{hashlib.sha256(canonical).hexdigest()}"
    return hmac.digest(_signing_key(secret, scope.date, scope.region, scope.service), to_sign.encode(), "sha256").hex()


def _check_target_signed(request: HttpRequest, signed_headers: tuple[str, ...]) -> None:
    if "x-amz-target" in request.headers and "x-amz-target" not in signed_headers:
        # It names the operation: unsigned, whoever saw one call could turn it into another (IAM User Guide: x-amz-* must be signed).
        raise errors.invalid_signature("'x-amz-target' must be a 'SignedHeader' in the AWS Authorization.")


def _payload_hash(request: HttpRequest, s3: bool) -> str:
    told = request.headers.get("x-amz-content-sha256")
    if told == UNSIGNED_PAYLOAD or (s3 and told is not None and told.startswith("STREAMING-")):
        # Differs from AWS: the signatures of a body's pieces are not checked.
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
