"""A watch on a fake clock before a fake AWS, that can be dropped and opened again from its file."""

import io
from pathlib import Path

from hinoban.base.clock import FakeClock
from hinoban.base.ids import SeededIds
from hinoban.watch.allow import EVERYTHING
from hinoban.watch.config import Right, WatchConfig
from hinoban.watch.history.database import open_file
from hinoban.watch.notify.channels import Channel, Console
from hinoban.watch.places import Clients
from hinoban.watch.service import Watch
from hinoban.watch.sources import Journal
from tests.unit.watch.fake_aws import FakeAws


class World:
    def __init__(
        self,
        folder: Path,
        config: WatchConfig | None = None,
        channels: list[Channel] | None = None,
        *,
        allow: frozenset[Right] = EVERYTHING,
    ) -> None:
        self.allow = allow
        self.clock = FakeClock()
        self.aws = FakeAws(self.clock)
        self.config = config or WatchConfig()
        self.path = folder / "watch.db"
        self.console = io.StringIO()
        self.channels = channels
        self.watch = self._open()

    def _open(self) -> Watch:
        self.engine = open_file(self.path)
        client = self.aws.client()
        channels = self.channels if self.channels is not None else [Console(self.console, self.config.tz)]
        source = Journal(client, self.clock, wait=0)
        return Watch(
            self.config,
            self.engine,
            Clients(client),
            [source],
            self.clock,
            SeededIds(7),
            channels,
            complain=lambda line: print(line, file=self.console),
            allow=self.allow,
        )

    def crash(self) -> None:
        """Everything in memory is gone; the file stays."""
        self.engine.dispose()
        self.watch = self._open()

    async def turns(self, seconds: float = 0, step: float = 1) -> None:
        """Let time pass, the watch taking a turn each step."""
        passed = 0.0
        await self.watch.turn()
        while passed < seconds:
            await self.clock.advance(step)
            passed += step
            await self.watch.turn()

    def told(self) -> list[str]:
        """First lines of what the console showed."""
        return [line for line in self.console.getvalue().splitlines() if line and not line.startswith(" ")]
