"""docs/json-api.md: its examples can be signed by every curl, and its requests are those that are answered."""

import re
from pathlib import Path
from typing import Any

from starlette.routing import Route

from hinoban.base.clock import FakeClock
from hinoban.web import engine_api, watch_api

PAGE = (Path(__file__).resolve().parents[2] / "docs/json-api.md").read_text(encoding="utf-8")
ANY: Any = None


def test_the_parameters_of_every_example_are_in_order() -> None:
    queries = re.findall(r"\?([\w=&]+)", PAGE)
    assert len(queries) >= 4
    for query in queries:
        names = [pair.partition("=")[0] for pair in query.split("&")]
        assert names == sorted(names), query


def test_every_request_of_the_page_is_answered_and_no_other() -> None:
    rows = re.findall(r"`(GET|POST|DELETE) ([\w/-]+)", PAGE)
    shown = {(method, path.replace("ID", "{id}")) for method, path in rows}
    apps = watch_api.create(ANY, FakeClock()), engine_api.create(ANY, LookupError, ANY, ANY, ANY, ANY, ANY, ANY)
    answered = {
        (method, route.path.removeprefix("/_hinoban/v1/"))
        for app in apps
        for route in app.routes
        if isinstance(route, Route) and "rest:path" not in route.path
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert shown - {("GET", "/health")} == answered
