"""The only `while True`: calls a loop's `step(now)` when it is woken or due, and stops everything when one of them fails."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from hinoban.base.clock import Clock

Step = Callable[[float], Awaitable[float | None]]


class Loop:
    """Runs `step(now)`, which answers when it is next due (or None: only when woken).

    Wake-ups are level-triggered: waking a loop that already is awake does nothing, and no wake-up during a step is lost.
    """

    def __init__(self, name: str, step: Step, clock: Clock) -> None:
        self.name = name
        self._step = step
        self._clock = clock
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Ask for a step soon."""
        self._woken.set()

    async def run(self) -> None:
        """Step until cancelled; an exception of a step ends the loop and reaches who runs it."""
        while True:
            self._woken.clear()
            due = await self._step(self._clock.now())
            await self._wait(due)

    async def _wait(self, due: float | None) -> None:
        if due is None:
            await self._woken.wait()
        else:
            await event_or_moment(self._woken, due, self._clock)


async def event_or_moment(event: asyncio.Event, moment: float, clock: Clock) -> None:
    """Return when the event is set or the moment has come, whichever is first."""
    if event.is_set():
        return
    woken = asyncio.ensure_future(event.wait())
    slept = asyncio.ensure_future(clock.sleep_until(moment))
    try:
        await asyncio.wait((woken, slept), return_when=asyncio.FIRST_COMPLETED)
    finally:
        woken.cancel()
        slept.cancel()


class Group:
    """Background work of one owner: started by `start`, ended together by `close`; the first failure is kept and told."""

    def __init__(self, on_failure: Callable[[BaseException], None]) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._on_failure = on_failure

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run `work` in the background; a failure is handed to `on_failure`."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_failure(error)

    async def close(self) -> None:
        """Cancel what still runs and wait until it has ended."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
