"""AWS's query protocol, both ways: a form names the operation and its members (`Filter.member.1.Name=x`), XML answers.

Source: "AWS query protocol" (Smithy); lists are `member.N` or, flattened, `N`; maps `entry.N.key` and `entry.N.value`.
"""

from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree

from hinoban.aws import errors
from hinoban.aws.errors import AwsError
from hinoban.aws.http import HttpRequest, HttpResponse
from hinoban.aws.protocols.json import REQUEST_ID
from hinoban.aws.protocols.shapes import Shapes, scalar, text_of, wire_name

CONTENT_TYPE = "application/x-www-form-urlencoded"
_DEEPEST = 100

Form = dict[str, str]


def form_of(request: HttpRequest) -> Form:
    """The form of a request: its body, or its query string for a GET; AwsError where it is none."""
    raw = request.query if request.method == "GET" else request.body.decode("utf-8", "replace")
    try:
        return dict(parse_qsl(raw, keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=10_000))
    except (ValueError, UnicodeError) as error:
        raise errors.serialization_error(f"The request body is not a form: {error}") from None


def operation(form: Form) -> str:
    """The operation that a form names."""
    if not form.get("Action"):
        raise AwsError("MissingAction", "The request is missing an Action parameter.")
    return form["Action"]


def decode(form: Form, shape: str | None, shapes: Shapes) -> dict[str, Any]:
    """The members of the operation's input, unchecked."""
    if shape is None:
        return {}
    tree: dict[str, Any] = {}
    for name, value in form.items():
        if name not in ("Action", "Version"):
            _plant(tree, name.split("."), value)
    return _structure(tree, shape, shapes)


def _plant(tree: dict[str, Any], path: list[str], value: str) -> None:
    if len(path) > _DEEPEST:
        raise errors.serialization_error("The request is nested too deeply.")
    for part in path[:-1]:
        inner = tree.setdefault(part, {})
        if not isinstance(inner, dict):
            raise errors.serialization_error(f"The parameter {'.'.join(path)} stands below a value.")
        tree = inner
    tree[path[-1]] = value


def _structure(tree: dict[str, Any], name: str, shapes: Shapes) -> dict[str, Any]:
    found = {}
    for member, reference in shapes[name]["members"].items():
        at = reference.get("locationName", member)
        target = shapes[reference["shape"]]
        if target["type"] == "list" and target.get("flattened"):
            at = target["member"].get("locationName", at)
        if at in tree:
            found[member] = _value(tree[at], reference["shape"], shapes)
    return found


def _value(tree: Any, name: str, shapes: Shapes) -> Any:
    shape = shapes[name]
    kind = shape["type"]
    if kind in ("structure", "list", "map"):
        if tree == "":
            # An empty list is its name without an index.
            return {} if kind != "list" else []
        if not isinstance(tree, dict):
            raise errors.serialization_error(f"{tree!r} is not a {kind}")
    elif isinstance(tree, dict):
        raise errors.serialization_error(f"A {kind} cannot have members")
    match kind:
        case "structure":
            return _structure(tree, name, shapes)
        case "list":
            inner = tree if shape.get("flattened") else tree.get(shape["member"].get("locationName", "member"), {})
            return [_value(inner[index], shape["member"]["shape"], shapes) for index in _indexes(inner)]
        case "map":
            inner = tree if shape.get("flattened") else tree.get("entry", {})
            key, value = (shape[part].get("locationName", part) for part in ("key", "value"))
            entries = [inner[index] for index in _indexes(inner)]
            if not all(isinstance(entry, dict) and key in entry for entry in entries):
                raise errors.serialization_error("An entry of a map has no key")
            return {entry[key]: _value(entry.get(value, ""), shape["value"]["shape"], shapes) for entry in entries}
    return scalar(tree, shape)


def _indexes(tree: Any) -> list[str]:
    if not isinstance(tree, dict) or not all(index.isdecimal() for index in tree):
        raise errors.serialization_error("A list's members are numbered from 1")
    return sorted(tree, key=int)


# Answers -----------------------------------------------------------------------------------------------------------------------------


def response(
    operation_name: str, request_id: str, result: Mapping[str, Any], output: Mapping[str, Any] | None, shapes: Shapes, namespace: str
) -> HttpResponse:
    """The XML of a result; `output` is the operation's reference to its output shape (`shape`, `resultWrapper`)."""
    inner = ""
    if output is not None:
        wrapper = output.get("resultWrapper", f"{operation_name}Result")
        inner = f"<{wrapper}>{members(result, output['shape'], shapes)}</{wrapper}>"
    told = f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
    return _xml(f'<{operation_name}Response xmlns="{escape(namespace)}">{inner}{told}</{operation_name}Response>', request_id, 200)


def error_response(request_id: str, error: AwsError) -> HttpResponse:
    """An error as XML."""
    kind = "Receiver" if error.status >= 500 else "Sender"
    inner = f"<Type>{kind}</Type><Code>{_safe(error.code)}</Code><Message>{_safe(error.message)}</Message>"
    return _xml(f"<ErrorResponse><Error>{inner}</Error><RequestId>{request_id}</RequestId></ErrorResponse>", request_id, error.status)


def members(value: Mapping[str, Any], name: str, shapes: Shapes) -> str:
    """The XML inside a structure."""
    parts = []
    for member, reference in shapes[name]["members"].items():
        if (one := value.get(member)) is not None:
            parts.append(_element(reference.get("locationName", member), one, reference["shape"], shapes))
    return "".join(parts)


def _element(tag: str, value: Any, name: str, shapes: Shapes) -> str:
    shape = shapes[name]
    match shape["type"]:
        case "structure":
            return f"<{tag}>{members(value, name, shapes)}</{tag}>"
        case "list":
            member = shape["member"]
            if shape.get("flattened"):
                return "".join(_element(member.get("locationName", tag), one, member["shape"], shapes) for one in value)
            inner = "".join(_element(member.get("locationName", "member"), one, member["shape"], shapes) for one in value)
            return f"<{tag}>{inner}</{tag}>"
        case "map":
            key, one = (shape[part].get("locationName", part) for part in ("key", "value"))
            entry = tag if shape.get("flattened") else "entry"
            inner = "".join(
                f"<{entry}><{key}>{_safe(name_)}</{key}>{_element(one, item, shape['value']['shape'], shapes)}</{entry}>"
                for name_, item in value.items()
            )
            return inner if shape.get("flattened") else f"<{tag}>{inner}</{tag}>"
    return f"<{tag}>{_safe(text_of(value, shape, 'iso8601'))}</{tag}>"


def _safe(text: str) -> str:
    """Escaped; a carriage return as its number, since XML reads it as a line's end, and what XML cannot hold as a question mark."""
    legal = "".join(letter if letter >= " " or letter in "\t\n\r" else "?" for letter in text).replace("\ufffe", "?").replace("\uffff", "?")
    return escape(legal, quote=False).replace("\r", "&#13;")


def _xml(text: str, request_id: str, status: int) -> HttpResponse:
    body = text.encode("utf-8", "replace")
    headers = [(REQUEST_ID, request_id), ("content-type", "text/xml"), ("content-length", str(len(body)))]
    return HttpResponse(status, headers, body)


# As a client -------------------------------------------------------------------------------------------------------------------------


def form(operation_name: str, version: str, params: Mapping[str, Any], shape: str | None, shapes: Shapes) -> Form:
    """The form of a call."""
    found: Form = {"Action": operation_name, "Version": version}
    if shape is not None:
        _spell_structure(found, "", params, shape, shapes)
    return found


def _spell_structure(found: Form, prefix: str, value: Mapping[str, Any], name: str, shapes: Shapes) -> None:
    for member, reference in shapes[name]["members"].items():
        if (one := value.get(member)) is None:
            continue
        target = shapes[reference["shape"]]
        at = wire_name(reference, member)
        if target["type"] == "list" and target.get("flattened") and one:
            at = target["member"].get("locationName", at)
        _spell(found, prefix + at, one, reference["shape"], shapes)


def _spell(found: Form, at: str, value: Any, name: str, shapes: Shapes) -> None:
    shape = shapes[name]
    match shape["type"]:
        case "structure":
            _spell_structure(found, f"{at}.", value, name, shapes)
        case "list":
            if not value:
                found[at] = ""
            member = shape["member"]
            prefix = at if shape.get("flattened") else f"{at}.{wire_name(member, 'member')}"
            for index, one in enumerate(value, 1):
                _spell(found, f"{prefix}.{index}", one, member["shape"], shapes)
        case "map":
            prefix = at if shape.get("flattened") else f"{at}.entry"
            for index, (key, one) in enumerate(value.items(), 1):
                _spell(found, f"{prefix}.{index}.{wire_name(shape['key'], 'key')}", key, shape["key"]["shape"], shapes)
                _spell(found, f"{prefix}.{index}.{wire_name(shape['value'], 'value')}", one, shape["value"]["shape"], shapes)
        case _:
            found[at] = value if isinstance(value, str) else text_of(value, shape, "iso8601")


def tree_of(body: bytes) -> ElementTree.Element:
    """An answer's XML without its namespaces; ElementTree.ParseError where it is none."""
    root = ElementTree.fromstring(body)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def read(root: ElementTree.Element, output: Mapping[str, Any] | None, shapes: Shapes) -> dict[str, Any]:
    """The members of an answer; `output` is the operation's reference to its output shape."""
    if output is None:
        return {}
    wrapper = output.get("resultWrapper")
    inner = root.find(wrapper) if wrapper else root
    found: dict[str, Any] = {} if inner is None else _read(inner, output["shape"], shapes)
    return found


def _read(element: ElementTree.Element, name: str, shapes: Shapes) -> Any:
    shape = shapes[name]
    match shape["type"]:
        case "structure":
            return _read_structure(element, shape, shapes)
        case "list":
            member = shape["member"]
            return [_read(one, member["shape"], shapes) for one in element.findall(wire_name(member, "member"))]
        case "map":
            return _read_entries(element.findall("entry"), shape, shapes)
    return scalar(element.text or "", shape)


def _read_structure(element: ElementTree.Element, shape: Mapping[str, Any], shapes: Shapes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for member, reference in shape["members"].items():
        target = shapes[reference["shape"]]
        at = wire_name(reference, member)
        if not target.get("flattened"):
            if (one := element.find(at)) is not None:
                found[member] = _read(one, reference["shape"], shapes)
        elif target["type"] == "map":
            if entries := element.findall(at):
                found[member] = _read_entries(entries, target, shapes)
        elif items := element.findall(wire_name(target["member"], at)):
            found[member] = [_read(one, target["member"]["shape"], shapes) for one in items]
    return found


def _read_entries(entries: list[ElementTree.Element], shape: Mapping[str, Any], shapes: Shapes) -> dict[str, Any]:
    found = {}
    for entry in entries:
        key, value = (entry.find(wire_name(shape[part], part)) for part in ("key", "value"))
        if key is not None and value is not None:
            found[key.text or ""] = _read(value, shape["value"]["shape"], shapes)
    return found
