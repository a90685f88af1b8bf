"""Connections and API destinations as the API shows them: what AWS recorded (LocalStack's snapshots of 2024), and never a secret."""

from typing import Any

import msgspec
import pytest

from hinoban.aws.errors import AwsError
from tests.support.shapes import check_answer, check_error
from tests.support.targets import World

SECRET = "hidden"
BASIC = {"BasicAuthParameters": {"Username": "user", "Password": SECRET}}
KEY = {"ApiKeyAuthParameters": {"ApiKeyName": "ApiKey", "ApiKeyValue": SECRET}}
OAUTH = {
    "OAuthParameters": {
        "ClientParameters": {"ClientID": "client_id", "ClientSecret": SECRET},
        "AuthorizationEndpoint": "https://example.com/oauth",
        "HttpMethod": "POST",
        "OAuthHttpParameters": {"BodyParameters": [{"Key": "k", "Value": SECRET, "IsValueSecret": True}]},
    }
}


def ask(world: World, operation: str, **params: Any) -> dict[str, Any]:
    """The answer, held against botocore's model."""
    answer = world.call(operation, **params)
    check_answer("events", operation, answer)
    return answer


def refused(world: World, operation: str, **params: Any) -> AwsError:
    with pytest.raises(AwsError) as caught:
        world.call(operation, **params)
    check_error("events", operation, caught.value.code)
    return caught.value


@pytest.mark.parametrize(
    ("kind", "auth", "shown", "state"),
    [
        ("BASIC", BASIC, {"BasicAuthParameters": {"Username": "user"}}, "AUTHORIZED"),
        ("API_KEY", KEY, {"ApiKeyAuthParameters": {"ApiKeyName": "ApiKey"}}, "AUTHORIZED"),
        (
            "OAUTH_CLIENT_CREDENTIALS",
            OAUTH,
            {
                "OAuthParameters": {
                    "ClientParameters": {"ClientID": "client_id"},
                    "AuthorizationEndpoint": "https://example.com/oauth",
                    "HttpMethod": "POST",
                    "OAuthHttpParameters": {"BodyParameters": [{"Key": "k", "IsValueSecret": True}]},
                }
            },
            "AUTHORIZING",
        ),
    ],
)
async def test_a_connection_is_shown_without_its_secrets(
    world: World, kind: str, auth: dict[str, Any], shown: dict[str, Any], state: str
) -> None:
    common = {
        "InvocationHttpParameters": {"HeaderParameters": [{"Key": "h", "Value": SECRET, "IsValueSecret": True}, {"Key": "o", "Value": "1"}]}
    }
    made = ask(world, "CreateConnection", Name="c", AuthorizationType=kind, AuthParameters=auth | common)
    assert made.keys() == {"ConnectionArn", "ConnectionState", "CreationTime", "LastModifiedTime"}
    assert made["ConnectionState"] == state
    found = ask(world, "DescribeConnection", Name="c")
    headers = [{"Key": "h", "IsValueSecret": True}, {"Key": "o", "Value": "1", "IsValueSecret": False}]
    assert found["AuthParameters"] == shown | {"InvocationHttpParameters": {"HeaderParameters": headers}}
    assert found["SecretArn"].startswith("arn:aws:secretsmanager:ap-northeast-1:123456789012:secret:events!connection/c/")
    assert SECRET not in msgspec.json.encode([made, found, ask(world, "ListConnections")]).decode()


async def test_connections_are_updated_listed_and_deleted(world: World) -> None:
    for name in ("b1", "a1", "b2"):
        ask(world, "CreateConnection", Name=name, AuthorizationType="BASIC", AuthParameters=BASIC, Description="old")
    assert [each["Name"] for each in ask(world, "ListConnections")["Connections"]] == ["a1", "b1", "b2"]
    assert [each["Name"] for each in ask(world, "ListConnections", NamePrefix="b")["Connections"]] == ["b1", "b2"]
    assert ask(world, "ListConnections", ConnectionState="DEAUTHORIZED")["Connections"] == []
    ask(world, "UpdateConnection", Name="a1", AuthorizationType="API_KEY", AuthParameters=KEY)
    found = ask(world, "DescribeConnection", Name="a1")
    assert (found["AuthorizationType"], found["Description"]) == ("API_KEY", "old")
    assert ask(world, "DeleteConnection", Name="a1")["ConnectionState"] == "DELETING"
    text = "Failed to describe the connection(s). Connection 'a1' does not exist."
    assert refused(world, "DescribeConnection", Name="a1").message == text


async def test_pages_end_and_hold_everything_once(world: World) -> None:
    names = [f"c{number}" for number in range(5)]
    for name in names:
        ask(world, "CreateConnection", Name=name, AuthorizationType="BASIC", AuthParameters=BASIC)
    found, token = [], {}
    for _ in range(3):
        page = ask(world, "ListConnections", Limit=2, **token)
        found += [each["Name"] for each in page["Connections"]]
        token = {"NextToken": page["NextToken"]} if "NextToken" in page else {}
    assert (found, token) == (names, {})
    assert refused(world, "ListConnections", NextToken="é").code == "ValidationException"


async def test_bad_requests_are_refused(world: World) -> None:
    made = ask(world, "CreateConnection", Name="c", AuthorizationType="BASIC", AuthParameters=BASIC)
    again = refused(world, "CreateConnection", Name="c", AuthorizationType="BASIC", AuthParameters=BASIC)
    assert (again.code, again.message) == ("ResourceAlreadyExistsException", "Connection c already exists.")
    assert refused(world, "CreateConnection", Name="x", AuthorizationType="API_KEY", AuthParameters=BASIC).code == "ValidationException"
    assert refused(world, "UpdateConnection", Name="c", AuthorizationType="API_KEY").code == "ValidationException"
    to = {"ConnectionArn": made["ConnectionArn"], "HttpMethod": "POST"}
    ask(world, "CreateApiDestination", Name="d", InvocationEndpoint="https://example.com", **to)
    assert (
        refused(world, "CreateApiDestination", Name="d", InvocationEndpoint="https://e.com", **to).code == "ResourceAlreadyExistsException"
    )
    gone = to | {"ConnectionArn": made["ConnectionArn"] + "0"}
    assert refused(world, "CreateApiDestination", Name="e", InvocationEndpoint="https://e.com", **gone).code == "ResourceNotFoundException"
    assert refused(world, "UpdateApiDestination", Name="d", InvocationEndpoint="http://example.com").code == "ValidationException"


@pytest.mark.parametrize(
    ("endpoint", "allowed"),
    [
        ("https://example.com/in", True),
        ("http://127.0.0.1:8080/in", True),
        ("http://localhost/in", True),
        ("http://hooks.localhost/in", True),
        ("http://[::1]:80/in", True),
        ("http://10.0.0.1/in", False),
        ("http://localhost.example.com/in", False),
        ("http://[::1/in", False),
        ("ftp://127.0.0.1/in", False),
        ("/in", False),
    ],
)
async def test_plain_http_is_allowed_to_this_machine_alone(world: World, endpoint: str, allowed: bool) -> None:
    made = ask(world, "CreateConnection", Name="c", AuthorizationType="BASIC", AuthParameters=BASIC)
    params = {"Name": "d", "ConnectionArn": made["ConnectionArn"], "InvocationEndpoint": endpoint, "HttpMethod": "POST"}
    if allowed:
        assert ask(world, "CreateApiDestination", **params)["ApiDestinationState"] == "ACTIVE"
    else:
        assert refused(world, "CreateApiDestination", **params).code == "ValidationException"


async def test_a_destination_is_described_updated_listed_and_deleted_over_a_restart(world: World) -> None:
    made = ask(world, "CreateConnection", Name="c", AuthorizationType="BASIC", AuthParameters=BASIC)
    arn = made["ConnectionArn"]
    ask(world, "CreateApiDestination", Name="d", ConnectionArn=arn, InvocationEndpoint="https://example.com/api", HttpMethod="POST")
    world.database.commit()
    await world.kill()
    world.open()
    (listed,) = ask(world, "ListApiDestinations", ConnectionArn=arn)["ApiDestinations"]
    assert (listed["Name"], listed["InvocationRateLimitPerSecond"], listed["ApiDestinationState"]) == ("d", 300, "ACTIVE")
    ask(world, "UpdateApiDestination", Name="d", HttpMethod="PUT", InvocationEndpoint="https://example.com/v2", Description="new")
    found = ask(world, "DescribeApiDestination", Name="d")
    assert (found["HttpMethod"], found["InvocationEndpoint"], found["Description"]) == ("PUT", "https://example.com/v2", "new")
    assert world.call("DeleteApiDestination", Name="d") == {}
    text = "Failed to describe the api-destination(s). An api-destination 'd' does not exist."
    assert refused(world, "DescribeApiDestination", Name="d").message == text


async def test_no_client_secret_is_sent_in_the_clear(world: World) -> None:
    oauth = OAUTH["OAuthParameters"] | {"AuthorizationEndpoint": "http://auth.example.com/token"}
    given = {"AuthorizationType": "OAUTH_CLIENT_CREDENTIALS", "AuthParameters": {"OAuthParameters": oauth}}
    assert "AuthorizationEndpoint" in refused(world, "CreateConnection", Name="c", **given).message
    oauth["AuthorizationEndpoint"] = "http://127.0.0.1:8080/token"
    assert ask(world, "CreateConnection", Name="c", **given)["ConnectionState"] == "AUTHORIZING"
