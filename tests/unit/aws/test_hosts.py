"""The Host header: our own names only."""

import pytest

from hinoban.aws.hosts import host_allowed


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:4566", "127.0.0.1", "127.0.0.1:1", "127.9.9.9", "[::1]", "[::1]:4566", "ecs.localhost:4566", "localhost."],
)
def test_loopback_is_ours_with_any_port(host: str) -> None:
    assert host_allowed(host)


@pytest.mark.parametrize(
    "host",
    ["", ":4566", "evil.example", "evil.example:4566", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "[::1", "[::1]x", "a:b:c",
     "localhost:80@evil.example", "169.254.170.2", "evillocalhost"],
)  # fmt: skip
def test_other_names_are_not(host: str) -> None:
    assert not host_allowed(host)


def test_a_name_may_be_allowed() -> None:
    assert host_allowed("Hinoban.Internal:4566", frozenset({"hinoban.internal"}))
    assert host_allowed("169.254.170.2", frozenset({"169.254.170.2"}))
