"""What two revisions differ in is told by names, never by values that may be secrets."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hinoban.watch.definition_diff import difference


def definition(revision: int = 1, containers: list[dict[str, Any]] | None = None, **members: Any) -> dict[str, Any]:
    one = {"name": "app", "image": "repo/web-api:v1.8.2", "environment": [{"name": "DB_HOST", "value": "a"}]}
    own = {"family": "web", "revision": revision, "taskDefinitionArn": f"arn/web:{revision}", "registeredAt": float(revision)}
    return {**own, "cpu": "256", "containerDefinitions": containers or [one], **members}


@pytest.mark.parametrize(
    "after, told",
    [
        (definition(2), []),
        (definition(2, cpu="512"), ["cpu 256 → 512"]),
        (definition(2, taskRoleArn="arn:role"), ["taskRoleArn"]),
        (
            definition(2, [{"name": "app", "image": "repo/web-api:v1.8.3", "environment": [{"name": "DB_HOST", "value": "a"}]}]),
            ["image v1.8.2 → v1.8.3"],
        ),
        (
            definition(2, [{"name": "app", "image": "other/web-api:v1.8.2", "environment": [{"name": "DB_HOST", "value": "b"}]}]),
            ["image repo/web-api:v1.8.2 → other/web-api:v1.8.2", "environment DB_HOST"],
        ),
        (definition(2, [{"name": "app", "image": "repo/web-api:v1.8.2", "memory": 128}]), ["environment DB_HOST", "memory none → 128"]),
    ],
)
def test_each_change_is_named(after: dict[str, Any], told: list[str]) -> None:
    assert difference(definition(1), after) == told


def test_with_several_containers_each_change_says_whose_it_is() -> None:
    before = definition(1, [{"name": "app", "image": "a:1"}, {"name": "side", "image": "s:1"}])
    after = definition(2, [{"name": "app", "image": "a:2"}, {"name": "log", "image": "l:1"}])
    assert difference(before, after) == ["app image 1 → 2", "container side removed", "container log added"]


def test_a_registry_port_is_no_tag() -> None:
    before, after = definition(1, [{"name": "app", "image": "host:5000/a"}]), definition(2, [{"name": "app", "image": "host:6000/a"}])
    assert difference(before, after) == ["image host:5000/a → host:6000/a"]


@given(st.text(min_size=12), st.text(min_size=12))
def test_no_value_of_the_environment_is_ever_told(old: str, new: str) -> None:
    def of(value: str) -> dict[str, Any]:
        return definition(
            1, [{"name": "app", "image": "i", "environment": [{"name": "KEY", "value": value}], "dockerLabels": {"L": value}}]
        )

    told = difference(of(old), of(new))
    assert told == ([] if old == new else ["dockerLabels L", "environment KEY"])
