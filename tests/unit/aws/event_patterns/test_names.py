"""A misspelt field of a pattern is found, wherever it stands."""

from typing import Any

import pytest

from hinoban.aws.event_patterns import Names, unknown_name

KNOWN: Names = {"source": None, "detail": {"group": None, "stopCode": None}}


@pytest.mark.parametrize(
    "pattern",
    [
        {},
        {"source": ["aws.ecs"], "detail": {"group": [{"prefix": "family:"}]}},
        {"detail": {"group": {"anything": {"below": ["x"]}}}},
        {"detail.group": ["x"], "source.x": ["y"]},
        {"$or": [{"source": ["a"]}, {"detail": {"$or": [{"group": ["x"]}, {"stopCode": ["y"]}]}}]},
    ],
)
def test_known_fields_are_fine(pattern: dict[str, Any]) -> None:
    assert unknown_name(pattern, KNOWN, "match") is None


@pytest.mark.parametrize(
    "pattern, path, todo",
    [
        ({"detial": {"group": ["x"]}}, "match.detial", "Did you mean 'detail'?"),
        ({"source": ["a"], "detail": {"gruop": ["x"]}}, "match.detail.gruop", "Did you mean 'group'?"),
        ({"detail": {"stop_code": ["x"]}}, "match.detail.stop_code", "Did you mean 'stopCode'?"),
        ({"detail": {"STOPCODE": ["x"]}}, "match.detail.STOPCODE", "Did you mean 'stopCode'?"),
        ({"detail.gruop": ["x"]}, "match.detail.gruop", "Did you mean 'group'?"),
        ({"zzz": ["x"]}, "match.zzz", "Allowed here: source, detail, $or."),
        ({"or": [{"source": ["x"]}]}, "match.or", "Did you mean '$or'?"),
        ({"$or": ["x"]}, "match.$or", "Did you mean '$or'?"),
        (
            {"$or": [{"source": ["a"]}, {"detail": {"$or": [{"group": ["x"]}, {"stpCode": ["y"]}]}}]},
            "match.$or[1].detail.$or[1].stpCode",
            "Did you mean 'stopCode'?",
        ),
    ],
)
def test_an_unknown_field_is_named_by_its_path(pattern: dict[str, Any], path: str, todo: str) -> None:
    found = unknown_name(pattern, KNOWN, "match")
    assert found is not None
    assert (found.path, found.todo) == (path, todo)
