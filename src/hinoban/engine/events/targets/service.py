"""Puts the room together: the queue's Deliverer with an adapter for each kind of target."""

from collections.abc import Callable

import httpx

from hinoban.base.clock import Clock
from hinoban.base.ids import Ids
from hinoban.engine.events.targets import kinds
from hinoban.engine.events.targets.bus import BusTarget, HasBus, Publish
from hinoban.engine.events.targets.connections import ConnectionState
from hinoban.engine.events.targets.dlq import DeadLetters
from hinoban.engine.events.targets.ecs import EcsTarget
from hinoban.engine.events.targets.http import HttpTarget
from hinoban.engine.events.targets.kinds import Adapters
from hinoban.engine.events.targets.logs import LogsTarget, LogStore
from hinoban.engine.events.targets.loop import Deliverer
from hinoban.engine.events.targets.parcel import DefaultInput, FillContext, Invoke, Ours, Packer
from hinoban.engine.events.targets.queue import Queue
from hinoban.engine.events.targets.queues import Ask, SnsTarget, SqsTarget
from hinoban.engine.events.targets.universal import UniversalTarget
from hinoban.engine.journal import Journal
from hinoban.store.database import Database


class Targets:
    """`deliverer.loop` is the background work; everything that lies outside comes in as an argument."""

    def __init__(
        self,
        waiting: Queue,
        connections: ConnectionState,
        *,
        database: Database,
        journal: Journal,
        clock: Clock,
        ids: Ids,
        account: str,
        invoke: Invoke,
        ours: Ours,
        ask: Ask,
        logs: LogStore,
        publish: Publish,
        has_bus: HasBus,
        fill_context: FillContext,
        default_input: DefaultInput,
        strict_resource_policies: bool = False,
        client: httpx.AsyncClient | None = None,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._queue = waiting
        self._connections = connections
        packer = Packer(account, ids, fill_context, default_input)
        queues = SqsTarget(ask, account)
        self._http = HttpTarget(connections, clock, client)
        adapters = Adapters(
            {
                kinds.ECS: EcsTarget(invoke, packer),
                kinds.LOGS: LogsTarget(logs, account, strict=strict_resource_policies),
                kinds.SNS: SnsTarget(ask, account),
                kinds.SQS: queues,
                kinds.BUS: BusTarget(publish, has_bus, account, ids),
                kinds.HTTP: self._http,
                kinds.UNIVERSAL: UniversalTarget(invoke, ours, ask, packer),
            }
        )
        self.deliverer = Deliverer(
            waiting,
            adapters,
            DeadLetters(queues),
            packer,
            database=database,
            journal=journal,
            clock=clock,
            ids=ids,
            account=account,
            on_failure=on_failure,
        )

    def clear(self) -> None:
        """Forget every delivery, count, connection and API destination."""
        self._queue.clear()
        self._connections.clear()

    async def close(self) -> None:
        """Let go of what is under way; it is delivered again by the next life."""
        await self.deliverer.close()
        await self._http.close()
