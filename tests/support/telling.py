"""A watch that tells two Slack channels and two PagerDuty services, and what these were told."""

from pathlib import Path
from typing import Any

import httpx
import msgspec

from hinoban.watch.config import NotifyConfig, PagerDuty, Slack, WatchConfig
from hinoban.watch.notify.channels import Channel, MemoryKeep, PagerDutyChannel, SlackChannel
from tests.unit.watch.worlds import World

SLACK = Slack(token="xoxb-1", channel="#batch", mention="<!here>")
TEAM_A = Slack(name="team-a", token="xoxb-2", channel="#team-a")
PAGER = PagerDuty(routing_key="0123456789abcdef" * 2)
BOSS = PagerDuty(name="boss", routing_key="fedcba9876543210" * 2, levels=())
LOST = ("nightly-billing", "point-expire")
HEALED = tuple(f"batch-{number:02}" for number in range(21))


class Story:
    """A watch that tells two Slack channels and two PagerDuty services. What they keep outlives a crash."""

    def __init__(self, folder: Path, *, tz: str = "UTC", lang: Any = "en", **notify: Any) -> None:
        self.slack: list[tuple[str, str, dict[str, Any]]] = []
        self.pages: list[tuple[str, str, str]] = []
        config = NotifyConfig(slack=(SLACK, TEAM_A), pagerduty=(PAGER, BOSS), **notify)
        channels: list[Channel] = [self._bot(SLACK, tz), self._bot(TEAM_A, tz), self._pager(PAGER, tz), self._pager(BOSS, tz)]
        self.world = World(folder, WatchConfig(tz=tz, lang=lang, notify=config), channels)

    def _bot(self, config: Slack, tz: str) -> SlackChannel:
        def answer(request: httpx.Request) -> httpx.Response:
            self.slack.append((config.name, request.url.path.rpartition("/")[2], msgspec.json.decode(request.content)))
            return httpx.Response(200, json={"ok": True, "channel": "C1", "ts": f"{len(self.slack)}.0"})

        return SlackChannel(config, MemoryKeep(), tz=tz, transport=httpx.MockTransport(answer))

    def _pager(self, config: PagerDuty, tz: str) -> PagerDutyChannel:
        def answer(request: httpx.Request) -> httpx.Response:
            event = msgspec.json.decode(request.content)
            self.pages.append((config.name, event["event_action"], event.get("payload", {}).get("summary", "")))
            return httpx.Response(202)

        return PagerDutyChannel(config, MemoryKeep(), tz=tz, transport=httpx.MockTransport(answer))

    def posted(self, channel: str = "slack") -> list[str]:
        """First lines of what was posted, the rewritten first messages left out."""
        return [text.splitlines()[0] for text in self.texts(channel)]

    def texts(self, channel: str = "slack") -> list[str]:
        """What was posted, the rewritten first messages left out."""
        return [body["text"] for name, method, body in self.slack if name == channel and method == "chat.postMessage"]

    def rewritten(self) -> str:
        """What the first message says now."""
        return [body["text"].splitlines()[0] for _, method, body in self.slack if method == "chat.update"][-1]

    async def fails(self, family: str = "report", started_by: str | None = "events-rule/report", exit_code: int = 3) -> None:
        self.world.aws.finish(self.world.aws.start(family, started_by), exit_code)
        await self.world.turns(1)

    def lead(self) -> str:
        [found] = self.world.watch.incidents(leads=True)["incidents"]
        return str(found["id"])
