"""wake -> snapshot -> decide -> apply, for the tasks that something happened to; a step's cost depends on those alone."""

import asyncio
from collections.abc import AsyncIterator

from hinoban.base.clock import Clock
from hinoban.base.supervise import Loop
from hinoban.engine.ecs.apply import Apply
from hinoban.engine.ecs.decide.tasks import Command, RemoveTask, StartContainer, StopContainer, advance, observe
from hinoban.engine.ecs.state import State
from hinoban.engine.runtime.driver import ContainerKey, Driver, Exited, Observation, Output, Started, StartFailed

_TASKS_A_TURN = 64


class EcsLoop:
    """Moves tasks along: told which of them to look at, never what happened to them."""

    def __init__(self, state: State, apply: Apply, driver: Driver, clock: Clock) -> None:
        self._state = state
        self._apply = apply
        self._driver = driver
        self._clock = clock
        self._woken: dict[str, None] = {}
        self._seen: dict[str, list[Observation]] = {}
        self.loop = Loop("ecs", self.step, clock)

    def wake(self, task_id: str) -> None:
        """Look at this task soon."""
        self._woken[task_id] = None
        self.loop.wake()

    async def open(self) -> None:
        """Take up the tasks of an earlier life: what the runtime still knows is reported, what it was never told is told again."""
        cursors: dict[ContainerKey, int] = {}
        expected: set[ContainerKey] = set()
        again: list[Command] = []
        for task in self._state.live_tasks():
            for container in task.containers:
                if not container.asked or container.last_status == "STOPPED":
                    continue
                key = task.key(container)
                cursors[key] = self._apply.cursor(task, container.name)
                if container.last_status == "RUNNING":
                    expected.add(key)
                else:
                    again.append(StartContainer(key, again=True))
                if container.stop_asked:
                    again.append(StopContainer(key, container.stop_timeout))
            self.wake(task.id)
        await self._driver.open(cursors, frozenset(expected))
        self._apply.ask(again)

    async def consume(self) -> None:
        """Take the driver's observations until it closes."""
        observations: AsyncIterator[Observation] = self._driver.observations()
        async for seen in observations:
            self.report(seen)

    def report(self, seen: Observation) -> None:
        """One observation; output is kept at once, the rest wakes its task."""
        if isinstance(seen, Output):
            self._apply.keep_output(seen)
            return
        task = self._state.tasks.get(seen.key.task_id)
        if task is None or task.finished:
            self._clean_up(seen)
            return
        self._seen.setdefault(seen.key.task_id, []).append(seen)
        self.wake(seen.key.task_id)

    def _clean_up(self, seen: Observation) -> None:
        """A container whose task is over or forgotten: left from before a crash. It ends, then it goes."""
        if isinstance(seen, Started):
            self._apply.ask((StopContainer(seen.key, 0.0),))
        elif isinstance(seen, Exited | StartFailed):
            self._apply.ask((RemoveTask((seen.key,)),))

    async def step(self, now: float) -> float | None:
        """Move every woken task as far as it goes now; answers when the next stopped task is to be forgotten."""
        turns = 0
        while self._woken:
            task_id = next(iter(self._woken))
            del self._woken[task_id]
            self._move(task_id)
            turns += 1
            if turns % _TASKS_A_TURN == 0:
                # Requests come in between: a burst of tasks must not make the API wait.
                await asyncio.sleep(0)
        return self._state.forget(now)

    def _move(self, task_id: str) -> None:
        task = self._state.tasks.get(task_id)
        seen = self._seen.pop(task_id, [])
        if task is None:
            return
        for observation in (*seen, None):
            changed = task if observation is None else observe(task, observation)
            now = self._clock.now()
            before = task
            while (step := advance(before, changed, now)) is not None:
                self._apply.carry_out(step)
                before = changed = step.task
            task = before
