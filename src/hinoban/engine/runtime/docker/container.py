"""What the driver remembers of one container: how far it is, what was told of it, and whom to wake when it dies."""

import asyncio
from enum import Enum

from hinoban.engine.runtime.docker.logs import LogReader
from hinoban.engine.runtime.driver import ContainerKey, Observation

DRAIN_SECONDS = 5.0


class Phase(Enum):
    """CREATED was found at `open` and never ran; ENDED and FAILED are told and only wait to be removed."""

    CREATED = "created"
    STARTING = "starting"
    LIVE = "live"
    ENDED = "ended"
    FAILED = "failed"


class Tracked:
    """One container of ours."""

    def __init__(self, key: ContainerKey, phase: Phase, *, runtime_id: str = "", cursor: int = 0) -> None:
        self.key = key
        self.phase = phase
        self.runtime_id = runtime_id
        self.reader = LogReader(cursor)
        self.told: list[Observation] = []
        self.dead = False
        self.stopping: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.signalable = asyncio.Event()
        self._reading: asyncio.Timeout | None = None

    def has_died(self) -> None:
        """Docker says that it ended: its output gets a bounded time to come to its end."""
        self.dead = True
        if self._reading is not None:
            self._bound(self._reading)

    def reading(self) -> asyncio.Timeout:
        """A time-out around reading the output: none while it lives, DRAIN_SECONDS from its death on."""
        self._reading = asyncio.timeout(None)
        return self._reading

    def bound_reading(self) -> None:
        """Once inside the time-out: it may have died just before."""
        if self.dead and self._reading is not None:
            self._bound(self._reading)

    @staticmethod
    def _bound(reading: asyncio.Timeout) -> None:
        if not reading.expired() and reading.when() is None:
            try:
                reading.reschedule(asyncio.get_running_loop().time() + DRAIN_SECONDS)
            except RuntimeError:
                return  # not entered yet, or already left: `bound_reading` does it, or nobody needs it
