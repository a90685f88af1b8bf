"""The neighbours asked from inside the engine: a delivery to a queue or a topic, or any other operation of moto's (Scheduler's universal targets).

The call is the account's own: whether a policy lets a service do this is whoever delivers to judge.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from hinoban.aws import arns, errors, models
from hinoban.aws.call import Caller
from hinoban.aws.http import HttpRequest, HttpResponse
from hinoban.aws.protocols import outgoing
from hinoban.aws.sigv4 import Verified

_LOOPBACK = "127.0.0.1"


class Answers(Protocol):
    """Who answers requests whose signature is checked: `Neighbours`."""

    async def handle(self, request: HttpRequest, verified: Verified) -> HttpResponse: ...


class Ask:
    """Calls of this account, in any region. `host` is the endpoint's own address: queue URLs in answers begin with it."""

    def __init__(self, neighbours: Answers, account: str, *, host: str = "127.0.0.1:4566") -> None:
        self._neighbours = neighbours
        self._host = host
        self._caller = Caller("AKIAHINOBANASKSFORUS", arns.user_arn(account, "hinoban"), "IAMUser")

    async def call(self, service: str, operation: str, params: Mapping[str, Any], *, region: str) -> dict[str, Any]:
        """The operation's output; `service` is botocore's name. AwsError for an error answer and for what nobody here can answer.

        When it returns, what the call changed is kept."""
        if service not in models.service_names():
            raise errors.unknown_service(service)
        model = models.service(service)
        asked = outgoing.encode(model, operation, params)
        headers = asked.headers | {"host": self._host, "content-length": str(len(asked.body))}
        request = HttpRequest(asked.method, asked.path, asked.query, headers, asked.body, _LOOPBACK)
        answer = await self._neighbours.handle(request, Verified(self._caller.access_key_id, self._caller, region, model.signing_name))
        found = {name.lower(): value for name, value in answer.headers}
        return outgoing.decode(model, operation, answer.status, found, answer.body)
