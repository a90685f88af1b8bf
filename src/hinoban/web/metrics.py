"""The watch's measures in Prometheus's text format (facts/monitoring.md §3, version 0.0.4), made of what `status` answers. Pure, and the
little application that serves them without a signature where a port was given for it (docs/decisions/0019)."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from hinoban.aws.hosts import host_allowed
from hinoban.base.units import parse_iso

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Samples = Iterable[tuple[Mapping[str, str], float | int | None]]


def exposition(status: Mapping[str, Any]) -> str:
    """Every measure as a gauge; a moment is seconds since the epoch, and one that is not known is left out."""
    sources, channels, ping = status["sources"], status["channels"], status["dead_man"]
    families: list[tuple[str, str, Samples]] = [
        ("watch_well", "1 while sources, loops and channels are well.", [({}, 0 if status["unwell"] else 1)]),
        ("source_behind", "1 while the source is behind: nothing is launched or stopped then.", _each(sources, lambda one: one["behind"] is not None)),
        ("source_lag_events", "Events that the source holds and the watch has not read.", _each(sources, lambda one: one["lag"])),
        ("source_polled_timestamp_seconds", "When the source last answered.", _each(sources, lambda one: _moment(one["polled_at"]))),
        ("source_delay_seconds", "From the event to its being seen, over the last hour.", _delays(sources)),
        ("outbox_messages", "Messages by channel and state.", _outbox(channels)),
        ("outbox_oldest_timestamp_seconds", "When the oldest message that waits was written.", _of(channels, "oldest_queued_at")),
        ("channel_sent_timestamp_seconds", "When the channel last took a message.", _of(channels, "last_sent_at")),
        ("incidents_open", "Incidents that are not resolved, by detector.", [({"detector": k}, v) for k, v in status["open"].items()]),
        ("retries", "Retries by state.", [({"state": name}, count) for name, count in status["retries"].items()]),
        ("would_have", "What was not done within a day, as it is not allowed.", [({"what": k}, v) for k, v in status["would_have"].items()]),
        ("events_aside", "Events of the last 30 days that could not be read.", [({}, status["aside"]["count"])]),
        ("detector_sees", "0 while what the detector needs arrives from nowhere.", _sees(status["detectors"])),
        ("detector_blind", "1 for each account's region in which the detector does not see.", _blind(status["detectors"])),
        ("dead_man_ping_timestamp_seconds", "When the dead-man's ping last arrived.", [({}, _moment(ping["ok_at"]) if ping else None)]),
    ]  # fmt: skip
    return "".join(_family(f"hinoban_{name}", words, samples) for name, words, samples in families)


def serving(render: Callable[[], str]) -> Starlette:
    """`GET /metrics` and nothing else; only under a name of this machine, so that no web page can read it."""

    async def metrics(request: Request) -> Response:
        if not host_allowed(request.headers.get("host", "")):
            return PlainTextResponse("This name is not answered.\n", status_code=403)
        return Response(render(), media_type=MEDIA_TYPE)

    return Starlette(routes=[Route("/metrics", metrics)])


def _family(name: str, words: str, samples: Samples) -> str:
    lines = [f"{name}{_labels(labels)} {float(value):.15g}" for labels, value in samples if value is not None]
    return "\n".join([f"# HELP {name} {words}", f"# TYPE {name} gauge", *lines]) + "\n" if lines else ""


def _labels(labels: Mapping[str, str]) -> str:
    spelt = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{spelt}}}" if spelt else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _each(sources: Iterable[Mapping[str, Any]], ask: Callable[[Mapping[str, Any]], float | int | None]) -> Samples:
    return [({"source": one["source"]}, ask(one)) for one in sources]


def _of(channels: Iterable[Mapping[str, Any]], name: str) -> Samples:
    return [({"channel": one["channel"]}, _moment(one[name])) for one in channels]


def _outbox(channels: Iterable[Mapping[str, Any]]) -> Samples:
    return [({"channel": one["channel"], "state": state}, one[state]) for one in channels for state in ("queued", "sent", "dead")]


def _delays(sources: Iterable[Mapping[str, Any]]) -> Samples:
    return [
        ({"source": one["source"], "kind": kind, "quantile": share}, found[named])
        for one in sources
        for kind, found in one["delay"].items()
        for share, named in (("0.5", "p50"), ("0.95", "p95"))
    ]


def _sees(detectors: Iterable[Mapping[str, Any]]) -> Samples:
    return [({"detector": one["detector"]}, 0 if one["state"] == "blind" else 1) for one in detectors]


def _blind(detectors: Iterable[Mapping[str, Any]]) -> Samples:
    return [
        ({"detector": one["detector"], "account": place["account"] or "", "region": place["region"] or ""}, 1)
        for one in detectors
        for place in one["blind_in"]
    ]


def _moment(text: str | None) -> float | None:
    return None if text is None else parse_iso(text)
