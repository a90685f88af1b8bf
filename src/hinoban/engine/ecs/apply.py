"""Carries a step out: rows and event first, then, once they are on disk, the runtime. A failed start is an observation."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from hinoban.base.clock import Clock
from hinoban.engine.ecs.decide.stop_reasons import LOG_GROUP_MISSING
from hinoban.engine.ecs.decide.tasks import Command, RemoveTask, StartContainer, Step, StopContainer
from hinoban.engine.ecs.model.task_definitions import TaskDefinition
from hinoban.engine.ecs.model.tasks import Task
from hinoban.engine.ecs.model.views import fault_subject
from hinoban.engine.ecs.specs import CannotStart, container_spec, log_target
from hinoban.engine.ecs.state import State
from hinoban.engine.faults.table import Faults
from hinoban.engine.logs.service import Logs
from hinoban.engine.runtime.driver import Driver, Observation, Output, StartFailed
from hinoban.engine.runtime.images import ImageRule
from hinoban.store.database import Database

Report = Callable[[Observation], None]


class Apply:
    """The hands of the loop: what it decided becomes rows, events and calls of the driver, in this order."""

    def __init__(
        self,
        state: State,
        database: Database,
        driver: Driver,
        logs: Logs,
        faults: Faults,
        images: Sequence[ImageRule],
        clock: Clock,
    ) -> None:
        self._state = state
        self._database = database
        self._driver = driver
        self._logs = logs
        self._faults = faults
        self._images = images
        self._clock = clock
        self._commands: deque[Command] = deque()
        self._asked = asyncio.Event()

    def carry_out(self, step: Step) -> None:
        """Write the task as it is now; its commands follow when that is committed."""
        self._state.put_task(step.task, told=step.told)
        if step.commands:
            self._database.after_commit(lambda: self.ask(step.commands))

    def ask(self, commands: Sequence[Command]) -> None:
        """Queue calls of the driver; they are made in this order."""
        self._commands.extend(commands)
        self._asked.set()

    async def work(self, report: Report) -> None:
        """Make the driver's calls as they are asked for; what fails before the driver is reported like its own observations."""
        while True:
            while self._commands:
                await self._do(self._commands.popleft(), report)
            self._asked.clear()
            await self._asked.wait()

    async def _do(self, command: Command, report: Report) -> None:
        match command:
            case StartContainer():
                await self._start(command, report)
            case StopContainer(key, timeout):
                await self._driver.stop(key, timeout)
            case RemoveTask(keys):
                for key in keys:
                    await self._driver.remove(key)

    async def _start(self, command: StartContainer, report: Report) -> None:
        task = self._state.tasks.get(command.key.task_id)
        container = None if task is None else task.container(command.key.name)
        if task is None or container is None:
            return
        definition = self.definition(task)
        try:
            spec = container_spec(task, definition, container, self._images)
            target = log_target(task, definition, container)
            if target.create:
                self._logs.ensure_group(target.region, target.group)
            elif not command.again and not self._logs.group_exists(target.region, target.group):
                raise CannotStart(LOG_GROUP_MISSING)
            about = {**fault_subject(task), "container": container.name, "image": container.image}
            # What may run already is not refused: the runtime would go on running what the task says never started.
            if not command.again and (put_in := self._faults.strike("start_error", about)) is not None:
                raise CannotStart(put_in)
        except CannotStart as refusal:
            report(StartFailed(command.key, self._clock.now(), str(refusal)))
            return
        await self._driver.start(spec)

    def definition(self, task: Task) -> TaskDefinition:
        """The revision a task runs; it outlives its tasks, deregistered or not."""
        return self._state.families[(task.region, task.family)][task.revision]

    def keep_output(self, seen: Output) -> None:
        """Append what a container wrote to its stream; what is there already (told twice over a restart) is left out."""
        task = self._state.tasks.get(seen.key.task_id)
        container = None if task is None else task.container(seen.key.name)
        if task is None or container is None:
            return
        target = log_target(task, self.definition(task), container)
        if seen.cursor > self._logs.cursor(target.region, target.group, target.stream):
            self._logs.append(target.region, target.group, target.stream, seen.lines, seen.cursor)

    def cursor(self, task: Task, name: str) -> int:
        """Up to where a container's output is kept."""
        container = task.container(name)
        if container is None:
            return 0
        target = log_target(task, self.definition(task), container)
        return self._logs.cursor(target.region, target.group, target.stream)
