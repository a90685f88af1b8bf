"""Whether the watch is really well, and since when: sources not behind, loops stepping, messages leaving. Kept over restarts, so that the
daily report can say of what time nothing is known."""

from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import Connection, Engine

from hinoban.base.clock import DAYS, HOURS, MINUTES, Clock
from hinoban.watch.history.channel_counts import ChannelCounts, channel_counts
from hinoban.watch.history.daily import Unwell
from hinoban.watch.history.marks import mark, put_mark

CHECK = 1 * MINUTES
AWAY = 5 * MINUTES
"""So long nothing was noted: the watch did not run."""
BRIEF = 2 * MINUTES
"""A restart, or one answer that was late, is nobody's news."""
HUNG = 10 * MINUTES
"""A loop's step that takes longer will not end by itself. The longest good one empties the outbox of a storm."""
WAITS = 15 * MINUTES
"""Messages are tried every 5 minutes at the least: one that waits so long, waits for a channel that is down."""
REFUSED = 1 * HOURS
"""So long it counts that a channel's last message was given up."""
KEPT = 8 * DAYS
_OWNER, _KEY = "the watch", "health"


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """`first`: when this history was begun; `spans`: when the watch was not well, the last may be open."""

    first: float
    checked_at: float
    spans: tuple[Unwell, ...] = ()


_health = msgspec.json.Decoder(Health).decode


def checked(health: Health | None, now: float, why: str | None) -> Health:
    """The health after a look at `now`; `why` says what is wrong, None where nothing is. PURE."""
    if health is None:
        return Health(first=now, checked_at=now, spans=() if why is None else (Unwell(now, None, why),))
    spans = list(health.spans)
    last = spans.pop() if spans and spans[-1].until is None else None
    if now - health.checked_at > AWAY:
        if last is not None:
            spans.append(Unwell(last.since, health.checked_at, last.why))
        spans.append(Unwell(health.checked_at, now, "not running"))
        last = None
    if why is not None:
        spans.append(last or Unwell(now, None, why))
    elif last is not None:
        spans.append(Unwell(last.since, now, last.why))
    kept = [one for one in spans if one.until is None or (one.until - one.since >= BRIEF and one.until > now - KEPT)]
    return Health(first=min(health.first, now), checked_at=now, spans=tuple(kept))


def unwell_between(health: Health | None, since: float, until: float) -> tuple[Unwell, ...]:
    """The times in [since, until] in which the watch was not well; what is not over and brief so far is left out. PURE."""
    found = []
    for one in health.spans if health is not None else ():
        begin, end = max(one.since, since), min(until if one.until is None else one.until, until)
        if end - begin >= BRIEF:
            found.append(Unwell(begin, end, one.why))
    return tuple(found)


def stuck_channel(counts: Sequence[ChannelCounts], now: float) -> str | None:
    """Why people are not reached: `slack has not taken a message for 20 m`; None where they are. PURE."""
    for one in counts:
        if one.oldest_queued_at is not None and now - one.oldest_queued_at > WAITS:
            return f"a message has waited for {one.channel} since it was written {(now - one.oldest_queued_at) / MINUTES:.0f} minutes ago"
        if one.gave_up_at is not None and now - one.gave_up_at <= REFUSED:
            return f"the last message to {one.channel} was given up"
    return None


class Steps:
    """Which loop's step is under way since when."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: dict[str, float] = {}

    def began(self, name: str) -> None:
        self._since[name] = self._clock.now()

    def ended(self, name: str) -> None:
        self._since.pop(name, None)

    def hung(self) -> str | None:
        """Why the watch does not do its work: a loop that is in one step for too long."""
        now = self._clock.now()
        late = next((name for name, since in self._since.items() if now - since > HUNG), None)
        return f"the loop {late} has not come back for {(now - self._since[late]) / MINUTES:.0f} minutes" if late is not None else None


class Wellness:
    """`unwell` is asked whenever it matters; `step` notes the answer once a minute."""

    def __init__(self, engine: Engine, clock: Clock, channels: Sequence[str], *, behind: Callable[[], str | None], steps: Steps) -> None:
        self._engine = engine
        self._clock = clock
        self._channels = tuple(channels)
        self._behind = behind
        self._steps = steps
        self._next: float | None = None

    def unwell(self) -> str | None:
        """Why the watch is not well; None where it is."""
        if (why := self._behind() or self._steps.hung()) is not None:
            return why
        with self._engine.connect() as connection:
            return stuck_channel(channel_counts(connection, self._channels), self._clock.now())

    async def step(self, now: float) -> float:
        """Note how it stands; in a minute again, however often it is woken between."""
        if self._next is not None and self._next - CHECK <= now < self._next:
            return self._next
        why = self.unwell()
        with self._engine.begin() as connection:
            after = checked(health_of(connection), now, why)
            put_mark(connection, _OWNER, _KEY, msgspec.json.encode(after).decode())
        self._next = now + CHECK
        return self._next


def health_of(connection: Connection) -> Health | None:
    """As it was last noted."""
    text = mark(connection, _OWNER, _KEY)
    return None if text is None else _health(text)
