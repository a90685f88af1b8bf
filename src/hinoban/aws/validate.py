"""Compiles each input shape once into a checker of decoded JSON.

A wrong JSON type is a SerializationException at once; broken limits are gathered and told together, in the service's words
(facts/logs.md §3, facts/eventbridge.md §3), but for what is sensitive. Unknown members and nulls are dropped, as AWS drops them.
Patterns that Python's `re` does not know (`\\p{L}`) are not checked.
"""

import base64
import binascii
import re
import warnings
from collections.abc import Callable
from typing import Any

from hinoban.aws import errors, texts
from hinoban.aws.call import Params
from hinoban.base.units import parse_iso

Shapes = dict[str, Any]
Where = tuple[Any, str] | None
"""A member's place: its parent's place and its own name; put into words only when something is wrong."""


# What a value reads that the model marks as sensitive: a validation error is journalled, and must hold no password. UNCONFIRMED: the text.
_REDACTED = "***Sensitive Data Redacted***"
# `[ \t]*X+([ \t]+X+)*[ \t]*`, where X has the space, too (EventBridge's header values): Python's `re` takes time exponential in the spaces.
_WORDS = re.compile(r"\^\[ \\t\]\*(?P<x>\[[^\]]+\])\+\(\[ \\t\]\+(?P=x)\+\)\*\[ \\t\]\*\$")


class Problem:
    """A broken limit: the value in Java's words (None: no value), its place and the limit."""

    __slots__ = ("constraint", "place", "value")

    def __init__(self, value: str | None, where: Where, constraint: str) -> None:
        self.value = value
        self.place = place_text(where)
        self.constraint = constraint


# Members that AWS's servers print and no model has (captures of PutEvents with eleven entries).
_UNPUBLISHED = {"PutEventsRequestEntry": ("kmsKeyIdentifier=null", "internalMetadata=null")}

Checker = Callable[[Any, Where, list[Problem]], Any]


def compile_input(service: str, operation: str, shape_name: str | None, shapes: Shapes) -> Callable[[Any], Params]:
    """The check of an operation's whole input: decoded JSON in, Params out; raises AwsError."""
    check = _Compiler(shapes).checker(shape_name) if shape_name else None

    def check_input(body: Any) -> Params:
        if type(body) is not dict:
            raise _wrong_type(body, "Structure")
        if check is None:
            return {}
        problems: list[Problem] = []
        params: Params = check(body, None, problems)
        if problems:
            raise texts.validation_error(service, operation, [(p.value, p.place, p.constraint) for p in problems])
        return params

    return check_input


def place_text(where: Where) -> str:
    """`targets.1.member.id`: AWS writes members with a small first letter and counts list members from 1."""
    names: list[str] = []
    while where is not None:
        where, name = where
        names.append(_lower_first(name))
    return ".".join(reversed(names))


def java_text(value: Any, shape_name: str, shapes: Shapes) -> str:
    """A value as AWS's servers print it in errors: `[a, b]`, `{k=v}`, `PutEventsRequestEntry(time=null, source=x)`."""
    shape = shapes[shape_name]
    kind = shape["type"]
    if value is None:
        return "null"
    if shape.get("sensitive"):
        return _REDACTED
    if kind == "list" and isinstance(value, list):
        return f"[{', '.join(java_text(one, shape['member']['shape'], shapes) for one in value)}]"
    if kind == "map" and isinstance(value, dict):
        pairs = (f"{key}={java_text(one, shape['value']['shape'], shapes)}" for key, one in value.items())
        return f"{{{', '.join(pairs)}}}"
    if kind == "structure" and isinstance(value, dict):
        members = [
            f"{_lower_first(name)}={java_text(value.get(name), member['shape'], shapes)}" for name, member in shape["members"].items()
        ]
        return f"{shape_name}({', '.join((*members, *_UNPUBLISHED.get(shape_name, ())))})"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


class _Compiler:
    """Checkers of one service's shapes, each made once; a shape may hold itself."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        self._made: dict[str, Checker] = {}

    def checker(self, name: str) -> Checker:
        if name not in self._made:
            shape = self._shapes[name]
            makers: dict[str, Callable[[str, dict[str, Any]], Checker]] = {
                "structure": self._structure,
                "list": self._list,
                "map": self._map,
                "string": self._string,
                "character": self._string,
                "integer": self._whole,
                "long": self._whole,
                "float": self._number,
                "double": self._number,
                "boolean": lambda name, shape: _check_boolean,
                "timestamp": lambda name, shape: _check_timestamp,
                "blob": self._blob,
            }
            self._made[name] = makers[shape["type"]](name, shape)
        return self._made[name]

    def _structure(self, name: str, shape: dict[str, Any]) -> Checker:
        if shape.get("document"):
            return _check_document
        required = tuple(shape.get("required", ()))
        checkers: dict[str, Checker] = {}

        def check(value: Any, where: Where, problems: list[Problem]) -> Any:
            if type(value) is not dict:
                raise _wrong_type(value, "Structure")
            kept = {}
            for member, inner in value.items():
                if inner is not None and (checker := checkers.get(member)) is not None:
                    kept[member] = checker(inner, (where, member), problems)
            for member in required:
                if member not in kept:
                    problems.append(Problem(None, (where, member), "Member must not be null"))
            return kept

        self._made[name] = check
        for member, target in shape["members"].items():
            checkers[member] = self.checker(target["shape"])
        return check

    def _list(self, name: str, shape: dict[str, Any]) -> Checker:
        limits = self._length(name, shape)
        item: list[Checker] = []

        def check(value: Any, where: Where, problems: list[Problem]) -> Any:
            if type(value) is not list:
                raise _wrong_type(value, "List")
            limits(len(value), value, where, problems)
            one = item[0]
            return [one(inner, (where, f"{at}.member"), problems) for at, inner in enumerate(value, 1) if inner is not None]

        self._made[name] = check
        item.append(self.checker(shape["member"]["shape"]))
        return check

    def _map(self, name: str, shape: dict[str, Any]) -> Checker:
        limits = self._length(name, shape)
        parts: list[Checker] = []

        def check(value: Any, where: Where, problems: list[Problem]) -> Any:
            if type(value) is not dict:
                raise _wrong_type(value, "Map")
            limits(len(value), value, where, problems)
            key_check, value_check = parts
            return {
                key_check(key, (where, "key"), problems): value_check(inner, (where, f"{key}.member"), problems)
                for key, inner in value.items()
                if inner is not None
            }

        self._made[name] = check
        parts.extend((self.checker(shape["key"]["shape"]), self.checker(shape["value"]["shape"])))
        return check

    def _string(self, name: str, shape: dict[str, Any]) -> Checker:
        enum = frozenset(shape.get("enum", ()))
        enum_text = f"Member must satisfy enum value set: [{', '.join(shape.get('enum', ()))}]"
        pattern = _compiled(shape.get("pattern"))
        if not enum and pattern is None and "min" not in shape and "max" not in shape:
            return _check_plain_string
        limits = self._length(name, shape)

        def check(value: Any, where: Where, problems: list[Problem]) -> Any:
            if type(value) is not str:
                raise _wrong_type(value, "String")
            limits(len(value), value, where, problems)
            if pattern is not None and pattern.fullmatch(value) is None:
                limit = f"Member must satisfy regular expression pattern: {shape['pattern']}"
                problems.append(Problem(java_text(value, name, self._shapes), where, limit))
            if enum and value not in enum:
                problems.append(Problem(java_text(value, name, self._shapes), where, enum_text))
            return value

        return check

    def _whole(self, name: str, shape: dict[str, Any]) -> Checker:
        limits = _range(shape)
        kind, bits = ("Integer", 31) if shape["type"] == "integer" else ("Long", 63)
        end = 1 << bits

        def check(value: Any, where: Where, problems: list[Problem]) -> Any:
            if type(value) is float and value == value and abs(value) != float("inf"):
                value = int(value)
            if type(value) is not int or not -end <= value < end:
                raise _wrong_type(value, kind)
            limits(value, where, problems)
            return value

        return check

    def _number(self, name: str, shape: dict[str, Any]) -> Checker:
        limits = _range(shape)
        kind = shape["type"].capitalize()

        def check(value: Any, where: Where, problems: list[Problem]) -> Any:
            if type(value) is not float and type(value) is not int:
                raise _wrong_type(value, kind)
            limits(value, where, problems)
            return value

        return check

    def _blob(self, name: str, shape: dict[str, Any]) -> Checker:
        limits = self._length(name, shape)

        def check(value: Any, where: Where, problems: list[Problem]) -> Any:
            if type(value) is not str:
                raise _wrong_type(value, "Blob")
            try:
                content = base64.b64decode(value, validate=True)
            except (binascii.Error, ValueError) as error:
                raise errors.serialization_error(f"'{value[:64]}' can not be converted to a Blob: {error}") from None
            limits(len(content), value, where, problems)
            return content

        return check

    def _length(self, name: str, shape: dict[str, Any]) -> Callable[[int, Any, Where, list[Problem]], None]:
        least, most = shape.get("min", 0), shape.get("max", float("inf"))

        def check(length: int, value: Any, where: Where, problems: list[Problem]) -> None:
            if length < least:
                limit = f"Member must have length greater than or equal to {least}"
                problems.append(Problem(java_text(value, name, self._shapes), where, limit))
            elif length > most:
                limit = f"Member must have length less than or equal to {most}"
                problems.append(Problem(java_text(value, name, self._shapes), where, limit))

        return check


def _range(shape: dict[str, Any]) -> Callable[[float, Where, list[Problem]], None]:
    least, most = shape.get("min", float("-inf")), shape.get("max", float("inf"))

    def check(value: float, where: Where, problems: list[Problem]) -> None:
        if value < least:
            problems.append(Problem(str(value), where, f"Member must have value greater than or equal to {least}"))
        elif value > most:
            problems.append(Problem(str(value), where, f"Member must have value less than or equal to {most}"))

    return check


def _check_plain_string(value: Any, where: Where, problems: list[Problem]) -> Any:
    if type(value) is not str:
        raise _wrong_type(value, "String")
    return value


def _check_boolean(value: Any, where: Where, problems: list[Problem]) -> Any:
    if type(value) is not bool:
        raise _wrong_type(value, "Boolean")
    return value


def _check_timestamp(value: Any, where: Where, problems: list[Problem]) -> Any:
    if type(value) is float or type(value) is int:
        return float(value)
    if type(value) is not str:
        raise _wrong_type(value, "Timestamp")
    for read in (parse_iso, float):
        try:
            return read(value)
        except ValueError:
            continue
    raise _wrong_type(value, "Timestamp")


def _check_document(value: Any, where: Where, problems: list[Problem]) -> Any:
    return value


def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    if pattern is None:
        return None
    # The same texts: anything of X and tabs with one of X at least.
    pattern = _WORDS.sub(lambda found: rf"^[ \t]*{found['x']}(?:{found['x']}|\t)*$", pattern)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return re.compile(pattern)
    except (re.error, Warning):
        return None


def _wrong_type(value: Any, wanted: str) -> errors.AwsError:
    """The text that AWS's JSON parser has for a value where another type should be."""
    if type(value) is list:
        return errors.serialization_error("Start of list found where not expected")
    if type(value) is dict:
        return errors.serialization_error("Start of structure or map found where not expected.")
    expected = {"List": "Expected list or null", "Map": "Expected map or null", "Structure": "Expected null"}
    if wanted in expected:
        return errors.serialization_error(expected[wanted])
    found = "STRING_VALUE" if type(value) is str else "NUMBER_VALUE"
    if type(value) is bool:
        found = "TRUE_VALUE" if value else "FALSE_VALUE"
    return errors.serialization_error(f"{found} can not be converted to {'an' if wanted == 'Integer' else 'a'} {wanted}")


def _lower_first(name: str) -> str:
    return name[:1].lower() + name[1:]
