"""The measures as Prometheus reads them: names, labels, escapes; and who may read them without a signature."""

import re
from pathlib import Path
from typing import Any

import httpx

from hinoban.watch.evidence import NEEDS
from hinoban.web import engine_api, watch_api
from hinoban.web.metrics import MEDIA_TYPE, exposition, serving
from tests.unit.watch.worlds import World

ANY: Any = None

STATUS: dict[str, Any] = {
    "sources": [
        {
            "source": 'sqs:1/"x"\\',
            "behind": "it is",
            "lag": 3,
            "polled_at": "2026-11-28T00:00:00Z",
            "delay": {"cloudtrail": {"count": 1, "p50": 71.5, "p95": 250.0}},
        },
        {"source": "journal", "behind": None, "lag": None, "polled_at": None, "delay": {}},
    ],
    "channels": [
        {"channel": "slack", "queued": 2, "sent": 5, "dead": 0, "oldest_queued_at": "2026-11-28T00:00:00.5Z", "last_sent_at": None}
    ],
    "dead_man": None,
    "unwell": "it is",
    "open": {"failed_exit": 2},
    "retries": {"waiting": 1},
    "aside": {"count": 2, "latest": []},
    "would_have": {"retried": 0, "stopped": 0},
    "detectors": [
        {
            "detector": name,
            "state": "blind" if name == "overdue" else "quiet",
            "blind_in": [{"account": "2", "region": "us-east-1", "why": "", "todo": ""}] if name == "failed_exit" else [],
        }
        for name in NEEDS
    ],
}
SAMPLE = re.compile(r'[a-zA-Z_][a-zA-Z0-9_]*(\{([a-z]+="([^"\\\n]|\\["\\n])*",?)*\})? -?[0-9.e+]+')


def test_every_line_is_what_prometheus_reads() -> None:
    text = exposition(STATUS)
    assert text.endswith("\n") and "\n\n" not in text
    named: list[str] = []
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            named.append(line.split()[2])
        elif not line.startswith("# HELP "):
            assert SAMPLE.fullmatch(line), line
            assert re.split(r"[{ ]", line)[0] == named[-1], "a family's samples stand together, under its type"
    assert len(named) == len(set(named))


def test_the_numbers() -> None:
    lines = exposition(STATUS).splitlines()
    assert "hinoban_watch_well 0" in lines
    assert 'hinoban_source_lag_events{source="sqs:1/\\"x\\"\\\\"} 3' in lines
    assert 'hinoban_source_delay_seconds{source="sqs:1/\\"x\\"\\\\",kind="cloudtrail",quantile="0.95"} 250' in lines
    assert 'hinoban_outbox_oldest_timestamp_seconds{channel="slack"} 1795824000.5' in lines
    assert 'hinoban_detector_sees{detector="overdue"} 0' in lines and 'hinoban_detector_sees{detector="failed_exit"} 1' in lines
    assert 'hinoban_detector_blind{detector="failed_exit",account="2",region="us-east-1"} 1' in lines
    assert not any(line.startswith("hinoban_channel_sent") for line in lines), "what is not known is left out"


async def test_without_a_signature_there_is_this_page_and_no_other() -> None:
    app = serving(lambda: exposition(STATUS))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1:9466") as client:
        answer = await client.get("/metrics")
        assert (answer.status_code, answer.headers["content-type"]) == (200, MEDIA_TYPE)
        assert "hinoban_watch_well" in answer.text
        assert (await client.get("/_hinoban/v1/incidents")).status_code == 404
        assert (await client.post("/metrics")).status_code == 405
        rebound = await client.get("/metrics", headers={"host": "evil.example"})
        assert (rebound.status_code, "hinoban_" in rebound.text) == (403, False)


async def test_the_signed_path_answers_the_same_through_the_engine(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.turns(5)
    watch = httpx.ASGITransport(app=watch_api.create(world.watch, world.clock))

    async def forward(method: str, path: str, query: str, body: bytes) -> tuple[int, bytes]:
        async with httpx.AsyncClient(transport=watch, base_url="http://watch") as client:
            answer = await client.request(method, path, content=body)
        return answer.status_code, answer.content

    front: Any = engine_api.create(ANY, LookupError, ANY, ANY, ANY, ANY, ANY, forward)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=front), base_url="http://127.0.0.1") as client:
        answer = await client.get("/_hinoban/v1/metrics")
        status = await client.get("/_hinoban/v1/status")
    assert (answer.status_code, answer.headers["content-type"]) == (200, MEDIA_TYPE)
    assert "hinoban_watch_well 1" in answer.text.splitlines()
    assert status.headers["content-type"] == "application/json" and status.json()["lines"]
