"""In which protocol a call of ours is made, and the answer in the same one: JSON, query or REST-JSON."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from hinoban.aws import errors
from hinoban.aws.errors import AwsError
from hinoban.aws.http import HttpRequest, HttpResponse
from hinoban.aws.models import Operation, Service
from hinoban.aws.protocols import json, query, rest_json


class Speech(Struct, frozen=True):
    """A call's protocol and operation; `form` is query's, `labels` REST-JSON's."""

    protocol: str
    operation: str
    form: dict[str, str] = {}
    labels: dict[str, str] = {}

    def decode(self, request: HttpRequest, operation: Operation, model: Service) -> Any:
        """The operation's input, unchecked."""
        match self.protocol:
            case "query":
                return query.decode(self.form, operation.input_shape, model.shapes)
            case "rest-json":
                return rest_json.decode(request, self.labels, operation.input_shape, model.shapes)
        return json.decode(request.body)

    def response(self, request_id: str, result: Mapping[str, Any], operation: Operation, model: Service) -> HttpResponse:
        """A result on the wire."""
        match self.protocol:
            case "query":
                return query.response(operation.name, request_id, result, operation.output, model.shapes, model.namespace)
            case "rest-json":
                return rest_json.response(result, request_id, operation.output_shape, model.shapes, operation.status)
        return json.response(model.json_version, request_id, json.encode(result) if result or operation.output_shape else b"")

    def error(self, request_id: str, error: AwsError, model: Service) -> HttpResponse:
        """An error on the wire."""
        match self.protocol:
            case "query":
                return query.error_response(request_id, error)
            case "rest-json":
                return rest_json.error_response(request_id, error, model.error_text_member(error.code))
        return json.error_response(model.json_version, request_id, error, model.error_text_member(error.code))


def other_than_json(request: HttpRequest, model: Service) -> Speech | None:
    """The call, where the service speaks REST-JSON or the request is a form; None where it must be JSON. AwsError where it names nothing."""
    if model.protocol == "rest-json":
        found = rest_json.Routes.of(model.name, model.definitions).find(request.method, request.path)
        if found is None:
            raise errors.not_an_api_call(request.method, request.path)
        return Speech("rest-json", found[0], labels=found[1])
    if "query" in model.protocols and (
        request.headers.get("content-type", "").startswith(query.CONTENT_TYPE) or (request.method == "GET" and "Action=" in request.query)
    ):
        form = query.form_of(request)
        return Speech("query", query.operation(form), form=form)
    return None
