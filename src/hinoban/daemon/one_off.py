"""The one-off watch: what was due and lost on an AWS account, read once and answered from memory. No daemon, no state, reads only."""

import shlex
from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Engine, select

from hinoban.aws.iam_needed import READS
from hinoban.aws.profiles import Profile, RegionalClient, client_of
from hinoban.base.clock import DAYS, HOURS, MINUTES, Clock
from hinoban.base.errors import HinobanError
from hinoban.base.ids import SystemIds
from hinoban.daemon.config import local_zone
from hinoban.watch import detect, incidents
from hinoban.watch.answers import Answers, one_incident
from hinoban.watch.answers_incidents import launch_of
from hinoban.watch.answers_one_off import ended_unseen, kept_until
from hinoban.watch.by_aws import About, in_aws_words, needs_log
from hinoban.watch.config import RetryRule, WatchConfig
from hinoban.watch.history.book import Known, slots_between
from hinoban.watch.history.database import open_database
from hinoban.watch.history.ledger import Cursor
from hinoban.watch.history.queries import task_by_arn, timeline
from hinoban.watch.history.schema import tasks
from hinoban.watch.logs import streams_of
from hinoban.watch.model import Doing, Launch, TaskChange
from hinoban.watch.normalise import observation
from hinoban.watch.pipeline import Pipeline
from hinoban.watch.schedules import expected
from hinoban.watch.schedules.inventory import Inventory
from hinoban.watch.schedules.model import Problem, Schedule, Snapshot
from hinoban.watch.schedules.requests import request_at
from hinoban.watch.sources.lookup import CHANGES
from hinoban.watch.sources.pace import Calls, paced
from hinoban.watch.sources.poll import LATE, Poll
from hinoban.watch.sources.source import Batch

FARTHEST = 7 * DAYS
_ALL = 1_000_000
_HISTORY = "cloudtrail:LookupEvents"
_NEEDED = frozenset(
    {
        *("events:ListRules", "events:ListTargetsByRule", "scheduler:ListSchedules", "scheduler:GetSchedule"),
        *(_HISTORY, "ecs:ListClusters", "ecs:ListTasks", "ecs:DescribeTasks"),
    }
)
"""Without one of these nobody can say that no run was lost."""


class NotARead(AssertionError):
    """A one-off watch was about to change something."""


class ReadOnly:
    """A client that refuses to make any call but the reads that `hinoban aws policy --observe` allows."""

    def __init__(self, client: Calls) -> None:
        self._client = client
        self.region = client.region
        self.reads = 0

    async def call(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """See Client.call."""
        if f"{service}:{operation}" not in READS:
            raise NotARead(f"{service}:{operation} is no read")
        self.reads += 1
        return await self._client.call(service, operation, params)

    def in_region(self, region: str) -> "ReadOnly":
        """One region is read: the inventory asks for its own only."""
        if region != self.region:
            raise NotARead(f"{region} was not asked for")
        return self


class OneOff:
    """A source for `schedules` and `why`: the account is read at the first question."""

    def __init__(self, client: RegionalClient, profile: Profile, since: float, clock: Clock, *, tz: str | None = None) -> None:
        self._whole = client
        self._reading = ReadOnly(client)
        self._client = paced(self._reading, clock, foreign=profile.foreign)
        self._clock = clock
        self._profile = profile
        self._foreign = profile.foreign
        self._since = since
        self._tz = tz or local_zone()
        self._answers: Answers | None = None
        self._engine: Engine
        self._pipeline: Pipeline
        self._snapshot = Snapshot()
        self._poll = Poll(self._client, clock, before=since + 1 * HOURS, stays=False)
        self.region = client.region
        self.now = 0.0

    async def get(self, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """`schedules` and `why`, as a daemon answers them; also incidents and history as far as they were read."""
        answers, given = await self._read(), query or {}
        match path.strip("/"):
            case "schedules":
                return self._schedules(answers, given)
            case "why":
                return await self._why(answers, str(given.get("name") or ""), full=str(given.get("full")).lower() == "true")
            case "incidents":
                leads = str(given.get("leads")).lower() == "true"
                return answers.incidents(given.get("state"), int(given.get("limit") or 100), leads=leads)
            case "history":
                return answers.history({name: str(value) for name, value in given.items()})
        raise HinobanError(f"{path} needs a watch", "one that reads an account once keeps nothing", "hinoban up")

    async def call(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """A read of AWS's own API."""
        return await self._client.call(service, operation, params)

    async def close(self) -> None:
        """Close the connections."""
        await self._whole.close()

    @property
    def reads(self) -> int:
        """How many calls were made."""
        return self._reading.reads

    def problem_lines(self) -> list[str]:
        """What could not be read, a line each; where a right is missing, what gives it."""
        return list(dict.fromkeys(map(_problem_line, self._problems)))

    @property
    def _problems(self) -> list[Problem]:
        return [*self._snapshot.problems, *self._poll.problems.values()]

    def _taken(self, snapshot: Snapshot) -> None:
        """HinobanError where AWS took the credentials for nothing that was asked."""
        untaken = next((one for one in snapshot.problems if one.of_credentials), None)
        if untaken is not None and not snapshot.read:
            name = self._profile.name
            todo = f"Look at the keys that it names: aws sts get-caller-identity --profile {name}"
            raise HinobanError(f"AWS does not take the credentials of profile {name}", f"{untaken.code}: {untaken.message}", todo)

    async def _read(self) -> Answers:
        if self._answers is None:
            began = self._clock.now()
            inventory = Inventory(self._client, self._clock, roles=not self._foreign)
            snapshot = await inventory.full([self.region])
            self._taken(snapshot)
            self._snapshot = snapshot
            events = await self._events()
            self._fill(events, began)
        assert self._answers is not None
        return self._answers

    async def _events(self) -> list[bytes]:
        """Every task that AWS still knows, and each RunTask and change of a rule since then."""
        events: list[bytes] = []
        cursor: Cursor | None = None
        while cursor is None or cursor.newest > cursor.seq:
            batch = await self._poll.poll(cursor)
            cursor = batch.cursor
            events += batch.events
            await self._poll.committed()
        return events

    def _fill(self, events: list[bytes], began: float) -> None:
        """A watch's history in memory: first the schedules, so that launches find their slots; then what has become due."""
        now = self.now = self._clock.now()
        engine = self._engine = open_database("sqlite://")
        # What is read is past: nothing is retried.
        config = WatchConfig(tz=self._tz, retry=RetryRule(attempts=1))
        pipeline = self._pipeline = Pipeline(engine, config, detectors=detect, channels=(), ids=SystemIds())
        known = [observation(raw) for raw in events]
        seen = [one for one in known if isinstance(one, Launch)]
        changed: dict[str, float] = {}
        for one in known:
            if isinstance(one, Doing) and one.name in CHANGES:
                changed[one.subject] = max(changed.get(one.subject, 0.0), one.at)
        with pipeline.transaction() as connection:
            for schedule in self._snapshot.schedules:
                phase = expected.phase(schedule, _runs(schedule, seen))
                # Nothing is owed from before a rule was as it is. Schedules bear that date themselves.
                made = changed.get(f"rule/{schedule.name}", 0.0) if schedule.kind == "rule" else 0.0
                expected_until = max(began - self._since, made)
                pipeline.timetable.book.put_schedule(connection, Known(schedule=schedule, expected_until=expected_until, phase=phase))
        pipeline.take(self._poll.name, Batch(events=events, cursor=Cursor("one-off", 1, 1, now)), now)
        pipeline.refresh(self._snapshot, now)
        # CloudTrail may still owe the records of the last minutes: nothing is called lost before they must have come.
        if self._sees_launches:
            pipeline.expect(now - LATE, sure=lambda account, region: True)
        pipeline.expect(now, sure=lambda account, region: False)
        pipeline.step(now)
        self._answers = Answers(engine, tz=self._tz)

    @property
    def _sees_launches(self) -> bool:
        return self._poll.history_read

    async def _why(self, answers: Answers, name: str, *, full: bool) -> dict[str, Any]:
        """The answer; its next step in commands that need no daemon."""
        try:
            answer = answers.why(name, full=full)
        except HinobanError as error:
            raise HinobanError(error.what, error.why, f"See what was read: hinoban schedules {self._again}") from None
        if (step := answer.get("next")) is None:
            return answer
        known = self._known(answer)
        if needs_log(step) and answer["task"] is not None:
            known = msgspec.structs.replace(known, log=await self._log_of(answer))
        instead = in_aws_words(step, known)
        lines = [line.replace(step, instead) for line in answer["lines"] if instead or not line.endswith(step)]
        return answer | {"next": instead, "lines": lines}

    def _known(self, answer: Mapping[str, Any]) -> About:
        known = About(
            region=self.region, cluster=str(answer["cluster"] or "").rpartition("/")[2], task_arn=answer["task"], again=self._again
        )
        if answer["incident"] is None:
            return known
        with self._engine.connect() as connection:
            incident = one_incident(connection, answer["incident"])
            book, finding = self._pipeline.timetable.book, incident.finding
            slots, launch = book.of_incident(connection, incident.id), launch_of(connection, finding)
            of = book.schedules(connection).get(slots[-1].key) if slots else None
        request = request_at(of.schedule, slots[-1].at) if of is not None else launch.request if launch is not None else None
        if request is not None:
            missing = {} if finding.detector == "missed_run" else {"count": incidents.still_missing(incident)}
            request = {member: value for member, value in request.items() if member not in ("clientToken", "startedBy")} | missing
        return msgspec.structs.replace(known, cluster=finding.cluster or known.cluster, request=request)

    async def _log_of(self, answer: Mapping[str, Any]) -> tuple[str, str] | None:
        """Where a task's container wrote to, the one to blame first."""
        with self._engine.connect() as connection:
            row = task_by_arn(connection, answer["task"])
            changes = [observation(raw) for raw in timeline(connection, row)] if row is not None else []
            blamed = one_incident(connection, answer["incident"]).finding.facts.get("container") if answer["incident"] else None
        change = changes[-1] if changes else None
        streams = await streams_of(self._client, change) if isinstance(change, TaskChange) else {}
        return streams.get(str(blamed)) or next(iter(streams.values()), None)

    @property
    def _again(self) -> str:
        """The options that read the same account again."""
        named = "--one-off" if self._profile.name == "default" else f"--profile {shlex.quote(self._profile.name)}"
        url = self._profile.endpoint_url
        return " ".join([named, *(["--endpoint-url", shlex.quote(url)] if url else []), "--region", self.region])

    def _schedules(self, answers: Answers, given: Mapping[str, Any]) -> dict[str, Any]:
        since = float(given["since"])
        answer = answers.schedules(self.now, since, int(given.get("next") or 0), None, given.get("region"))
        with self._engine.connect() as connection:
            stopped = {row.arn: row.stopped_at for row in connection.execute(select(tasks.c.arn, tasks.c.stopped_at))}
            slots = slots_between(connection, self.now - since, self.now)
        answer = ended_unseen(answer, slots, stopped, self.now, sure=self._sees_launches)
        ended = {one["id"]: at for one in answers.incidents(None, _ALL)["incidents"] if (at := stopped.get(one["task"] or ""))}
        answer = kept_until(answer, ended, self.now, self._tz)
        unread = sorted(({one.right for one in self._problems} & _NEEDED) | (set() if self._sees_launches else {_HISTORY}))
        known = {"not_watched": dict(self._snapshot.not_watched), "problems": self.problem_lines(), "unread": unread}
        # One that has no schedule, or may not be asked for any, still has a name.
        account = f"{self._profile.name} {answer['account'] or '(account unknown)'}"
        return answer | known | {"account": account, "regions": answer["regions"] or [self.region]}


async def open_one_off(profile: str | None, region: str | None, endpoint_url: str | None, since: float, clock: Clock) -> OneOff:
    """What a profile names, to be read once. HinobanError where it cannot be used."""
    if since > FARTHEST:
        raise HinobanError("A one-off watch looks back 7 days at the most", "longer reads would take long", "Give --since 7d or less.")
    found = Profile(profile, region, endpoint_url)
    await found.keys()
    return OneOff(client_of(found, clock), found, since + 1 * MINUTES, clock)


def _runs(schedule: Schedule, launches: list[Launch]) -> list[float]:
    """When a rate() ran, by the launches that bear its name: its phase is learned from them."""
    if not expected.is_rate(schedule):
        return []
    return [one.at for one in launches if one.started_by == schedule.started_by and one.family == schedule.family]


def _problem_line(problem: Problem) -> str:
    todo = "aws sts get-caller-identity" if problem.of_credentials else "hinoban aws policy --observe" if problem.denied else ""
    return " ".join(problem.words.split()) + (f" → {todo}" if todo else "")
