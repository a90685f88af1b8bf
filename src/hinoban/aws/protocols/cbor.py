"""Smithy RPC v2 CBOR's values as bytes (RFC 8949): what AWS's shapes can hold, and no more.

A timestamp is tag 1 and epoch seconds; it is `Timestamp` on the way out and a float on the way in.
"""

import struct
from typing import Any

from hinoban.aws import errors

PROTOCOL = "rpc-v2-cbor"
_DEEPEST = 100
_EPOCH = 1
_INDEFINITE = 31
_BREAK = object()


class Timestamp(float):
    """Epoch seconds that go out as a timestamp."""


def encode(value: Any) -> bytes:
    """A value of dicts, lists, texts, bytes, numbers, booleans, None and Timestamps."""
    out = bytearray()
    _encode(value, out)
    return bytes(out)


def decode(body: bytes) -> Any:
    """The one value of a body, `{}` for none; AwsError (SerializationException) for what is no CBOR."""
    if not body:
        return {}
    try:
        value, end = _decode(body, 0, 0)
    except (IndexError, struct.error, UnicodeDecodeError, ValueError) as error:
        raise errors.serialization_error(f"The request body is not CBOR: {error}") from None
    if end != len(body) or value is _BREAK:
        raise errors.serialization_error("The request body is not one CBOR value.")
    return value


def _encode(value: Any, out: bytearray) -> None:
    if value is None or isinstance(value, bool):
        out.append(0xF6 if value is None else 0xF5 if value else 0xF4)
    elif isinstance(value, Timestamp):
        out.append(0xC0 | _EPOCH)
        out += b"\xfb" + struct.pack(">d", value)
    elif isinstance(value, int):
        _head(0 if value >= 0 else 1, value if value >= 0 else -1 - value, out)
    elif isinstance(value, float):
        out += b"\xfb" + struct.pack(">d", value)
    elif isinstance(value, str):
        text = value.encode()
        _head(3, len(text), out)
        out += text
    elif isinstance(value, bytes):
        _head(2, len(value), out)
        out += value
    elif isinstance(value, dict):
        _head(5, len(value), out)
        for key, one in value.items():
            _encode(key, out)
            _encode(one, out)
    else:
        _head(4, len(value), out)
        for one in value:
            _encode(one, out)


def _head(major: int, number: int, out: bytearray) -> None:
    if number < 24:
        out.append(major << 5 | number)
        return
    for code, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 1 << (8 * size):
            out.append(major << 5 | code)
            out += number.to_bytes(size, "big")
            return
    raise ValueError(f"{number} has no place in CBOR")


def _decode(body: bytes, at: int, depth: int) -> tuple[Any, int]:
    if depth > _DEEPEST:
        raise ValueError("it is nested too deeply")
    major, low = body[at] >> 5, body[at] & 31
    at += 1
    if major == 7:
        return _simple(body, low, at)
    number, at = (None, at) if low == _INDEFINITE else _number(body, low, at)
    match major:
        case 0 | 1 if number is not None:
            return (number if major == 0 else -1 - number), at
        case 2 | 3:
            raw, at = _string(body, major, number, at)
            return (raw if major == 2 else raw.decode()), at
        case 4:
            items, at = _items(body, number, at, depth)
            return items, at
        case 5:
            flat, at = _items(body, None if number is None else 2 * number, at, depth)
            return dict(zip(flat[::2], flat[1::2], strict=True)), at
        case 6 if number is not None:
            value, at = _decode(body, at, depth + 1)
            return (float(value) if number == _EPOCH else value), at
    raise ValueError(f"the byte {body[at - 1]:#x} begins nothing")


def _number(body: bytes, low: int, at: int) -> tuple[int, int]:
    if low < 24:
        return low, at
    if low > 27:
        raise ValueError("a length is reserved")
    size = 1 << (low - 24)
    if at + size > len(body):
        raise ValueError("it ends too early")
    return int.from_bytes(body[at : at + size], "big"), at + size


def _string(body: bytes, major: int, size: int | None, at: int) -> tuple[bytes, int]:
    if size is not None:
        if at + size > len(body):
            raise ValueError("it ends too early")
        return body[at : at + size], at + size
    parts = b""
    while body[at] != 0xFF:
        if body[at] >> 5 != major:
            raise ValueError("a piece of a string is no string")
        length, at = _number(body, body[at] & 31, at + 1)
        part, at = _string(body, major, length, at)
        parts += part
    return parts, at + 1


def _items(body: bytes, count: int | None, at: int, depth: int) -> tuple[list[Any], int]:
    items: list[Any] = []
    while count is None or len(items) < count:
        value, at = _decode(body, at, depth + 1)
        if value is _BREAK:
            if count is not None:
                raise ValueError("a break stands where a value should")
            break
        items.append(value)
    return items, at


def _simple(body: bytes, low: int, at: int) -> tuple[Any, int]:
    match low:
        case 20 | 21:
            return low == 21, at
        case 22 | 23:
            return None, at
        case 25:
            return struct.unpack_from(">e", body, at)[0], at + 2
        case 26:
            return struct.unpack_from(">f", body, at)[0], at + 4
        case 27:
            return struct.unpack_from(">d", body, at)[0], at + 8
        case 31:
            return _BREAK, at
    raise ValueError(f"the simple value {low} means nothing here")
