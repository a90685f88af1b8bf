"""Carries out replays: some events of each replay in a turn, with how far it came, so that a crash neither doubles nor loses one.

Also trims archives. Differs from AWS: events come in the order in which they occurred, as fast as they are routed; there in slices of a
minute, in no order (facts/eventbridge.md §9).
"""

from typing import Any

import msgspec

from hinoban.base.clock import Clock
from hinoban.base.supervise import Loop
from hinoban.engine.events.model import Replay
from hinoban.engine.events.router import Router
from hinoban.engine.events.state import EventsState
from hinoban.store.database import Database

BEGINNING = 1.0
"""Seconds for which a replay is STARTING: time to cancel it, as on AWS, where it takes minutes to begin."""
_AT_ONCE = 50

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Replayer:
    """Run `loop`; it is woken by StartReplay and CancelReplay."""

    def __init__(self, state: EventsState, router: Router, database: Database, clock: Clock) -> None:
        self._state = state
        self._archives = state.archives
        self._router = router
        self._database = database
        self.loop = Loop("replays", self.step, clock)
        self._archives.on_full(self.loop.wake)

    async def step(self, now: float) -> float | None:
        """Bring every replay that is under way a step further; answers when to come again."""
        await self._database.committed()
        due = self._archives.trim(now)
        next_due = [] if due is None else [due]
        for replay in [replay for replay in self._archives.replays.values() if replay.under_way]:
            # A clock set back holds none up.
            if replay.started_at <= now < replay.started_at + BEGINNING:
                next_due.append(replay.started_at + BEGINNING)
            else:
                self._go_on(replay, now)
                next_due.append(now)
        return min(next_due, default=None)

    def _go_on(self, replay: Replay, now: float) -> None:
        if replay.state == "CANCELLING":
            self._archives.put_replay(msgspec.structs.replace(replay, state="CANCELLED", ended_at=now))
            return
        if self._state.bus(replay.region, replay.bus) is None:
            reason = f"Event bus {replay.bus} does not exist."
            self._archives.put_replay(msgspec.structs.replace(replay, state="FAILED", state_reason=reason, ended_at=now))
            return
        only = frozenset(replay.destination.get("FilterArns", ()))
        found = self._archives.after(replay, _AT_ONCE)
        for at, seq, event in found:
            self._router.replay(replay.region, replay.bus, _named(_decode(event), replay.name), only)
            replay = msgspec.structs.replace(replay, at=at, seq=seq)
        if len(found) < _AT_ONCE:
            self._archives.put_replay(msgspec.structs.replace(replay, state="COMPLETED", ended_at=now))
        else:
            self._archives.put_replay(msgspec.structs.replace(replay, state="RUNNING"))


def _named(event: dict[str, Any], replay: str) -> dict[str, Any]:
    """The event with `replay-name`, which stands behind `region`."""
    members = list(event.items())
    behind = next((at for at, (name, _) in enumerate(members, 1) if name == "region"), len(members))
    return dict([*members[:behind], ("replay-name", replay), *members[behind:]])
