"""One account's region as a source where nobody may set anything up: List, Describe and LookupEvents, a few reads a second.

Work is two queues of single reads. A sweep goes over every cluster each half minute, so that no stopped task escapes its hour
(facts/ecs.md §7); and a minute and two after a slot its run itself is looked for. CloudTrail's history is asked each minute for RunTask;
its pages have a queue of their own, as they may take longer than there is time: then the source says how late it is.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from hinoban.aws.client import EndpointUnreachable
from hinoban.aws.errors import AwsError
from hinoban.base.clock import HOURS, MINUTES, SECONDS, Clock
from hinoban.base.units import parse_iso
from hinoban.watch.history.ledger import Cursor
from hinoban.watch.normalise import described, versioned
from hinoban.watch.normalise_services import counts_of, described_service, spelt
from hinoban.watch.places import Place
from hinoban.watch.schedules.asking import DENIED
from hinoban.watch.schedules.model import Problem
from hinoban.watch.sources.lookup import CHANGES, DOINGS, LAUNCH, STANDING, Look, asked, looked_up
from hinoban.watch.sources.pace import THROTTLED, Calls, Paced
from hinoban.watch.sources.source import Batch, before, id_of, moment_of_last

WAIT = 20 * SECONDS
SWEEP_EVERY = 30 * SECONDS
LOOKUP_EVERY = 1 * MINUTES
DOINGS_EVERY = 15 * MINUTES
DEEP_EVERY = 5 * MINUTES
LATE = 15 * MINUTES
"""Event history may be so late (facts/cloudtrail_sns_lambda.md §1.4): a look that goes deep reads that far back again."""
BEFORE = 1 * HOURS
"""How far back launches are looked up at a first attach: as far as stopped tasks can be described."""
LOOKED_UP = 4 * MINUTES
"""Event history that was read up to longer ago is late: a run is given up for lost 5 minutes after its slot, if nothing was seen of it."""
AWAY = 50 * MINUTES
"""After so long without a poll, tasks may have ended and been forgotten unseen."""
LOOKS = (60 * SECONDS, 120 * SECONDS)
READS = 10
"""The most reads of one poll; a page of event history counts as all of them, as it waits for its own pace."""
_DESCRIBE = 100
_GONE = ("ClusterNotFoundException",)
_UNKNOWN = ("UnknownOperationException",)  # an endpoint that stands in for AWS may have no services
_SERVICES = 10  # DescribeServices takes so many (facts/ecs.md §11.2)
_SEEN = 50_000

Job = Callable[[], Awaitable[None]]


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A scheduled run that was not seen yet: where its tasks would be found."""

    cluster: str
    family: str
    at: float


DueSlots = Callable[[float, float], Iterable[Due]]
"""The runs due in (since, until] that were not seen yet."""


class _Brought(msgspec.Struct, frozen=True):
    """One event, and what is remembered once it is stored: a task's version, or a call's id. `ended_at` is set of what is over."""

    raw: bytes
    key: str
    version: int
    ended_at: float | None


def no_slots(since: float, until: float) -> Iterable[Due]:
    """Where nobody knows of schedules."""
    return ()


class Poll:
    """`client` is of the region that is asked. `problems` says what could not be read; the rest goes on. One that does not stay (`stays`)
    reads tasks, launches, and what made rules fire."""

    def __init__(
        self,
        client: Calls,
        clock: Clock,
        *,
        account: str = "",
        due: DueSlots = no_slots,
        wait: float = WAIT,
        before: float = BEFORE,
        stays: bool = True,
    ) -> None:
        self._client = client if isinstance(client, Paced) else Paced(client, clock)
        self._clock = clock
        self._due = due
        self._wait = wait
        self._before = before
        self._stays = stays
        self.name = f"poll:{account}/{client.region}"
        self.of = Place(account or None, client.region)
        self.pushed = False
        self.problems: dict[str, Problem] = {}
        self.filled = 0
        """How many things of before the first attach were remembered in silence."""
        self._jobs: deque[Job] = deque()
        self._lookups: deque[Job] = deque()
        """At the most one page of each look."""
        self._found: list[_Brought] = []
        self._out: deque[tuple[Batch, list[_Brought]]] = deque()
        self._known: dict[str, int] = {}
        self._over: dict[str, float] = {}
        self._calls: dict[str, None] = {}
        self._began = False
        self._looks: list[Look] = []
        self._counts: dict[str, tuple[Any, ...]] = {}
        self._attached_at = 0.0
        self._attaching = False
        self._gap_at: float | None = None
        self._listed: set[str] | None = None
        self._sweeping: set[str] | None = None
        self._swept = False
        self._sweep_at = self._looked_at = 0.0

    async def poll(self, cursor: Cursor | None) -> Batch:
        """Some reads and what they told; where none is due, wait for the next one. A batch that was not committed comes again."""
        if not self._began:
            self._begin(cursor)
        if not self._out:
            self._plan(self._clock.now())
            if not self._jobs and not self._lookups:
                await self._clock.sleep_until(min(self._next(), self._clock.now() + self._wait))
                self._plan(self._clock.now())
            left = READS
            while (queue := self._turn()) and left > 0:
                await self._work(queue)
                left -= READS if queue is self._lookups else 1
            self._bring(cursor)
        return self._out[0][0]

    @property
    def history_read(self) -> bool:
        """Whether all that is asked of event history was answered."""
        return all(look.deep_at > 0 for look in self._looks)

    async def committed(self) -> None:
        """From now on what was in the batch is not brought again."""
        if not self._out:
            return
        _, brought = self._out.popleft()
        for one in brought:
            if one.version:
                self._known[one.key] = one.version
                if one.ended_at is not None:
                    self._over[one.key] = self._clock.now()
            else:
                self._calls[one.key] = None
        while len(self._calls) > _SEEN:
            del self._calls[next(iter(self._calls))]

    # When ------------------------------------------------------------------------------------------------------------------------------

    def _begin(self, cursor: Cursor | None) -> None:
        now = self._clock.now()
        self._began, self._looked_at = True, now
        state, _, attached = cursor.feed.partition(" ") if cursor is not None else ("attach", "", "")
        self._attached_at = float(attached) if attached else now
        self._attaching = state == "attach"
        watermark = float(cursor.seq) if cursor is not None else now - self._before + LATE
        self._looks = [Look(name, LOOKUP_EVERY, watermark) for name in (STANDING if self._stays else (LAUNCH,))]
        if not self._stays:
            self._looks += [Look(name, DOINGS_EVERY, watermark) for name in CHANGES]
        if self._stays:
            # One after the other: event history is read so slowly that all at once would hold up what is urgent.
            apart = DOINGS_EVERY / len(DOINGS)
            self._looks += [Look(name, DOINGS_EVERY, watermark, at=now + place * apart) for place, name in enumerate(DOINGS, start=1)]
        self._gap_at = cursor.gap_at if cursor is not None else None
        if cursor is not None and not self._attaching and now - cursor.polled_at > AWAY:
            self._gap_at, self._listed = now, set()

    def _plan(self, now: float) -> None:
        """Put what is due into the queue: looks for single runs before everything else."""
        for age in LOOKS:
            for due in self._due(self._looked_at - age, now - age):
                self._look_for(due)
                self._looks[0].at = min(self._looks[0].at, now)
        self._looked_at = now
        for look in self._looks:
            if now >= look.at and not look.reading:
                look.at = now + look.every
                deep = now >= look.deep_at
                look.reading = True
                self._lookups.append(self._lookup_page(look, asked(look.name, look.watermark - LATE, now), now, deep))
        if now >= self._sweep_at and self._sweeping is None:
            self._sweep_at, self._sweeping = now + SWEEP_EVERY, set()
            self._read(self._clusters({}))

    def _next(self) -> float:
        return min(self._sweep_at, *(look.at for look in self._looks))

    def _turn(self) -> deque[Job]:
        """The queue whose turn it is. Event history has its own pace: where it would have to wait, tasks are read meanwhile."""
        return self._lookups if self._lookups and (self._client.lookups.free or not self._jobs) else self._jobs

    async def _work(self, queue: deque[Job]) -> None:
        job = queue.popleft()
        try:
            await job()
        except BaseException:
            queue.appendleft(job)  # there was no answer
            raise

    def _read(self, job: Job, *, first: bool = False) -> None:
        (self._jobs.appendleft if first else self._jobs.append)(job)

    # Reads -----------------------------------------------------------------------------------------------------------------------------

    async def _ask(self, service: str, operation: str, params: Mapping[str, Any], *, gone: Collection[str] = ()) -> dict[str, Any] | None:
        """The answer; None where it is refused, which becomes a problem. EndpointUnreachable where there is no answer of any kind."""
        right = f"{service}:{operation}"
        try:
            answer = await self._client.call(service, operation, params)
        except EndpointUnreachable:
            raise
        except AwsError as error:
            if error.code not in gone:
                self._listed = None  # what could not be listed is not gone
                denied = error.code in DENIED
                self.problems[right] = Problem(
                    account=self.of.account or "",
                    region=self._client.region,
                    right=right,
                    code=error.code,
                    message=error.message,
                    denied=denied,
                )
            return None
        self.problems.pop(right, None)
        return answer

    def _clusters(self, page: Mapping[str, Any]) -> Job:
        async def read() -> None:
            answer = await self._ask("ecs", "ListClusters", page)
            if answer is None:
                self._listed = None
            for cluster in (answer or {}).get("clusterArns") or ():
                self._read(self._tasks({"cluster": cluster, "desiredStatus": "STOPPED"}))
                self._read(self._tasks({"cluster": cluster, "desiredStatus": "RUNNING"}))
                if self._stays:
                    self._read(self._services({"cluster": cluster, "maxResults": 100}))
            if answer and answer.get("nextToken"):
                self._read(self._clusters({"nextToken": answer["nextToken"]}), first=True)

        return read

    def _tasks(self, page: Mapping[str, Any]) -> Job:
        """A page of ListTasks. What is stopped and remembered is not described again: it does not change."""

        async def read() -> None:
            answer = await self._ask("ecs", "ListTasks", page, gone=_GONE) or {}
            arns = list(answer.get("taskArns") or ())
            if self._sweeping is not None:
                self._sweeping.update(arns)
            fresh = [arn for arn in arns if arn not in self._over]
            for start in range(0, len(fresh), _DESCRIBE):
                self._read(self._describe(str(page["cluster"]), fresh[start : start + _DESCRIBE]), first=True)
            if answer.get("nextToken"):
                self._read(self._tasks({**page, "nextToken": answer["nextToken"]}), first=True)

        return read

    def _describe(self, cluster: str, arns: Sequence[str]) -> Job:
        async def read() -> None:
            answer = await self._ask("ecs", "DescribeTasks", {"cluster": cluster, "tasks": list(arns)}, gone=_GONE)
            for task in (answer or {}).get("tasks") or ():
                task = versioned(task)
                if task["version"] > self._known.get(task["taskArn"], 0):
                    ended = _moment(task.get("stoppedAt")) if task.get("lastStatus") == "STOPPED" else None
                    self._found.append(_Brought(described(task, self._client.region), task["taskArn"], task["version"], ended))

        return read

    def _services(self, page: Mapping[str, Any]) -> Job:
        async def read() -> None:
            answer = await self._ask("ecs", "ListServices", page, gone=(*_GONE, *_UNKNOWN)) or {}
            arns = list(answer.get("serviceArns") or ())
            for start in range(0, len(arns), _SERVICES):
                self._read(self._describe_services(str(page["cluster"]), arns[start : start + _SERVICES]), first=True)
            if answer.get("nextToken"):
                self._read(self._services({**page, "nextToken": answer["nextToken"]}), first=True)

        return read

    def _describe_services(self, cluster: str, arns: Sequence[str]) -> Job:
        """Their messages and deployments, each once, and their counts where they changed."""

        async def read() -> None:
            asked_for = {"cluster": cluster, "services": list(arns)}
            answer = await self._ask("ecs", "DescribeServices", asked_for, gone=_GONE)
            now = self._clock.now()
            for service in (answer or {}).get("services") or ():
                *news, reading = described_service(spelt(service), self._client.region, now, since=self._attached_at)
                for raw in news:
                    if (key := id_of(raw)) not in self._calls:
                        self._found.append(_Brought(raw, key, 0, moment_of_last([raw])))
                counts = counts_of(service)
                if self._counts.get(service["serviceArn"]) != counts:
                    self._counts[service["serviceArn"]] = counts
                    self._found.append(_Brought(reading, id_of(reading), 0, None))

        return read

    def _look_for(self, due: Due) -> None:
        for status in ("STOPPED", "RUNNING"):
            self._read(self._tasks({"cluster": due.cluster, "family": due.family, "desiredStatus": status}), first=True)

    def _lookup_page(self, look: Look, page: Mapping[str, Any], until: float, deep: bool) -> Job:
        """A page of event history, newest first. A look that is not deep ends where a whole page is known."""

        async def read() -> None:
            answer = await self._ask("cloudtrail", "LookupEvents", page)
            if answer is None:
                look.deep_at = 0.0  # its other pages are unread
                look.reading, look.through = False, True
                return
            events = answer.get("Events") or ()
            fresh = [event for event in events if event.get("EventId") not in self._calls]
            for event in fresh:
                if (raw := looked_up(event)) is not None:
                    self._found.append(_Brought(raw, str(event["EventId"]), 0, _moment(event.get("EventTime"))))
            if answer.get("NextToken") and (deep or fresh or not events):
                self._lookups.append(self._lookup_page(look, {**page, "NextToken": answer["NextToken"]}, until, deep))
            else:
                look.watermark = max(look.watermark, until)
                look.deep_at = self._clock.now() + DEEP_EVERY if deep else look.deep_at
                look.reading, look.through = False, True

        return read

    # What is brought -------------------------------------------------------------------------------------------------------------------

    def _bring(self, cursor: Cursor | None) -> None:
        """Make batches of what was found: what ended before the first attach in silence, and the rest."""
        now, found, self._found = self._clock.now(), self._found, []
        late = self._late(now)
        old = [one for one in found if one.ended_at is not None and before(one.ended_at, self._attached_at)]
        new = [one for one in found if one.ended_at is None or not before(one.ended_at, self._attached_at)]
        listed = self._end_of_sweep(now) if not self._jobs and self._sweeping is not None else None
        seq = int(self._looks[0].watermark)
        state = "attach" if self._attaching else "poll"
        # Until everything was looked at once, who asks whether we are behind is told so.
        through = self._swept and self._looks[0].through
        after = Cursor(f"{state} {self._attached_at}", seq, seq + (not through), now, self._gap_at)
        if old:
            self.filled += len(old)
            behind = cursor if cursor is not None else Cursor(f"attach {self._attached_at}", int(now - self._before + LATE), int(now), now)
            self._out.append((Batch(events=[one.raw for one in old], cursor=behind, silent=True, late=late), old))
        filling = not (self._swept and all(look.through for look in self._looks))
        self._out.append((Batch(events=[one.raw for one in new], cursor=after, listed=listed, late=late, filling=filling), new))

    def _late(self, now: float) -> float:
        """How long ago event history was read up to, where that is too long. One that answers no such question is a problem, not late."""
        problem = self.problems.get("cloudtrail:LookupEvents")
        late = now - self._looks[0].watermark
        return late if late > LOOKED_UP and (problem is None or problem.code in THROTTLED) else 0.0

    def _end_of_sweep(self, now: float) -> frozenset[str] | None:
        """Everything was looked at once. After a long absence: every task that AWS still knows."""
        seen, self._sweeping = self._sweeping or set(), None
        self._swept, self._attaching = True, False
        self._over = {arn: at for arn, at in self._over.items() if now - at < 2 * HOURS}
        self._known = {arn: version for arn, version in self._known.items() if arn in seen or arn in self._over}
        if self._listed is None:
            return None
        self._listed = None
        return frozenset(seen)


def _moment(value: Any) -> float | None:
    return None if value is None else parse_iso(value) if isinstance(value, str) else float(value)
