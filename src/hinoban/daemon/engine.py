"""House 1, put together: the database, the rooms that write to it, the endpoint that answers, and the loops that move tasks.

It needs a driver, a clock and ids, so a journey builds the same engine on a fake clock that `hinoban up` builds on the real one.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from hinoban.aws import arns
from hinoban.aws.call import Caller, Params, Result
from hinoban.aws.server import Endpoint
from hinoban.aws.sigv4 import Credentials, Verifier
from hinoban.base.clock import Clock
from hinoban.base.ids import Ids
from hinoban.base.supervise import Group, Loop
from hinoban.daemon import engine_events
from hinoban.daemon.engine_events import Events, EventSettings
from hinoban.engine import journal as journal_room
from hinoban.engine.ecs import state as ecs_state
from hinoban.engine.ecs.api.clusters import Clusters
from hinoban.engine.ecs.api.launch import Launcher
from hinoban.engine.ecs.api.protection import Protection
from hinoban.engine.ecs.api.tags import Tagging
from hinoban.engine.ecs.api.task_definitions import TaskDefinitions
from hinoban.engine.ecs.api.tasks import Tasks
from hinoban.engine.ecs.apply import Apply
from hinoban.engine.ecs.decide.capacity import Room
from hinoban.engine.ecs.decide.tasks import stop
from hinoban.engine.ecs.loop import EcsLoop
from hinoban.engine.ecs.model.clusters import DEFAULT_CLUSTER, Cluster
from hinoban.engine.ecs.state import State
from hinoban.engine.faults import table as faults_room
from hinoban.engine.faults.events import EventMaker
from hinoban.engine.faults.table import Faults
from hinoban.engine.journal import Journal
from hinoban.engine.logs import policies as logs_policies
from hinoban.engine.logs import state as logs_state
from hinoban.engine.logs.service import Logs
from hinoban.engine.neighbours import log as neighbours_log
from hinoban.engine.neighbours.ask import Ask
from hinoban.engine.neighbours.mail import Mailer, SmtpSettings
from hinoban.engine.neighbours.process import Neighbours
from hinoban.engine.neighbours.wire import OURS
from hinoban.engine.runtime.driver import Driver
from hinoban.engine.runtime.images import ImageRule
from hinoban.store.database import Database, Durability

MIGRATIONS = (
    "\n".join((journal_room.MIGRATION, ecs_state.MIGRATION, logs_state.MIGRATION, faults_room.MIGRATION)),
    neighbours_log.MIGRATION,
    "\n".join((logs_policies.MIGRATION, journal_room.TRAIL_MIGRATION, engine_events.MIGRATION)),
)
_AS_ON_AWS = EventSettings()
SHUTDOWN_REASON = "Hinoban is shutting down"


class Engine:
    """The whole engine in one process; `endpoint.handle` is its front door."""

    def __init__(
        self,
        directory: Path,
        *,
        driver: Driver,
        clock: Clock,
        ids: Ids,
        credentials: Credentials,
        account: str,
        region: str,
        room: Room,
        images: Sequence[ImageRule] = (),
        forget_after: float = 3600.0,
        feed_keep: float = 7 * 86400.0,
        durability: Durability = "process",
        auth: bool = True,
        events: EventSettings = _AS_ON_AWS,
        smtp: SmtpSettings | None = None,
        host: str = "127.0.0.1:4566",
        on_failure: Callable[[BaseException], None] | None = None,
    ) -> None:
        """`host` is where the endpoint listens; `smtp` None: what topics mail is told as unsent."""
        self._clock = clock
        self._driver = driver
        self._region = region
        self._account = account
        self.room = room
        self.database = Database(directory / "engine.db", MIGRATIONS, durability=durability, on_failure=on_failure)
        self.journal = Journal(self.database, clock, ids, keep=feed_keep)
        self.faults = Faults(self.database, ids, EventMaker(account, region, clock, ids), self.journal.write)
        self.logs = Logs(self.database, directory / "logs", clock, account)
        self.state = State(self.database, self.journal, clock, ids, forget_after=forget_after)
        self._apply = Apply(self.state, self.database, driver, self.logs, self.faults, images, clock)
        self._loop = EcsLoop(self.state, self._apply, driver, clock)
        self._trimming = Loop("journal", self._trim, clock)
        launcher = Launcher(self.state, ids, room, self.faults, self._loop.wake)
        operations = (
            Clusters(self.state).operations()
            | TaskDefinitions(self.state).operations()
            | Tasks(self.state, launcher, self._loop.wake).operations()
            | Tagging(self.state).operations()
            | Protection(self.state).operations()
        )
        caller = Caller(credentials.access_key_id, arns.user_arn(account, "hinoban"), "IAMUser")
        secrets = {credentials.access_key_id: (credentials.secret_access_key, caller)}
        self.verifier = Verifier(secrets.get, clock, enabled=auth, default_region=region, anybody=caller)
        self._mailer = Mailer(smtp, self.journal.write, clock, ids, account, on_failure=on_failure or _raise)
        self.neighbours = Neighbours(self.database, directory, account, clock, on_mail=self._mailer.mail)
        self._work = Group(on_failure or _raise)
        self.events = Events(
            self.database,
            self.journal,
            self.logs,
            Ask(self.neighbours, account, host=host),
            clock,
            ids,
            account,
            events,
            invoke=self._invoke,
            ours=lambda service, operation: operation in services.get(service, ()),
            on_failure=on_failure or _raise,
        )
        services = {"ecs": operations, "logs": self.logs.operations(), **self.events.services}
        self.endpoint = Endpoint(
            services,
            account=account,
            clock=clock,
            ids=ids,
            verifier=self.verifier,
            settle=self.database.committed,
            audit=self.events.audit,
            neighbours=self.neighbours,
            own=OURS,
        )

    def _invoke(self, service: str, operation_name: str, params: Params, *, region: str, caller: Caller) -> Result:
        # The endpoint is made of the rooms that call it.
        return self.endpoint.invoke(service, operation_name, params, region=region, caller=caller)

    async def start(self) -> None:
        """Take up what an earlier life left running, and begin to work."""
        self._make_default_cluster()
        await self._loop.open()
        self._work.start(self._loop.consume(), "observations")
        self._work.start(self._apply.work(self._loop.report), "driver calls")
        self._work.start(self._loop.loop.run(), "ecs loop")
        self._work.start(self._trimming.run(), "journal trimming")
        for work, name in self.events.loops():
            self._work.start(work, name)

    def _make_default_cluster(self) -> None:
        # Differs from AWS: there the console makes it at its first use (docs/decisions/0008).
        if (self._region, DEFAULT_CLUSTER) not in self.state.clusters:
            arn = arns.cluster_arn(self._region, self._account, DEFAULT_CLUSTER)
            settings = ({"name": "containerInsights", "value": "disabled"},)
            self.state.put_cluster(Cluster(region=self._region, name=DEFAULT_CLUSTER, arn=arn, settings=settings))

    async def _trim(self, now: float) -> float | None:
        # The tokens of refused launches expire also while no task wakes the loop.
        self.state.forget(now)
        return self.journal.trim(now)

    async def end_tasks(self, timeout: float) -> int:
        """Stop every task and wait until they have ended or `timeout` seconds passed; answers how many still live."""
        for task in self.state.live_tasks():
            stopped = stop(task, "UserInitiated", SHUTDOWN_REASON, self._clock.now())
            if stopped is not task:
                self.state.put_task(stopped, told=True)
            self._loop.wake(task.id)
        deadline = self._clock.now() + timeout
        while (left := len(self.state.live_tasks())) and self._clock.now() < deadline:
            await self._clock.sleep_until(min(deadline, self._clock.now() + 0.05))
        return left

    async def reset(self) -> None:
        """Empty the engine (for tests): every task ended and forgotten, no definition, cluster, fault or token left; the journal goes on."""
        await self.end_tasks(10.0)
        self.state.clear()
        self.faults.clear()
        self.events.clear()
        self.logs.clear()
        await self.neighbours.reset()
        self._make_default_cluster()
        await self.database.committed()

    def regions(self) -> list[str]:
        """The regions that hold anything."""
        return sorted({region for region, _ in self.state.clusters} | self.events.regions())

    async def close(self, *, keep: bool) -> None:
        """Stop working and let go of the driver and the files; with `keep` the containers run on."""
        await self._work.close()
        await self.events.close()
        self.events.rest()
        await self.neighbours.close()
        await self._mailer.close()
        await self._driver.close(keep=keep)
        self.logs.close()
        self.database.close()


def _raise(error: BaseException) -> None:
    raise error
