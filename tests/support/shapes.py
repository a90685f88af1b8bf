"""Holds an answer against botocore's model: no member that the shape lacks, no value of another type, no null."""

from typing import Any

from hinoban.aws import models

COMMON = frozenset(
    "AccessDeniedException InvalidSignatureException MissingAuthenticationTokenException UnrecognizedClientException "
    "SerializationException UnknownOperationException ThrottlingException InternalFailure IncompleteSignatureException "
    # No model names it, captures of EventBridge do (facts/eventbridge.md §1).
    "ValidationException "
    # RunTask's own answer for a deleted or unknown cluster and the like stand in its model; these stand in ECS's captures (facts/ecs.md §3.3).
    "ClientException InvalidParameterException".split()
)
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
    "timestamp": (int, float),
}


def check_answer(service: str, operation: str, answer: Any) -> None:
    """AssertionError names the first place that breaks the model."""
    model = models.service(service)
    found = model.operation(operation)
    assert found is not None, operation
    if found.output_shape is not None:
        _check(model.shapes, found.output_shape, answer, operation)


def check_error(service: str, operation: str, code: str) -> None:
    """An operation answers only codes that its model or AWS's common list declares (style.md 18)."""
    found = models.service(service).operation(operation)
    assert found is not None, operation
    assert code in found.error_codes or code in COMMON, f"{operation} must not answer {code}"


def _check(shapes: dict[str, Any], name: str, value: Any, where: str) -> None:
    shape = shapes[name]
    kind = shape["type"]
    assert value is not None, f"{where} is null"
    if kind == "structure":
        assert isinstance(value, dict), f"{where} is {type(value).__name__}"
        for member, inner in value.items():
            assert member in shape["members"], f"{where}.{member} is not in the model"
            _check(shapes, shape["members"][member]["shape"], inner, f"{where}.{member}")
    elif kind == "list":
        assert isinstance(value, list), f"{where} is {type(value).__name__}"
        for index, inner in enumerate(value):
            _check(shapes, shape["member"]["shape"], inner, f"{where}[{index}]")
    elif kind == "map":
        assert isinstance(value, dict), f"{where} is {type(value).__name__}"
        for key, inner in value.items():
            _check(shapes, shape["value"]["shape"], inner, f"{where}[{key}]")
    else:
        right = isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
        assert right, f"{where} is {type(value).__name__}, the model says {kind}"
        assert kind != "string" or "enum" not in shape or value in shape["enum"], f"{where} is {value!r}, the model says {shape['enum']}"
