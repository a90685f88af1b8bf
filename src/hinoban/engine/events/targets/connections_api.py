"""The operations on connections and API destinations (botocore's model of `events`; texts as recorded against AWS).

Differs from AWS: no secret is kept in Secrets Manager; an OAuth connection stays AUTHORIZING until a delivery fetched its first token.
"""

import ipaddress
from urllib.parse import urlsplit

import msgspec

from hinoban.aws import arns
from hinoban.aws.call import Call, Handler, Params, Result
from hinoban.aws.errors import AwsError
from hinoban.base.ids import Ids
from hinoban.engine.events.pages import page
from hinoban.engine.events.targets.connections import OAUTH, Connection, ConnectionState, Destination, without_secrets

_DEFAULT_RATE = 300
_PARAMETERS = {"BASIC": "BasicAuthParameters", "API_KEY": "ApiKeyAuthParameters", OAUTH: "OAuthParameters"}


class ConnectionOperations:
    """Connections and API destinations as the API shows them."""

    def __init__(self, state: ConnectionState, ids: Ids) -> None:
        self._state = state
        self._ids = ids

    def operations(self) -> dict[str, Handler]:
        return {
            "CreateConnection": self.create_connection,
            "UpdateConnection": self.update_connection,
            "DescribeConnection": self.describe_connection,
            "ListConnections": self.list_connections,
            "DeleteConnection": self.delete_connection,
            "DeauthorizeConnection": self.deauthorize_connection,
            "CreateApiDestination": self.create_destination,
            "UpdateApiDestination": self.update_destination,
            "DescribeApiDestination": self.describe_destination,
            "ListApiDestinations": self.list_destinations,
            "DeleteApiDestination": self.delete_destination,
        }

    # Connections ------------------------------------------------------------------------------------------------------------------------

    def create_connection(self, call: Call, params: Params) -> Result:
        name = params["Name"]
        if (call.region, name) in self._state.connections:
            raise AwsError("ResourceAlreadyExistsException", f"Connection {name} already exists.")
        kind, auth = params["AuthorizationType"], params["AuthParameters"]
        _check_auth(kind, auth)
        arn = f"arn:{arns.partition_of(call.region)}:events:{call.region}:{call.account}:connection/{name}/{self._ids.uuid()}"
        secret = f"events!connection/{name}/{self._ids.uuid()}-{self._ids.hex32()[:6]}"
        connection = Connection(
            region=call.region,
            name=name,
            arn=arn,
            secret_arn=f"arn:{arns.partition_of(call.region)}:secretsmanager:{call.region}:{call.account}:secret:{secret}",
            kind=kind,
            auth=auth,
            state=_first_state(kind),
            created_at=call.now,
            modified_at=call.now,
            authorized_at=call.now,
            description=params.get("Description"),
            kms_key=params.get("KmsKeyIdentifier"),
        )
        self._state.put_connection(connection)
        answer = _connection_answer(connection)
        del answer["LastAuthorizedTime"]
        return answer

    def update_connection(self, call: Call, params: Params) -> Result:
        """What is left out stays; another AuthorizationType needs its own AuthParameters."""
        before = self._connection(call, params, "describe")
        kind = params.get("AuthorizationType", before.kind)
        auth = params.get("AuthParameters", before.auth if kind == before.kind else {})
        _check_auth(kind, auth)
        connection = msgspec.structs.replace(
            before,
            kind=kind,
            auth=auth,
            state=_first_state(kind),
            modified_at=call.now,
            authorized_at=call.now,
            description=params.get("Description", before.description),
            kms_key=params.get("KmsKeyIdentifier", before.kms_key),
        )
        self._state.put_connection(connection)
        return _connection_answer(connection)

    def describe_connection(self, call: Call, params: Params) -> Result:
        connection = self._connection(call, params, "describe")
        shown = _listed_connection(connection) | {
            "SecretArn": connection.secret_arn,
            "AuthParameters": without_secrets(connection.auth),
            "Description": connection.description,
            "KmsKeyIdentifier": connection.kms_key,
        }
        return _given(shown)

    def list_connections(self, call: Call, params: Params) -> Result:
        state = params.get("ConnectionState")
        found = {
            name: _listed_connection(connection)
            for (region, name), connection in self._state.connections.items()
            if region == call.region and state in (None, connection.state)
        }
        return _page("Connections", found, params)

    def delete_connection(self, call: Call, params: Params) -> Result:
        connection = self._connection(call, params, "delete")
        self._state.delete_connection(connection)
        return _connection_answer(msgspec.structs.replace(connection, state="DELETING"))

    def deauthorize_connection(self, call: Call, params: Params) -> Result:
        """Its secrets are forgotten; UpdateConnection gives new ones."""
        before = self._connection(call, params, "deauthorize")
        connection = msgspec.structs.replace(before, state="DEAUTHORIZED", auth={}, modified_at=call.now)
        self._state.put_connection(connection)
        return _connection_answer(msgspec.structs.replace(connection, state="DEAUTHORIZING"))

    def _connection(self, call: Call, params: Params, verb: str) -> Connection:
        found = self._state.connections.get((call.region, params["Name"]))
        if found is None:
            text = f"Failed to {verb} the connection(s). Connection '{params['Name']}' does not exist."
            raise AwsError("ResourceNotFoundException", text)
        return found

    # API destinations -------------------------------------------------------------------------------------------------------------------

    def create_destination(self, call: Call, params: Params) -> Result:
        name = params["Name"]
        if (call.region, name) in self._state.destinations:
            raise AwsError("ResourceAlreadyExistsException", f"An api-destination '{name}' already exists.")
        self._check_connection(params["ConnectionArn"])
        _check_endpoint("InvocationEndpoint", params["InvocationEndpoint"])
        arn = f"arn:{arns.partition_of(call.region)}:events:{call.region}:{call.account}:api-destination/{name}/{self._ids.uuid()}"
        destination = Destination(
            region=call.region,
            name=name,
            arn=arn,
            connection_arn=params["ConnectionArn"],
            endpoint=params["InvocationEndpoint"],
            method=params["HttpMethod"],
            rate=params.get("InvocationRateLimitPerSecond", _DEFAULT_RATE),
            created_at=call.now,
            modified_at=call.now,
            description=params.get("Description"),
        )
        self._state.put_destination(destination)
        return self._destination_answer(destination)

    def update_destination(self, call: Call, params: Params) -> Result:
        before = self._destination(call, params, "describe")
        if "ConnectionArn" in params:
            self._check_connection(params["ConnectionArn"])
        if "InvocationEndpoint" in params:
            _check_endpoint("InvocationEndpoint", params["InvocationEndpoint"])
        destination = msgspec.structs.replace(
            before,
            connection_arn=params.get("ConnectionArn", before.connection_arn),
            endpoint=params.get("InvocationEndpoint", before.endpoint),
            method=params.get("HttpMethod", before.method),
            rate=params.get("InvocationRateLimitPerSecond", before.rate),
            description=params.get("Description", before.description),
            modified_at=call.now,
        )
        self._state.put_destination(destination)
        return self._destination_answer(destination)

    def describe_destination(self, call: Call, params: Params) -> Result:
        destination = self._destination(call, params, "describe")
        return _given(self._listed_destination(destination) | {"Description": destination.description})

    def list_destinations(self, call: Call, params: Params) -> Result:
        of = params.get("ConnectionArn")
        found = {
            name: self._listed_destination(destination)
            for (region, name), destination in self._state.destinations.items()
            if region == call.region and of in (None, destination.connection_arn)
        }
        return _page("ApiDestinations", found, params)

    def delete_destination(self, call: Call, params: Params) -> Result:
        self._state.delete_destination(self._destination(call, params, "delete"))
        return {}

    def _destination(self, call: Call, params: Params, verb: str) -> Destination:
        found = self._state.destinations.get((call.region, params["Name"]))
        if found is None:
            text = f"Failed to {verb} the api-destination(s). An api-destination '{params['Name']}' does not exist."
            raise AwsError("ResourceNotFoundException", text)
        return found

    def _check_connection(self, arn: str) -> None:
        if self._state.connection_of(arn) is None:
            raise AwsError("ResourceNotFoundException", f"Connection '{arn}' does not exist.")

    def _destination_answer(self, destination: Destination) -> Result:
        return {
            "ApiDestinationArn": destination.arn,
            "ApiDestinationState": self._state_of(destination),
            "CreationTime": destination.created_at,
            "LastModifiedTime": destination.modified_at,
        }

    def _listed_destination(self, destination: Destination) -> Result:
        return self._destination_answer(destination) | {
            "Name": destination.name,
            "ConnectionArn": destination.connection_arn,
            "InvocationEndpoint": destination.endpoint,
            "HttpMethod": destination.method,
            "InvocationRateLimitPerSecond": destination.rate,
        }

    def _state_of(self, destination: Destination) -> str:
        connection = self._state.connection_of(destination.connection_arn)
        return "ACTIVE" if connection is not None and connection.state == "AUTHORIZED" else "INACTIVE"


def _first_state(kind: str) -> str:
    return "AUTHORIZING" if kind == OAUTH else "AUTHORIZED"


def _connection_answer(connection: Connection) -> Result:
    return {
        "ConnectionArn": connection.arn,
        "ConnectionState": connection.state,
        "CreationTime": connection.created_at,
        "LastModifiedTime": connection.modified_at,
        "LastAuthorizedTime": connection.authorized_at,
    }


def _listed_connection(connection: Connection) -> Result:
    return _connection_answer(connection) | {"Name": connection.name, "AuthorizationType": connection.kind}


def _check_auth(kind: str, auth: Params) -> None:
    """The parameters must be those of the type; AWS's own words are UNCONFIRMED."""
    if _PARAMETERS[kind] not in auth:
        raise AwsError("ValidationException", f"Parameter AuthParameters is not valid. Reason: {_PARAMETERS[kind]} is required for {kind}.")
    if "OAuthParameters" in auth:
        _check_endpoint("AuthorizationEndpoint", auth["OAuthParameters"]["AuthorizationEndpoint"])


def _check_endpoint(member: str, endpoint: str) -> None:
    """HTTPS, as on AWS. Differs from AWS: plain HTTP to this machine is allowed, too. The words are UNCONFIRMED."""
    try:
        parts = urlsplit(endpoint)
        allowed = bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or "")))
    except ValueError:
        allowed = False
    if not allowed:
        raise AwsError("ValidationException", f"Parameter {member} is not valid. Reason: It must be an HTTPS endpoint.")


def is_loopback(host: str) -> bool:
    """Whether a host name is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _given(answer: Result) -> Result:
    return {name: value for name, value in answer.items() if value is not None}


def _page(member: str, found: dict[str, Result], params: Params) -> Result:
    names, more = page(found, params)
    return {member: [found[name] for name in names], **more}
