"""The bounded queue between the driver's followers and the one consumer of its observations."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from hinoban.engine.runtime.driver import Observation


class Outbox:
    """First in, first out; `put` waits while it is full, so a container that writes faster than we take it is slowed, not kept in memory."""

    def __init__(self, bound: int = 1024) -> None:
        self._bound = bound
        self._items: deque[Observation] = deque()
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._closed = False
        self._failure: BaseException | None = None

    async def put(self, observation: Observation) -> None:
        """Hand over; waits for room."""
        while len(self._items) >= self._bound and not self._closed:
            self._room.clear()
            await self._room.wait()
        self._items.append(observation)
        self._filled.set()

    def close(self, failure: BaseException | None = None) -> None:
        """Nothing more comes; the consumer gets what is left, and then the first failure if there was one."""
        self._closed = True
        self._failure = self._failure or failure
        self._filled.set()
        self._room.set()

    async def take(self) -> AsyncIterator[Observation]:
        """Everything that was put, until `close`."""
        while self._items or not self._closed:
            if self._items:
                self._room.set()
                yield self._items.popleft()
            else:
                self._filled.clear()
                await self._filled.wait()
        if self._failure is not None:
            raise self._failure
