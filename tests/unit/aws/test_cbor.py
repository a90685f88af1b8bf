"""CBOR against botocore's serialiser and parser, and what is no CBOR."""

import io
from typing import Any

import pytest
from botocore.parsers import RpcV2CBORParser
from hypothesis import given
from hypothesis import strategies as st

from hinoban.aws.errors import AwsError
from hinoban.aws.protocols import cbor

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=30)
    | st.binary(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(one) for key, one in value.items() if one is not None}
    return [_without_none(one) for one in value] if isinstance(value, list) else value


def botocores(body: bytes) -> Any:
    return RpcV2CBORParser().parse_data_item(io.BufferedReader(io.BytesIO(body)))  # type: ignore[arg-type]  # a BytesIO is raw enough for it


@given(values)
def test_what_we_write_we_and_botocore_read(value: Any) -> None:
    assert cbor.decode(cbor.encode(value)) == value
    # botocore leaves absent members out.
    if isinstance(value, dict):
        assert cbor.encode(botocores(cbor.encode(value))) == cbor.encode(_without_none(value))


@given(st.floats(0, 4e9).map(lambda moment: round(moment, 3)))
def test_a_timestamp_keeps_its_moment(moment: float) -> None:
    assert cbor.decode(cbor.encode({"at": cbor.Timestamp(moment)})) == {"at": moment}
    assert abs(botocores(cbor.encode({"at": cbor.Timestamp(moment)}))["at"].timestamp() - moment) < 0.001


def test_every_spelling_of_a_value_is_read() -> None:
    assert cbor.decode(b"") == {}
    assert cbor.decode(bytes.fromhex("bf6161ff".replace("ff", "01ff"))) == {"a": 1}
    assert cbor.decode(bytes.fromhex("9f0102ff")) == [1, 2]
    assert cbor.decode(bytes.fromhex("7f61616162ff")) == "ab"
    assert cbor.decode(bytes.fromhex("f93c00")) == 1.0
    assert cbor.decode(bytes.fromhex("fa3fc00000")) == 1.5
    assert cbor.decode(bytes.fromhex("c11a514b67b0")) == 1363896240.0


@given(st.binary(max_size=60))
def test_any_bytes_are_answered(body: bytes) -> None:
    try:
        cbor.decode(body)
    except AwsError as error:
        assert error.code == "SerializationException"


def test_a_bomb_is_refused() -> None:
    with pytest.raises(AwsError):
        cbor.decode(b"\x81" * 5_000)
    with pytest.raises(AwsError):
        cbor.decode(b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff")
