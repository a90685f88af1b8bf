"""Profiles: whose keys, which region, which endpoint; AWS's own by botocore's data; roles by STS."""

from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from hinoban.aws.profiles import AssumedRole, NoCredentials, Place, Profile, RegionalClient, client_of, client_of_role
from hinoban.aws.sigv4 import Credentials
from hinoban.base.clock import FakeClock
from hinoban.base.errors import HinobanError

CREDENTIALS = """
[default]
aws_access_key_id = AKIADEFAULT
aws_secret_access_key = d
[prd-ro]
aws_access_key_id = AKIAPRD
aws_secret_access_key = p
aws_session_token = t
[half]
aws_access_key_id = AKIAHALF
"""
CONFIG = """
[default]
region = eu-west-1
[profile prd-ro]
region = ap-northeast-1
[profile local]
region = us-east-1
endpoint_url = http://127.0.0.1:4566
[profile nowhere]
"""


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in (("credentials", CREDENTIALS), ("config", CONFIG)):
        (tmp_path / name).write_text(text)
    import os

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return tmp_path


async def test_a_profile_has_its_own_keys_and_region() -> None:
    profile = Profile("prd-ro")
    assert (profile.name, profile.region, profile.foreign) == ("prd-ro", "ap-northeast-1", False)
    assert await profile.keys() == Credentials("AKIAPRD", "p", "t")
    assert Profile("prd-ro", "us-west-2").region == "us-west-2"


async def test_without_a_profile_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await Profile().keys()).access_key_id == "AKIADEFAULT"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "e")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "sa-east-1")
    profile = Profile()
    assert (await profile.keys(), profile.region) == (Credentials("AKIAENV", "e"), "sa-east-1")


def test_the_endpoints_are_aws_own_by_region() -> None:
    place = Profile("prd-ro").place
    assert place("ecs", "ap-northeast-1") == Place("https://ecs.ap-northeast-1.amazonaws.com", "ap-northeast-1")
    assert place("iam", "ap-northeast-1") == Place("https://iam.amazonaws.com", "us-east-1")
    assert place("scheduler", "cn-north-1").url == "https://scheduler.cn-north-1.amazonaws.com.cn"
    assert place("elbv2", "eu-west-1").url == "https://elasticloadbalancing.eu-west-1.amazonaws.com"
    with pytest.raises(HinobanError, match="AWS has no region 'moon-1'"):
        place("ecs", "moon-1")


def test_a_named_endpoint_wins_over_the_profile_s_and_both_over_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    local = Profile("local")
    assert local.foreign and local.place("sqs", "us-east-1") == Place("http://127.0.0.1:4566", "us-east-1")
    named = Profile("local", endpoint_url="http://127.0.0.1:5000/")
    assert named.place("iam", "us-east-1") == Place("http://127.0.0.1:5000", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9324")
    assert Profile("prd-ro").place("sqs", "ap-northeast-1").url == "http://127.0.0.1:9324"
    assert not Profile("prd-ro").foreign


@pytest.mark.parametrize(("name", "words"), [("nobody", "Profile nobody cannot be used"), ("nowhere", "names no region")])
def test_a_profile_that_is_none_is_told_in_words(name: str, words: str) -> None:
    with pytest.raises(HinobanError, match=words):
        Profile(name)


async def test_keys_that_are_missing_are_told_in_words(files: Path) -> None:
    with pytest.raises(HinobanError, match="Profile half cannot be used"):
        await Profile("half", "eu-west-1").keys()
    (files / "credentials").write_text("")
    with pytest.raises(HinobanError, match="Profile local has no credentials"):
        await Profile("local").keys()


class Aws:
    """Answers every call, and remembers where it went and who signed for which region."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, str]] = []
        self.assumed = 0
        self.life = 3600.0
        self.clock = FakeClock()

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self.answer)

    def answer(self, request: httpx.Request) -> httpx.Response:
        scope = request.headers["authorization"].partition("Credential=")[2].partition(",")[0].split("/")
        self.heard.append((str(request.url.host), scope[0], scope[2]))
        if request.url.host.startswith("sts."):
            self.assumed += 1
            until = msgspec.json.encode(self.clock.now() + self.life).decode()
            body = (
                '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
                f"<AccessKeyId>ASIA{self.assumed}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
                f"<Expiration>{_iso(float(until))}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
            )
            return httpx.Response(200, text=body, headers={"content-type": "text/xml"})
        if request.url.host.startswith("iam."):
            return httpx.Response(200, text="<ListRolesResponse><ListRolesResult><Roles/></ListRolesResult></ListRolesResponse>")
        return httpx.Response(200, json={"clusterArns": []})


def _iso(moment: float) -> str:
    from hinoban.base.units import iso_seconds

    return iso_seconds(moment)


async def test_each_service_is_called_at_its_own_endpoint_and_signed_for_its_region() -> None:
    aws = Aws()
    client = client_of(Profile("prd-ro"), aws.clock, transport=aws.transport())
    await client.call("ecs", "ListClusters", {})
    await client.in_region("eu-west-1").call("ecs", "ListClusters", {})
    await client.call("iam", "ListRoles", {"MaxItems": 1})
    assert aws.heard == [
        ("ecs.ap-northeast-1.amazonaws.com", "AKIAPRD", "ap-northeast-1"),
        ("ecs.eu-west-1.amazonaws.com", "AKIAPRD", "eu-west-1"),
        ("iam.amazonaws.com", "AKIAPRD", "us-east-1"),
    ]
    await client.close()


async def test_a_role_of_another_account_is_assumed_once_and_again_before_it_ends() -> None:
    aws = Aws()
    ours = client_of(Profile("prd-ro"), aws.clock, transport=aws.transport())
    theirs = client_of_role(ours, "arn:aws:iam::210987654321:role/hinoban", "eu-west-1", aws.clock)
    for _ in range(3):
        await theirs.call("ecs", "ListClusters", {})
    assert aws.assumed == 1
    assert aws.heard[0] == ("sts.eu-west-1.amazonaws.com", "AKIAPRD", "eu-west-1")
    assert aws.heard[1] == ("ecs.eu-west-1.amazonaws.com", "ASIA1", "eu-west-1")
    await aws.clock.advance(3400)
    await theirs.call("ecs", "ListClusters", {})
    assert aws.heard[-1][1] == "ASIA2"
    await ours.close()


async def test_a_role_that_may_not_be_assumed_is_aws_own_error() -> None:
    def denied(request: httpx.Request) -> httpx.Response:
        return httpx.Response(403, text="<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>")

    async def keys() -> Credentials:
        return Credentials("AKIA", "s")

    places: Any = lambda service, region: Place("http://aws.test", region)  # noqa: E731  # one line
    clock = FakeClock()
    client = RegionalClient(keys, places, "eu-west-1", clock=clock, transport=httpx.MockTransport(denied))
    with pytest.raises(Exception, match="AccessDenied"):
        await AssumedRole(client, "arn:aws:iam::1:role/r", clock).keys()
    await client.close()


async def test_a_role_that_cannot_be_assumed_is_no_answer_of_the_call_it_was_for() -> None:
    calls: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(request.headers.get("x-amz-target", "sts"))
        body = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not yours</Message></Error></ErrorResponse>"
        return httpx.Response(403, text=body)

    client = client_of(Profile("prd-ro"), FakeClock(), transport=httpx.MockTransport(answer))
    other = client_of_role(client, "arn:aws:iam::210987654321:role/hinoban", "us-east-1", FakeClock())
    with pytest.raises(NoCredentials) as caught:
        await other.call("ecs", "RunTask", {"taskDefinition": "job"})
    assert (caught.value.code, caught.value.message, calls) == ("AccessDenied", "not yours", ["sts"])
