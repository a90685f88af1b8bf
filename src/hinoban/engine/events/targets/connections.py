"""Connections and API destinations: what is kept of them, and how a delivery finds them (facts/eventbridge.md §6.2, API destination)."""

from typing import Any

import msgspec
from msgspec import Struct

from hinoban.aws.call import Params
from hinoban.store.database import Database, Table

MIGRATION = """
CREATE TABLE connections (region TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (region, name)) WITHOUT ROWID;
CREATE TABLE api_destinations (region TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (region, name)) WITHOUT ROWID;
"""
CONNECTIONS = Table("connections", "region", "name")
DESTINATIONS = Table("api_destinations", "region", "name")

OAUTH = "OAUTH_CLIENT_CREDENTIALS"


class Connection(Struct, frozen=True, kw_only=True):
    """How a destination is spoken to; `auth` is AuthParameters as given, secrets and all (the state directory is the owner's alone)."""

    region: str
    name: str
    arn: str
    secret_arn: str
    kind: str
    auth: dict[str, Any]
    state: str
    created_at: float
    modified_at: float
    authorized_at: float
    description: str | None = None
    kms_key: str | None = None


class Destination(Struct, frozen=True, kw_only=True):
    """Where to: an endpoint, whose stars are filled from the target's PathParameterValues, and a method."""

    region: str
    name: str
    arn: str
    connection_arn: str
    endpoint: str
    method: str
    rate: int
    created_at: float
    modified_at: float
    description: str | None = None


class ConnectionState:
    """All connections and destinations, by region and name."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.connections: dict[tuple[str, str], Connection] = {}
        self.destinations: dict[tuple[str, str], Destination] = {}
        for region, name, value in database.rows(CONNECTIONS):
            self.connections[region, name] = msgspec.json.decode(value, type=Connection)
        for region, name, value in database.rows(DESTINATIONS):
            self.destinations[region, name] = msgspec.json.decode(value, type=Destination)

    def put_connection(self, connection: Connection) -> None:
        key = (connection.region, connection.name)
        self.connections[key] = connection
        self._database.put(CONNECTIONS, key, connection)

    def delete_connection(self, connection: Connection) -> None:
        key = (connection.region, connection.name)
        del self.connections[key]
        self._database.put(CONNECTIONS, key, None)

    def put_destination(self, destination: Destination) -> None:
        key = (destination.region, destination.name)
        self.destinations[key] = destination
        self._database.put(DESTINATIONS, key, destination)

    def delete_destination(self, destination: Destination) -> None:
        key = (destination.region, destination.name)
        del self.destinations[key]
        self._database.put(DESTINATIONS, key, None)

    def connection_of(self, arn: str) -> Connection | None:
        """The connection with this ARN: a new one of the same name has another."""
        region, name = _place(arn)
        found = self.connections.get((region, name))
        return found if found is not None and found.arn == arn else None

    def destination_of(self, arn: str) -> Destination | None:
        """The destination with this ARN."""
        region, name = _place(arn)
        found = self.destinations.get((region, name))
        return found if found is not None and found.arn == arn else None

    def clear(self) -> None:
        """Forget them all."""
        for destination in list(self.destinations.values()):
            self.delete_destination(destination)
        for connection in list(self.connections.values()):
            self.delete_connection(connection)


def without_secrets(auth: Params) -> Params:
    """AuthParameters as DescribeConnection shows them: never a password, key or client secret, nor a value marked as secret."""
    shown: Params = {}
    if (basic := auth.get("BasicAuthParameters")) is not None:
        shown["BasicAuthParameters"] = {"Username": basic["Username"]}
    if (key := auth.get("ApiKeyAuthParameters")) is not None:
        shown["ApiKeyAuthParameters"] = {"ApiKeyName": key["ApiKeyName"]}
    if (oauth := auth.get("OAuthParameters")) is not None:
        shown["OAuthParameters"] = {
            "ClientParameters": {"ClientID": oauth["ClientParameters"]["ClientID"]},
            "AuthorizationEndpoint": oauth["AuthorizationEndpoint"],
            "HttpMethod": oauth["HttpMethod"],
        }
        if "OAuthHttpParameters" in oauth:
            shown["OAuthParameters"]["OAuthHttpParameters"] = _parameters(oauth["OAuthHttpParameters"])
    if "InvocationHttpParameters" in auth:
        shown["InvocationHttpParameters"] = _parameters(auth["InvocationHttpParameters"])
    return shown


def _parameters(given: Params) -> Params:
    return {kind: [_parameter(each) for each in parameters] for kind, parameters in given.items()}


def _parameter(given: Params) -> Params:
    secret = given.get("IsValueSecret", False)
    return {name: value for name, value in given.items() if name != "Value" or not secret} | {"IsValueSecret": secret}


def _place(arn: str) -> tuple[str, str]:
    """Region and name of `arn:aws:events:R:A:connection/NAME/UUID`."""
    parts = arn.split(":")
    path = parts[-1].split("/")
    return (parts[3], path[1]) if len(parts) >= 6 and len(path) >= 2 else ("", "")
