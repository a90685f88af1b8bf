"""The dead-man's ping: only while all is well; what is wrong is shown, and the URL nowhere."""

import httpx
import pytest

from hinoban.base.clock import FakeClock
from hinoban.watch.config import DeadMan
from hinoban.watch.dead_man import AGAIN, DeadMansPing

URL = "https://hc-ping.test/5ec2e7"


class Receiver:
    def __init__(self) -> None:
        self.pings: list[httpx.Request] = []
        self.status: int | None = 200
        self.clock = FakeClock()
        self.why: str | None = None
        self.ping = DeadMansPing(DeadMan(url=URL), self.clock, lambda: self.why, transport=httpx.MockTransport(self._take))

    def _take(self, request: httpx.Request) -> httpx.Response:
        if self.status is None:
            raise httpx.ConnectError(f"{URL} is away")
        self.pings.append(request)
        return httpx.Response(self.status)


async def test_it_pings_while_all_is_well() -> None:
    receiver = Receiver()
    due = await receiver.ping.step(receiver.clock.now())
    assert due == receiver.clock.now() + 60
    assert [(one.method, str(one.url)) for one in receiver.pings] == [("GET", URL)]
    await receiver.clock.advance(10)
    status = receiver.ping.status()
    assert status is not None and status["words"] == "ok 10 s ago"
    await receiver.ping.close()


async def test_it_stays_silent_while_something_is_wrong_and_says_why() -> None:
    receiver = Receiver()
    await receiver.ping.step(receiver.clock.now())
    receiver.why = "the feed has been silent for 90 s"
    await receiver.clock.advance(60)
    assert await receiver.ping.step(receiver.clock.now()) == receiver.clock.now() + AGAIN
    assert len(receiver.pings) == 1
    status = receiver.ping.status()
    assert status is not None and status["words"] == "withheld (the feed has been silent for 90 s), last 1 m ago"
    receiver.why = None
    await receiver.clock.advance(AGAIN)
    await receiver.ping.step(receiver.clock.now())
    assert len(receiver.pings) == 2


async def test_a_loop_that_is_woken_often_pings_no_more_often() -> None:
    receiver = Receiver()
    began = receiver.clock.now()
    for _ in range(120):
        assert await receiver.ping.step(receiver.clock.now()) is not None
        await receiver.clock.advance(1)
    assert [len(receiver.pings), receiver.clock.now() - began] == [2, 120.0]
    assert await receiver.ping.step(began - 3600) == began - 3600 + 60, "the clock was set back"


@pytest.mark.parametrize(("status", "words"), [(404, "HTTP 404"), (301, "HTTP 301"), (None, "ConnectError")])
async def test_a_ping_that_does_not_arrive_is_shown_and_made_again_soon(status: int | None, words: str) -> None:
    receiver = Receiver()
    receiver.status = status
    assert await receiver.ping.step(receiver.clock.now()) == receiver.clock.now() + AGAIN
    shown = receiver.ping.status()
    assert shown is not None and (shown["error"], shown["words"]) == (words, f"FAILS ({words})")
    assert "5ec2e7" not in str(shown)


async def test_nobody_is_pinged_unasked() -> None:
    ping = DeadMansPing(None, FakeClock(), lambda: None)
    assert (await ping.step(0.0), ping.status()) == (None, None)
    await ping.close()


def test_the_url_is_not_printed() -> None:
    assert "5ec2e7" not in repr(DeadMan(url=URL))
