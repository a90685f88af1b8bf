"""The AWS API without a socket: a request's bytes in, an answer's bytes out.

Verifies the signature, finds the operation, decodes and checks its input, calls the handler, tells the audit, waits until what
the handler changed is kept, answers. What an operation does is left to its handler.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from hinoban.aws import errors, models
from hinoban.aws.call import Call, Caller, Operations, Params, Result
from hinoban.aws.claims import claimed_key
from hinoban.aws.errors import MAX_BODY, MAX_OBJECT, AwsError
from hinoban.aws.http import HttpRequest, HttpResponse
from hinoban.aws.protocols import foreign, json
from hinoban.aws.protocols.speech import Speech, other_than_json
from hinoban.aws.sigv4 import TemporaryKey, Verified, Verifier
from hinoban.base.clock import Clock
from hinoban.base.ids import Ids

__all__ = ["Audit", "Endpoint", "HttpRequest", "HttpResponse"]

Settle = Callable[[], Awaitable[None]]
Audit = Callable[[Call, Params | None, Result | AwsError], None]

_log = logging.getLogger(__name__)


class Neighbours(Protocol):
    """Whoever answers what we do not have."""

    async def handle(self, request: HttpRequest, verified: Verified) -> HttpResponse:
        """The answer, untouched; AwsError where there is none."""
        ...

    async def key(self, access_key_id: str) -> TemporaryKey | None:
        """A key that a neighbour made."""
        ...


class Endpoint:
    """One server for all services.

    `services` maps botocore's service names to operations. `audit` hears of every authenticated call of an operation that we have, in
    the turn in which its handler ran, also when its input was bad (its params are None then).
    `settle` returns when what was changed in this turn is kept. What we have no handler for is handed to `neighbours`, unless it
    is of a service in `own`.
    """

    def __init__(
        self,
        services: Mapping[str, Operations],
        *,
        account: str,
        clock: Clock,
        ids: Ids,
        verifier: Verifier,
        settle: Settle,
        audit: Audit,
        neighbours: Neighbours | None = None,
        own: frozenset[str] = frozenset(),
    ) -> None:
        self._services = services
        self._account = account
        self._clock = clock
        self._ids = ids
        self._verifier = verifier
        self._settle = settle
        self._audit = audit
        self._neighbours = neighbours
        self._own = own

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer one request; nothing is raised but cancellation."""
        request_id = self._ids.uuid()
        model: models.Service | None = None
        try:
            try:
                verified = self._verify(request)
            except AwsError as error:
                if self._neighbours is None or error.code != errors.UNRECOGNIZED_CLIENT:
                    raise
                verified = await self._verify_made_here(request, self._neighbours, error)
            if self._neighbours is not None and self._is_elsewhere(request, verified):
                return await self._neighbours.handle(request, verified)
            model, speech = self._find(request, verified)
            # From here to `settle` nothing is awaited: the answer is made of the state that the handler left.
            answer = self._call(request, request_id, verified, model, speech)
            await self._settle()
            return answer
        except AwsError as error:
            return _refusal(request, request_id, model, error)
        except Exception:
            _log.exception("The request %s failed", request_id)
            return _refusal(request, request_id, model, errors.internal_failure())

    def invoke(self, service: str, operation_name: str, params: Params, *, region: str, caller: Caller) -> Result:
        """One call of ours by an AWS service that lives here, checked and told to the audit like any other; AwsError where it is refused.

        Nothing is awaited: what it changed is part of the caller's turn, who waits for `settle` before it relies on it.
        """
        operation = models.service(service).operation(operation_name)
        assert operation is not None, f"{service} has no {operation_name}"
        name = caller.invoked_by or ""
        call = self._new_call(service, operation_name, region, self._ids.uuid(), caller, name, name)
        checked: Params | None = None
        try:
            checked = operation.check(params)
            result = self._services[service][operation_name](call, checked)
        except AwsError as error:
            self._audit(call, checked, error)
            raise
        self._audit(call, checked, result)
        return result

    def _new_call(
        self, service: str, operation: str, region: str, request_id: str, caller: Caller, source_ip: str, user_agent: str
    ) -> Call:
        return Call(
            service=service,
            operation=operation,
            region=region,
            account=self._account,
            request_id=request_id,
            now=self._clock.now(),
            caller=caller,
            source_ip=source_ip,
            user_agent=user_agent,
        )

    def _verify(self, request: HttpRequest, key: TemporaryKey | None = None) -> Verified:
        s3 = not foreign.speaks_json(request) and foreign.speaks_s3(request.headers, request.query)
        limit = MAX_OBJECT if s3 else MAX_BODY
        if len(request.body) > limit:
            raise errors.too_large(limit)
        if not foreign.claims_to_be_signed(request) and self._verifier.enabled:
            raise errors.not_an_api_call(request.method, request.path)
        return self._verifier.verify(request, s3=s3, key=key)

    async def _verify_made_here(self, request: HttpRequest, neighbours: Neighbours, error: AwsError) -> Verified:
        """The same with a key that IAM or STS made."""
        key = await neighbours.key(claimed_key(request))
        if key is None:
            raise error
        return self._verify(request, key)

    def _is_elsewhere(self, request: HttpRequest, verified: Verified) -> bool:
        """Whether a neighbour answers: per service and operation, ours first."""
        service = verified.service
        if not service:
            return not foreign.speaks_json(request) or self._by_prefix(json.target(request.headers["x-amz-target"])[0]) is None
        if service in self._own:
            return False
        if service not in self._services:
            return True
        _, speech = self._spoken(request, verified)
        return speech.operation not in self._services[service]

    def _find(self, request: HttpRequest, verified: Verified) -> tuple[models.Service, Speech]:
        if verified.service and verified.service not in self._services:
            raise errors.unknown_service(verified.service)
        found, speech = self._spoken(request, verified)
        if speech.operation not in self._services[found.name]:
            make = errors.no_such_operation if found.operation(speech.operation) is None else errors.unknown_operation
            raise make(found.name, speech.operation)
        return found, speech

    def _spoken(self, request: HttpRequest, verified: Verified) -> tuple[models.Service, Speech]:
        """The service and what is asked of it, in whatever protocol."""
        if verified.service and not foreign.speaks_json(request):
            model = models.service(verified.service)
            if (speech := other_than_json(request, model)) is not None:
                return model, speech
        if request.method != "POST" or request.path not in ("/", ""):
            raise errors.not_an_api_call(request.method, request.path)
        prefix, operation = json.target(request.headers.get("x-amz-target"))
        found = models.service(verified.service) if verified.service else self._by_prefix(prefix)
        if found is not None and found.target_prefix != prefix:
            found = None
        if found is None:
            if (meant := self._by_prefix(prefix)) is not None:
                raise errors.invalid_signature(f"Credential should be scoped to correct service: '{meant.signing_name}'. ")
            raise errors.no_such_operation(verified.service or prefix, operation)
        return found, Speech("json", operation)

    def _by_prefix(self, prefix: str) -> models.Service | None:
        return next((model for name in self._services if (model := models.service(name)).target_prefix == prefix), None)

    def _call(self, request: HttpRequest, request_id: str, verified: Verified, model: models.Service, speech: Speech) -> HttpResponse:
        operation_name = speech.operation
        agent = request.headers.get("user-agent", "")
        call = self._new_call(model.name, operation_name, verified.region, request_id, verified.caller, request.client, agent)
        operation = model.operation(operation_name)
        assert operation is not None, f"{model.name} has a handler for {operation_name}, which AWS does not have"
        params: Params | None = None
        try:
            params = operation.check(speech.decode(request, operation, model))
            result = self._services[model.name][operation_name](call, params)
            answer = speech.response(request_id, result, operation, model)
        except AwsError as error:
            return self._failed(call, params, error, model, speech)
        except Exception:
            _log.exception("%s:%s failed, request %s", model.name, operation_name, request_id)
            return self._failed(call, params, errors.internal_failure(), model, speech)
        self._audit(call, params, result)
        return answer

    def _failed(self, call: Call, params: Params | None, error: AwsError, model: models.Service, speech: Speech) -> HttpResponse:
        self._audit(call, params, error)
        return speech.error(call.request_id, error, model)


def _refusal(request: HttpRequest, request_id: str, model: models.Service | None, error: AwsError) -> HttpResponse:
    if not foreign.speaks_json(request):
        return foreign.error_response(request, request_id, error)
    version = model.json_version if model else "1.1"
    return json.error_response(version, request_id, error, model.error_text_member(error.code) if model else "message")
