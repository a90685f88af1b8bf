"""What AWS's services look like: operations and shapes from botocore's service models, loaded when first asked for.

botocore itself is not imported (that costs 0.2 s of a cold start); only its data files are read.
"""

import gzip
import importlib.util
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from hinoban.aws import validate
from hinoban.aws.call import Params

Check = Callable[[Any], Params]


class Operation:
    """One operation of a service; `check` turns a decoded body into Params or raises AwsError."""

    def __init__(self, service: "Service", name: str, definition: dict[str, Any]) -> None:
        self.name = name
        self.input_shape: str | None = definition.get("input", {}).get("shape")
        self.output: dict[str, Any] | None = definition.get("output")
        self.output_shape: str | None = definition.get("output", {}).get("shape")
        self.status: int = definition.get("http", {}).get("responseCode", 200)
        self.error_codes: tuple[str, ...] = tuple(error["shape"] for error in definition.get("errors", ()))
        self.check: Check = validate.compile_input(service.name, name, self.input_shape, service.shapes)


class Service:
    """A service's model. Names are botocore's: `ecs`, `logs`, `events`."""

    def __init__(self, name: str, definition: dict[str, Any]) -> None:
        metadata = definition["metadata"]
        self.name = name
        self.shapes: dict[str, Any] = definition["shapes"]
        self.protocol: str = metadata["protocol"]
        self.protocols: tuple[str, ...] = tuple(metadata.get("protocols") or (self.protocol,))
        self.namespace: str = metadata.get("xmlNamespace", "")
        self.api_version: str = metadata["apiVersion"]
        self.json_version: str = metadata.get("jsonVersion", "1.0")
        self.target_prefix: str = metadata.get("targetPrefix", "")
        self.query_compatible = "awsQueryCompatible" in metadata
        self.endpoint_prefix: str = metadata["endpointPrefix"]
        self.signing_name: str = metadata.get("signingName") or metadata["endpointPrefix"]
        self.definitions: dict[str, Any] = definition["operations"]
        self._operations: dict[str, Operation] = {}

    def operation(self, name: str) -> Operation | None:
        """The operation of that name, compiled at its first use; None if AWS has none."""
        found = self._operations.get(name)
        if found is None and name in self.definitions:
            found = self._operations[name] = Operation(self, name, self.definitions[name])
        return found

    def operation_names(self) -> list[str]:
        return sorted(self.definitions)

    def error_text_member(self, code: str) -> str:
        """The member that carries an error's text: `message`, or `Message` where the model says so or there is no model of it."""
        shape = self.shapes.get(code)
        if shape is None:
            return "Message" if code == "SerializationException" else "message"
        return next((member for member in shape.get("members", {}) if member.lower() == "message"), "message")


@cache
def service(name: str) -> Service:
    """The service's model; KeyError when AWS has no service of that name."""
    if name not in service_names():
        raise KeyError(name)
    folder = data_directory() / name
    path = folder / max(version.name for version in folder.iterdir() if version.is_dir()) / "service-2.json"
    packed = path.with_name(path.name + ".gz")
    content = gzip.decompress(packed.read_bytes()) if packed.exists() else path.read_bytes()
    return Service(name, msgspec.json.decode(content))


@cache
def service_names() -> frozenset[str]:
    """Every service that botocore knows."""
    return frozenset(entry.name for entry in os.scandir(data_directory()) if entry.is_dir())


@cache
def data_directory() -> Path:
    """Where botocore keeps its models."""
    found = importlib.util.find_spec("botocore")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("botocore, whose service models Hinoban reads, is not installed")
    return Path(found.submodule_search_locations[0]) / "data"
