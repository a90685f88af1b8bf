"""Who is told what, from a failed run to its end, by a Slack that limits and a PagerDuty that is away."""

from pathlib import Path
from typing import Any

import httpx
import msgspec

from hinoban.watch.config import Mute, NotifyConfig, PagerDuty, Slack, WatchConfig
from hinoban.watch.notify.channels import MemoryKeep, PagerDutyChannel, SlackChannel
from tests.unit.watch.worlds import World

SLACK = Slack(token="xoxb-1", channel="#batch", mention="<!here>")
PAGER = PagerDuty(routing_key="0123456789abcdef" * 2)


class Story:
    """A watch that tells a Slack and a PagerDuty; `refuse` is what they answer next."""

    def __init__(self, folder: Path, *mutes: Mute) -> None:
        self.slack: list[tuple[str, dict[str, Any]]] = []
        self.pages: list[tuple[str, str]] = []
        self.refuse: dict[str, list[httpx.Response]] = {"slack": [], "pagerduty": []}
        config = WatchConfig(notify=NotifyConfig(slack=(SLACK,), pagerduty=(PAGER,), mutes=mutes))
        channels = [
            SlackChannel(SLACK, MemoryKeep(), transport=httpx.MockTransport(self._slack)),
            PagerDutyChannel(PAGER, MemoryKeep(), transport=httpx.MockTransport(self._pagerduty)),
        ]
        self.world = World(folder, config, list(channels))

    def _slack(self, request: httpx.Request) -> httpx.Response:
        if self.refuse["slack"]:
            return self.refuse["slack"].pop(0)
        self.slack.append((request.url.path.rpartition("/")[2], msgspec.json.decode(request.content)))
        return httpx.Response(200, json={"ok": True, "channel": "C1", "ts": "1.1"})

    def _pagerduty(self, request: httpx.Request) -> httpx.Response:
        if self.refuse["pagerduty"]:
            return self.refuse["pagerduty"].pop(0)
        event = msgspec.json.decode(request.content)
        self.pages.append((event["event_action"], event["dedup_key"]))
        return httpx.Response(202)

    async def fails(self, started_by: str | None) -> None:
        self.world.aws.finish(self.world.aws.start("nightly", started_by), 3)
        await self.world.turns(2)

    async def ends_well(self, started_by: str | None) -> None:
        self.world.aws.finish(self.world.aws.start("nightly", started_by), 0)
        await self.world.turns(2)

    def slack_first_lines(self) -> list[str]:
        return [f"{method}: {body['text'].splitlines()[0]}" for method, body in self.slack]


async def test_a_nightly_run_fails_is_paged_once_and_turns_green(tmp_path: Path) -> None:
    story = Story(tmp_path)
    story.refuse = {"slack": [httpx.Response(429, headers={"retry-after": "7"})], "pagerduty": [httpx.Response(503)] * 3}
    await story.fails("events-rule/nightly")
    assert (story.slack, story.pages) == ([], []), "Slack asked for 7 seconds, PagerDuty is away"
    await story.world.turns(20)
    [(method, body)] = story.slack
    [(action, incident)] = story.pages
    assert (method, action) == ("chat.postMessage", "trigger")
    assert "<!here>" in body["blocks"][0]["text"]["text"] and incident in body["text"]
    await story.ends_well("events-rule/nightly")
    assert story.pages == [("trigger", incident), ("resolve", incident)]
    assert [method for method, _ in story.slack] == ["chat.postMessage", "chat.update", "chat.postMessage"]
    assert story.slack[1][1]["blocks"][0]["text"]["text"].startswith(":large_green_circle:")
    assert story.slack[2][1]["thread_ts"] == "1.1"
    await story.world.turns(600, step=60)
    assert (len(story.slack), len(story.pages)) == (3, 2)


async def test_what_somebody_started_by_hand_wakes_nobody(tmp_path: Path) -> None:
    story = Story(tmp_path)
    await story.fails(None)
    assert story.pages == []
    assert len(story.slack) == 1 and "<!here>" not in msgspec.json.encode(story.slack[0][1]).decode()


async def test_a_mute_lets_the_end_through_hides_the_rest_and_says_so(tmp_path: Path) -> None:
    story = Story(tmp_path)
    await story.fails("events-rule/nightly")
    now = story.world.clock.now()
    story.world.crash()
    mute = Mute(name="move", match={"hinoban": {"family": ["nightly"]}}, until=now + 300)
    story.world.config = msgspec.structs.replace(
        story.world.config, notify=msgspec.structs.replace(story.world.config.notify, mutes=(mute,))
    )
    story.world.crash()
    await story.ends_well("events-rule/nightly")
    assert [action for action, _ in story.pages] == ["trigger", "resolve"]
    await story.fails("events-rule/nightly")
    assert ([action for action, _ in story.pages], len(story.slack)) == (["trigger", "resolve"], 3)
    await story.world.turns(300, step=30)
    assert "move · MUTE ENDED" in story.slack_first_lines()[3]
    assert "1 message of 1 incident; 1 still open." in story.slack[3][1]["text"]
    # It is still open, and nobody knows.
    assert "EXIT 3" in story.slack_first_lines()[4] and len(story.slack) == 5
    await story.ends_well("events-rule/nightly")
    assert [action for action, _ in story.pages] == ["trigger", "resolve", "trigger", "resolve"]
