"""The watch's part of the JSON API, served on its Unix socket: incidents, why, history, status."""

from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from hinoban.base.clock import Clock
from hinoban.base.errors import HinobanError
from hinoban.base.units import parse_duration
from hinoban.web.answers import body, route, whole

_MOST_ROWS = 10_000


class WatchQueries(Protocol):
    """What the watch answers; plain JSON-ready objects, HinobanError for what is not there."""

    def incidents(self, state: str | None, limit: int) -> dict[str, Any]: ...

    def incident(self, id_prefix: str) -> dict[str, Any]: ...

    def ack(self, id_prefix: str, until: float | None, by: str) -> dict[str, Any]: ...

    def why(self, name: str, *, full: bool = False) -> dict[str, Any]: ...

    def history(self, family: str | None, limit: int) -> dict[str, Any]: ...

    def status(self) -> dict[str, Any]: ...


def create(watch: WatchQueries, clock: Clock) -> Starlette:
    """The application; it is reached only through the engine's front door."""

    async def incidents(request: Request) -> Any:
        return watch.incidents(request.query_params.get("state"), whole(request, "limit", 100, _MOST_ROWS))

    async def incident(request: Request) -> Any:
        return watch.incident(request.path_params["id"])

    async def ack(request: Request) -> Any:
        given = await body(request)
        until = None
        if given.get("for"):
            try:
                until = clock.now() + parse_duration(str(given["for"]))
            except ValueError as error:
                raise HinobanError("The incident cannot be acknowledged", str(error), "Write e.g. --for 24h") from error
        return watch.ack(request.path_params["id"], until, str(given.get("by") or "unknown"))

    async def why(request: Request) -> Any:
        name = request.query_params.get("name", "")
        return watch.why(name, full=request.query_params.get("full") == "true")

    async def history(request: Request) -> Any:
        return watch.history(request.query_params.get("family"), whole(request, "limit", 100, _MOST_ROWS))

    async def status(request: Request) -> Any:
        return watch.status()

    prefix = "/_hinoban/v1"
    return Starlette(
        routes=[
            Route(f"{prefix}/incidents", route(incidents)),
            Route(prefix + "/incidents/{id}", route(incident, status=404)),
            Route(prefix + "/incidents/{id}/ack", route(ack, status=404), methods=["POST"]),
            Route(f"{prefix}/why", route(why, status=404)),
            Route(f"{prefix}/history", route(history)),
            Route(f"{prefix}/status", route(status)),
        ]
    )
