"""Signatures: ours against botocore's, and every way in which one can be wrong."""

from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given
from hypothesis import strategies as st

from hinoban.aws import sigv4
from hinoban.aws.call import Caller
from hinoban.aws.errors import AwsError
from hinoban.aws.http import HttpRequest
from hinoban.aws.sigv4 import Credentials, Verifier, sign
from hinoban.base.clock import FakeClock

KEY = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
CALLER = Caller(access_key_id=KEY.access_key_id, principal_arn="arn:aws:iam::123456789012:user/hinoban", principal_type="IAMUser")
NOW = 1_795_705_200.0

header_values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)
header_names = st.from_regex(r"x-[a-z]{1,8}-[a-z]{1,8}", fullmatch=True)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
queries = st.lists(st.tuples(words.filter(bool), words), max_size=5).map(
    lambda pairs: "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs)
)
paths = st.lists(words, max_size=4).map(lambda segments: "/" + "/".join(quote(segment, safe="-_.~") for segment in segments))


def secrets(key_id: str) -> tuple[str, Caller] | None:
    return (KEY.secret_access_key, CALLER) if key_id == KEY.access_key_id else None


def verifier(now: float = NOW, **options: Any) -> Verifier:
    return Verifier(secrets, FakeClock(now), **options)


def boto_headers(
    method: str, url: str, headers: dict[str, str], body: bytes, auth: type[SigV4Auth] = SigV4Auth, token: str | None = None
) -> dict[str, str]:
    request = AWSRequest(method=method, url=url, headers=headers, data=body)
    moment = datetime.fromtimestamp(NOW, UTC)
    with patch("botocore.auth.get_current_datetime", lambda: moment.replace(tzinfo=None)):
        auth(BotoCredentials(KEY.access_key_id, KEY.secret_access_key, token), "ecs", "ap-northeast-1").add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


def as_request(method: str, url: str, headers: dict[str, str], body: bytes) -> HttpRequest:
    parts = urlsplit(url)
    return HttpRequest(method, parts.path or "/", parts.query, {"host": parts.netloc} | headers, body, "127.0.0.1")


def signed(now: float = NOW, body: bytes = b"{}", **more: str) -> HttpRequest:
    url = "http://127.0.0.1:4566/"
    headers = {"x-amz-target": "AmazonEC2ContainerServiceV20141113.ListClusters"}
    return as_request("POST", url, headers | sign("POST", url, headers, body, KEY, "ap-northeast-1", "ecs", now) | more, body)


def refused(request: HttpRequest, **options: Any) -> AwsError:
    with pytest.raises(AwsError) as caught:
        verifier(**options).verify(request)
    return caught.value


@given(st.sampled_from(["POST", "GET", "PUT"]), paths, queries, st.dictionaries(header_names, header_values, max_size=4), st.binary())
def test_what_botocore_signs_we_verify(method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> None:
    url = f"http://127.0.0.1:4566{path}{'?' + query if query else ''}"
    request = as_request(method, url, boto_headers(method, url, headers, body), body)
    verified = verifier().verify(request)
    assert (verified.access_key_id, verified.region, verified.service, verified.caller) == ("AKIDEXAMPLE", "ap-northeast-1", "ecs", CALLER)


@given(st.sampled_from(["POST", "GET"]), paths, queries, st.dictionaries(header_names, header_values, max_size=4), st.binary())
def test_we_sign_as_botocore_does(method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> None:
    url = f"http://127.0.0.1:4566{path}{'?' + query if query else ''}"
    ours = sign(method, url, headers, body, KEY, "ap-northeast-1", "ecs", NOW)
    assert ours["authorization"] == boto_headers(method, url, headers, body)["authorization"]
    assert ours["host"] == "127.0.0.1:4566"


def test_s3_paths_are_encoded_once() -> None:
    url = "http://127.0.0.1:4566/bucket//a%20b/../c"
    request = as_request("GET", url, boto_headers("GET", url, {}, b"", S3SigV4Auth), b"")
    assert verifier().verify(request, s3=True).service == "ecs"
    with pytest.raises(AwsError, match="signature we calculated"):
        verifier().verify(request)


def test_a_session_token_is_signed_along() -> None:
    url = "http://127.0.0.1:4566/"
    key = Credentials(KEY.access_key_id, KEY.secret_access_key, "token==")
    ours = sign("POST", url, {}, b"", key, "ap-northeast-1", "ecs", NOW)
    assert ours["x-amz-security-token"] == "token=="
    assert ours["authorization"] == boto_headers("POST", url, {}, b"", token="token==")["authorization"]
    assert verifier().verify(as_request("POST", url, ours, b"")).caller == CALLER


@given(st.data())
def test_no_changed_byte_goes_through(data: st.DataObject) -> None:
    request = signed(body=b'{"cluster":"default"}')
    at = data.draw(st.integers(0, len(request.body) - 1))
    body = bytearray(request.body)
    body[at] ^= data.draw(st.integers(1, 255))
    changed = HttpRequest(request.method, request.path, request.query, request.headers, bytes(body), request.client)
    assert refused(changed).code == "InvalidSignatureException"


@given(st.text(max_size=80) | st.from_regex(r"AWS4-HMAC-SHA256 (Credential=\S*|SignedHeaders=\S*|Signature=\S*|, )*"))
def test_any_authorization_header_is_answered(header: str) -> None:
    error = refused(signed(authorization=header))
    assert error.status == 400
    assert error.code in ("IncompleteSignatureException", "InvalidSignatureException", "UnrecognizedClientException")


def test_an_operation_that_is_not_signed_is_refused() -> None:
    url = "http://127.0.0.1:4566/"
    ours = sign("POST", url, {}, b"", KEY, "ap-northeast-1", "ecs", NOW)
    request = as_request("POST", url, ours | {"x-amz-target": "AmazonEC2ContainerServiceV20141113.DeleteCluster"}, b"")
    assert refused(request).code == "InvalidSignatureException"
    assert "'x-amz-target' must be a 'SignedHeader'" in refused(request).message


def test_no_signature_at_all() -> None:
    request = as_request("POST", "http://127.0.0.1:4566/", {}, b"")
    assert (refused(request).code, refused(request).message) == ("MissingAuthenticationTokenException", "Missing Authentication Token")


def test_a_presigned_url_that_lacks_something() -> None:
    request = as_request("GET", "http://127.0.0.1:4566/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00", {}, b"")
    assert refused(request).message == "AWS query-string parameters must include 'X-Amz-Credential'."


def test_an_unknown_key_id() -> None:
    request = signed()
    request.headers["authorization"] = request.headers["authorization"].replace("AKIDEXAMPLE", "AKIDOTHER")
    error = refused(request)
    assert (error.code, error.message) == ("UnrecognizedClientException", "The security token included in the request is invalid.")


def test_a_wrong_secret() -> None:
    url = "http://127.0.0.1:4566/"
    other = Credentials(KEY.access_key_id, "other")
    request = as_request("POST", url, sign("POST", url, {}, b"", other, "ap-northeast-1", "ecs", NOW), b"")
    error = refused(request)
    assert (error.code, error.message) == (
        "InvalidSignatureException",
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and "
        "signing method. Consult the service documentation for details.",
    )


def test_five_minutes_of_skew_either_way() -> None:
    assert verifier(NOW + 300).verify(signed()).service == "ecs"
    assert verifier(NOW - 300).verify(signed()).service == "ecs"
    late, early = refused(signed(), now=NOW + 301), refused(signed(), now=NOW - 301)
    assert late.code == early.code == "InvalidSignatureException"
    assert late.message == "Signature expired: 20261126T150000Z is now earlier than 20261126T150001Z (20261126T150501Z - 5 min.)"
    assert early.message == "Signature not yet current: 20261126T150000Z is still later than 20261126T145959Z (20261126T145459Z + 5 min.)"


@pytest.mark.parametrize(
    ("old", "new", "code", "text"),
    [
        ("aws4_request", "aws5_request", "InvalidSignatureException", "valid terminator: 'aws4_request', not 'aws5_request'"),
        ("/ecs/aws4_request", "", "IncompleteSignatureException", "Credential must have exactly 5 slash-delimited elements"),
        ("SignedHeaders=host;", "SignedHeaders=", "InvalidSignatureException", "'Host' or ':authority' must be a 'SignedHeader'"),
        ("SignedHeaders=host;", "SignedHeaders=absent;host;", "InvalidSignatureException", "'absent' is named in SignedHeaders"),
        ("Credential=", "Credential= ", "IncompleteSignatureException", "Invalid key=value pair (missing equal-sign)"),
        (", Signature=", ", Sig=", "IncompleteSignatureException", "Authorization header requires 'Signature' parameter."),
        (
            "AWS4-HMAC-SHA256",
            "Bearer",
            "IncompleteSignatureException",
            "requires 'Credential' parameter. Authorization header requires 'Sig",
        ),
        ("/20261126/", "/20261125/", "InvalidSignatureException", "'20261125' != '20261126', from '20261126T150000Z'."),
    ],
)
def test_a_bad_header_is_told_in_awss_words(old: str, new: str, code: str, text: str) -> None:
    request = signed()
    assert old in request.headers["authorization"]
    request.headers["authorization"] = request.headers["authorization"].replace(old, new)
    error = refused(request)
    assert error.code == code
    assert text in error.message


def test_a_missing_or_strange_date() -> None:
    request = signed()
    del request.headers["x-amz-date"]
    assert "existence of either a 'X-Amz-Date' or a 'Date' header" in refused(request).message
    assert "Date must be in ISO-8601 'basic format'. Got 'yesterday'" in refused(signed(**{"x-amz-date": "yesterday"})).message


def test_the_payload_hash_is_believed_only_when_true() -> None:
    url = "http://127.0.0.1:4566/"
    for told, fine in ((sigv4.EMPTY_HASH, True), ("UNSIGNED-PAYLOAD", True), ("0" * 64, False)):
        headers = boto_headers("POST", url, {"x-amz-content-sha256": told}, b"")
        request = as_request("POST", url, headers, b"")
        if fine:
            assert verifier().verify(request).service == "ecs"
        else:
            assert "does not match what was computed" in refused(request).message


def test_a_changed_secret_is_seen_at_once() -> None:
    secret = [KEY.secret_access_key]
    checked = Verifier(lambda key_id: (secret[0], CALLER), FakeClock(NOW))
    checked.verify(signed())
    secret[0] = "new"
    with pytest.raises(AwsError, match="InvalidSignature"):
        checked.verify(signed())


def test_without_auth_the_scope_is_still_read() -> None:
    request = signed()
    request.headers["authorization"] = (
        request.headers["authorization"].replace("AKIDEXAMPLE", "test").replace("ap-northeast-1", "eu-west-1")
    )
    verified = verifier(enabled=False).verify(request)
    assert (verified.access_key_id, verified.caller.access_key_id, verified.region, verified.service) == (
        "test",
        "test",
        "eu-west-1",
        "ecs",
    )
    for headers in ({}, {"authorization": "Bearer x"}):
        nobody = verifier(enabled=False).verify(as_request("POST", "http://127.0.0.1:4566/", headers, b""))
        assert (nobody.region, nobody.service) == ("ap-northeast-1", "")


def test_a_secret_is_not_printed() -> None:
    assert KEY.secret_access_key not in repr(KEY)
