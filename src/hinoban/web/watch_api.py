"""The watch's part of the JSON API, served on its Unix socket: incidents, why, orphans, history, schedules, status."""

from collections.abc import Mapping
from typing import Any, Protocol, cast, get_args

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hinoban.base.clock import Clock
from hinoban.base.units import parse_duration, parse_iso
from hinoban.watch.config import Lang
from hinoban.watch.model import IncidentState
from hinoban.web.answers import PREFIX, BadRequest, application, body, one_of, route, whole
from hinoban.web.metrics import MEDIA_TYPE, exposition

_MOST_ROWS = 10_000
_MOST_SLOTS = 1_000
_FARTHEST = 10 * 366 * 86_400
_STATES: tuple[str, ...] = get_args(IncidentState)


class WatchQueries(Protocol):
    """What the watch answers; plain JSON-ready objects, HinobanError for what is not there."""

    def incidents(self, state: str | None, limit: int, *, leads: bool = False) -> dict[str, Any]: ...

    def incident(self, id_prefix: str) -> dict[str, Any]: ...

    def postmortem(self, id_prefix: str, lang: Lang | None = None) -> dict[str, Any]: ...

    def ack(self, id_prefix: str, until: float | None, by: str) -> dict[str, Any]: ...

    def snooze(self, id_prefix: str, until: float, by: str) -> dict[str, Any]: ...

    def reopen(self, id_prefix: str, by: str) -> dict[str, Any]: ...

    def resolve(self, id_prefix: str, by: str, note: str = "") -> dict[str, Any]: ...

    def why(self, name: str, *, full: bool = False) -> dict[str, Any]: ...

    def orphans(self) -> dict[str, Any]: ...

    def history(self, query: Mapping[str, str]) -> dict[str, Any]: ...

    def schedules_since(self, since: float, following: int, name: str | None = None, region: str | None = None) -> dict[str, Any]: ...

    async def run_schedule(self, name: str, slot: float | None, by: str) -> dict[str, Any]: ...

    async def retry(self, name: str, by: str) -> dict[str, Any]: ...

    def catch_up(self, name: str, since: float, until: float, by: str) -> dict[str, Any]: ...

    def status(self) -> dict[str, Any]: ...

    def measures(self) -> dict[str, Any]: ...


def create(watch: WatchQueries, clock: Clock) -> Starlette:
    """The application; it is reached only through the engine's front door."""

    async def incidents(request: Request) -> Any:
        leads = request.query_params.get("leads") == "true"
        return watch.incidents(one_of(request, "state", _STATES), whole(request, "limit", 100, _MOST_ROWS), leads=leads)

    async def incident(request: Request) -> Any:
        return watch.incident(request.path_params["id"])

    async def postmortem(request: Request) -> Any:
        return watch.postmortem(request.path_params["id"], cast(Lang | None, one_of(request, "lang", get_args(Lang))))

    async def ack(request: Request) -> Any:
        given = await body(request)
        until = _until(clock, given["for"], "The incident cannot be acknowledged") if given.get("for") else None
        return watch.ack(request.path_params["id"], until, str(given.get("by") or "unknown"))

    async def snooze(request: Request) -> Any:
        given = await body(request)
        until = _until(clock, given.get("for"), "The incident cannot be snoozed")
        return watch.snooze(request.path_params["id"], until, str(given.get("by") or "unknown"))

    async def reopen(request: Request) -> Any:
        given = await body(request)
        return watch.reopen(request.path_params["id"], str(given.get("by") or "unknown"))

    async def resolve(request: Request) -> Any:
        given = await body(request)
        return watch.resolve(request.path_params["id"], str(given.get("by") or "unknown"), str(given.get("note") or ""))

    async def why(request: Request) -> Any:
        name = request.query_params.get("name", "")
        return watch.why(name, full=request.query_params.get("full") == "true")

    async def orphans(request: Request) -> Any:
        return watch.orphans()

    async def history(request: Request) -> Any:
        return watch.history(dict(request.query_params))

    async def schedules(request: Request) -> Any:
        asked = request.query_params
        since, following = whole(request, "since", 86_400, _FARTHEST), whole(request, "next", 0, _MOST_SLOTS)
        return watch.schedules_since(since, following, asked.get("name"), asked.get("region"))

    async def run_schedule(request: Request) -> Any:
        given = await body(request)
        slot = _moment(given["slot"], "slot") if given.get("slot") else None
        return await watch.run_schedule(str(given.get("name") or ""), slot, str(given.get("by") or "unknown"))

    async def retry(request: Request) -> Any:
        given = await body(request)
        return await watch.retry(str(given.get("name") or ""), str(given.get("by") or "unknown"))

    async def catch_up(request: Request) -> Any:
        given = await body(request)
        since, until = _moment(given.get("from"), "from"), _moment(given.get("to"), "to")
        return watch.catch_up(str(given.get("name") or ""), since, until, str(given.get("by") or "unknown"))

    async def status(request: Request) -> Any:
        return watch.status()

    async def get_metrics(request: Request) -> Any:
        return Response(exposition(watch.measures()), media_type=MEDIA_TYPE)

    return application(
        [
            Route(f"{PREFIX}/incidents", route(incidents)),
            Route(PREFIX + "/incidents/{id}", route(incident, status=404)),
            Route(PREFIX + "/incidents/{id}/postmortem", route(postmortem, status=404)),
            Route(PREFIX + "/incidents/{id}/snooze", route(snooze, status=404), methods=["POST"]),
            Route(PREFIX + "/incidents/{id}/reopen", route(reopen, status=404), methods=["POST"]),
            Route(PREFIX + "/incidents/{id}/ack", route(ack, status=404), methods=["POST"]),
            Route(PREFIX + "/incidents/{id}/resolve", route(resolve, status=404), methods=["POST"]),
            Route(f"{PREFIX}/why", route(why, status=404)),
            Route(f"{PREFIX}/retry", route(retry, status=404), methods=["POST"]),
            Route(f"{PREFIX}/orphans", route(orphans)),
            Route(f"{PREFIX}/history", route(history)),
            Route(f"{PREFIX}/schedules", route(schedules, status=404)),
            Route(f"{PREFIX}/schedules/run", route(run_schedule, status=404), methods=["POST"]),
            Route(f"{PREFIX}/schedules/catch-up", route(catch_up, status=404), methods=["POST"]),
            Route(f"{PREFIX}/status", route(status)),
            Route(f"{PREFIX}/metrics", route(get_metrics)),
        ]
    )


def _until(clock: Clock, given: Any, what: str) -> float:
    """The end of a duration that begins now."""
    try:
        seconds = parse_duration(str(given or ""))
    except ValueError as error:
        raise BadRequest(what, str(error), 'Write e.g. {"for": "24h"}.') from error
    return clock.now() + seconds


def _moment(text: Any, name: str) -> float:
    try:
        return parse_iso(str(text))
    except ValueError as error:
        raise BadRequest(f"{name} is no moment", str(error), "Write it as 2026-11-27T00:00:00+09:00.") from error
