"""Reads of the history: tasks, launches and incidents by whole or shortened ids, a family's runs, a task's timeline. Writes nothing."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, RowMapping, and_, desc, func, or_, select

from hinoban.base.clock import MINUTES
from hinoban.watch.history import blobs
from hinoban.watch.history.ledger import Message, told_of
from hinoban.watch.history.schema import cursors, incidents, launches, outbox, retries, slots, stops, task_events, tasks
from hinoban.watch.model import Finding, Incident, Launch, TaskChange
from hinoban.watch.normalise import observation
from hinoban.watch.retry_row import Retry
from hinoban.watch.schedules.slot import Slot

_CHUNK = 500
_NEAR = 20
_PLACE = ("family", "cluster", "region", "account")
"""What two tasks must share for one to tell something of the other."""


class LastLine(msgspec.Struct, frozen=True, kw_only=True):
    """The last line that an overdue task wrote, as it was when it was read; no text: it had written nothing."""

    read_at: float
    text: str | None = None
    at: float | None = None


_RUNS = 41
_BEFORE, _AFTER = 10 * MINUTES, 1 * MINUTES
_incident = msgspec.json.Decoder(Incident).decode
_launch = msgspec.json.Decoder(Launch).decode


def open_tasks(connection: Connection) -> list[tuple[int, str]]:
    """(key, ARN) of every task whose end was not seen."""
    return [(key, arn) for key, arn in connection.execute(select(tasks.c.key, tasks.c.arn).where(tasks.c.open))]


def open_changes(connection: Connection) -> Iterator[TaskChange]:
    """The newest change of every open task."""
    same = and_(task_events.c.task_key == tasks.c.key, task_events.c.version == tasks.c.version)
    for raw in connection.execute(select(task_events.c.raw).select_from(tasks.join(task_events, same)).where(tasks.c.open)).scalars():
        if isinstance(change := observation(raw), TaskChange):
            yield change


def newest_change(connection: Connection, name: tuple[str, str, str]) -> TaskChange | None:
    """The newest change of the task (id, region, account)."""
    row = (
        connection.execute(select(tasks).where(tasks.c.id == name[0], tasks.c.region == name[1], tasks.c.account == name[2]))
        .mappings()
        .first()
    )
    found = [change for raw in timeline(connection, row) if isinstance(change := observation(raw), TaskChange)] if row else []
    return found[-1] if found else None


def arns_of(connection: Connection, names: Sequence[tuple[str, str, str]]) -> dict[tuple[str, str, str], str]:
    """The ARNs of these tasks (id, region, account)."""
    wanted, found = set(names), {}
    columns = (tasks.c.id, tasks.c.region, tasks.c.account, tasks.c.arn)
    for start in range(0, len(names), _CHUNK):
        ids = [name[0] for name in names[start : start + _CHUNK]]
        rows = connection.execute(select(*columns).where(tasks.c.id.in_(ids)))
        found.update({(row[0], row[1], row[2]): row[3] for row in rows if (row[0], row[1], row[2]) in wanted})
    return found


def timeline(connection: Connection, row: RowMapping) -> list[bytes]:
    """The raw envelopes of a task, oldest version first."""
    if row["timeline"] is not None:
        return blobs.unpack(row["timeline"])
    found = select(task_events.c.raw).where(task_events.c.task_key == row["key"]).order_by(task_events.c.version)
    return list(connection.execute(found).scalars())


def tasks_by_prefix(connection: Connection, prefix: str, limit: int = 20) -> list[RowMapping]:
    """Tasks whose id begins with `prefix` (hex digits)."""
    found = select(tasks).where(tasks.c.id >= prefix, tasks.c.id < prefix + "g").order_by(tasks.c.id).limit(limit)
    return list(connection.execute(found).mappings())


def task_by_arn(connection: Connection, arn: str) -> RowMapping | None:
    """The task of this ARN."""
    return connection.execute(select(tasks).where(tasks.c.id == arn.rpartition("/")[2], tasks.c.arn == arn)).mappings().first()


def task_by_id(connection: Connection, task_id: str) -> RowMapping | None:
    """The task of this id."""
    return connection.execute(select(tasks).where(tasks.c.id == task_id)).mappings().first()


def definition_change(connection: Connection, incident_id: str) -> str | None:
    """In what the definition differs from the last good run's, as kept with the incident: JSON; None where nothing is known."""
    return connection.execute(select(incidents.c.changed).where(incidents.c.id == incident_id)).scalar() or None


def last_run(connection: Connection, family: str) -> RowMapping | None:
    """The latest task of a family, wherever it ran."""
    found = select(tasks).where(tasks.c.family == family).order_by(desc(tasks.c.created_at), desc(tasks.c.key)).limit(1)
    return connection.execute(found).mappings().first()


def started_by(connection: Connection, starter: str) -> list[str]:
    """ARNs of the remembered tasks with exactly this startedBy (one of our retries': only these are indexed)."""
    found = select(tasks.c.arn).where(tasks.c.started_by == starter, tasks.c.started_by.like("hinoban/%"))
    return list(connection.execute(found).scalars())


def runs_since(connection: Connection, family: str, since: float) -> list[RowMapping]:
    """The family's tasks created after `since`."""
    columns = (tasks.c.arn, tasks.c.cluster, tasks.c.region, tasks.c.account, tasks.c.started_by, tasks.c.created_at)
    return list(connection.execute(select(*columns).where(tasks.c.family == family, tasks.c.created_at > since)).mappings())


def good_runs_since(connection: Connection, finding: Finding) -> list[TaskChange]:
    """The last change of each run of its family, in its place, that was launched after it and ended well, in the order of their ends."""
    found = select(tasks.c.id, tasks.c.region, tasks.c.account).where(
        *(tasks.c[name] == getattr(finding, name) for name in _PLACE),
        tasks.c.created_at > finding.at,
        tasks.c.exit_code == 0,
        tasks.c.verdict.is_(None),
        tasks.c.stop_code == "EssentialContainerExited",
    )
    names = connection.execute(found.order_by(tasks.c.stopped_at).limit(100)).all()
    changes = (newest_change(connection, (name[0], name[1], name[2])) for name in names)
    return [change for change in changes if change is not None and change.finished]


def last_good_run(connection: Connection, row: RowMapping) -> RowMapping | None:
    """The newest run of the family on its cluster that was launched before this one and ended with exit code 0."""
    found = select(tasks).where(*_with(row), tasks.c.created_at < (row["created_at"] or 0), tasks.c.exit_code == 0)
    return connection.execute(found.order_by(desc(tasks.c.created_at)).limit(1)).mappings().first()


def good_lengths(connection: Connection, row: RowMapping) -> list[float]:
    """How long the last runs of the family on its cluster took that ended with exit code 0, other than this one."""
    columns = (tasks.c.id, tasks.c.exit_code, tasks.c.started_at, tasks.c.stopped_at)
    found = select(*columns).where(*_with(row)).order_by(desc(tasks.c.created_at), desc(tasks.c.key)).limit(_RUNS)
    good = [run for run in connection.execute(found) if run.exit_code == 0 and run.id != row["id"]]
    return [run.stopped_at - run.started_at for run in good if run.stopped_at and run.started_at]


def _with(row: RowMapping) -> list[ColumnElement[bool]]:
    return [tasks.c[name] == row[name] for name in _PLACE]


def launch_of_task(connection: Connection, family: str, task_arn: str, created_at: float | None) -> Launch | None:
    """The RunTask call that brought this task: of its family, and from around its creation."""
    if created_at is None:
        return None
    found = select(launches.c.value).where(
        launches.c.family == family, launches.c.at >= created_at - _BEFORE, launches.c.at <= created_at + _AFTER
    )
    calls = map(_launch, connection.execute(found.order_by(desc(launches.c.at)).limit(1000)).scalars())
    return next((call for call in calls if task_arn in call.task_arns), None)


def living_since(connection: Connection, family: str, since: float) -> list[RowMapping]:
    """The family's tasks created after `since` whose end was not seen."""
    columns = (tasks.c.arn, tasks.c.cluster, tasks.c.region, tasks.c.account, tasks.c.started_by, tasks.c.created_at)
    found = select(*columns).where(tasks.c.family == family, tasks.c.created_at > since, tasks.c.open)
    return list(connection.execute(found).mappings())


def refused_since(connection: Connection, family: str, since: float) -> list[Launch]:
    """The family's launches after a moment that brought no task."""
    found = select(launches.c.value).where(launches.c.family == family, launches.c.at > since, launches.c.refused > 0)
    return [launch for launch in map(_launch, connection.execute(found).scalars()) if not launch.task_arns]


def definition_of_deployment(connection: Connection, family: str, deployment: str, since: float) -> str | None:
    """`web:203`: what the tasks of a deployment ran; None where none of them is remembered."""
    found = select(tasks.c.revision).where(
        tasks.c.family == family, tasks.c.created_at > since, tasks.c.started_by == deployment, tasks.c.revision.is_not(None)
    )
    revision = connection.execute(found.limit(1)).scalar()
    return f"{family}:{revision}" if revision is not None else None


def stopper_of(connection: Connection, task_arn: str) -> str | None:
    """Who stopped the task first: the caller of StopTask. None where no such call is known."""
    found = select(stops.c.caller).where(stops.c.task_id == task_arn.rpartition("/")[2], stops.c.arn == task_arn)
    caller: str | None = connection.execute(found.order_by(stops.c.at).limit(1)).scalar()
    return caller


def as_of(connection: Connection) -> float | None:
    """When a source last answered: until then what is remembered is complete."""
    moment: float | None = connection.execute(select(func.max(cursors.c.polled_at))).scalar()
    return moment


def incidents_by_id(connection: Connection, ids: Collection[str]) -> dict[str, Incident]:
    """These incidents."""
    wanted, found = list(ids), {}
    for start in range(0, len(wanted), _CHUNK):
        rows = connection.execute(select(incidents.c.value).where(incidents.c.id.in_(wanted[start : start + _CHUNK]))).scalars()
        found.update({one.id: one for one in map(_incident, rows)})
    return found


def changes_of_schedules(connection: Connection, since: float) -> list[Incident]:
    """What happened to schedules since a moment, the latest first; what still keeps runs from happening, however old it is."""
    of_schedules = incidents.c.verdict.in_(("DISABLED", "DELETED", "RETARGETED", "RESCHEDULED"))
    found = select(incidents.c.value).where(of_schedules, or_(incidents.c.opened_at >= since, incidents.c.state != "resolved"))
    rows = map(_incident, connection.execute(found.order_by(desc(incidents.c.opened_at)).limit(200)).scalars())
    return [one for one in rows if one.finding.detector == "schedule_changed"]


def incidents_not_resolved(connection: Connection) -> list[Incident]:
    """Every incident that is open or acknowledged."""
    found = select(incidents.c.value).where(incidents.c.state.in_(("open", "acknowledged")))
    return [_incident(value) for value in connection.execute(found).scalars()]


def incidents_opened(connection: Connection, since: float, until: float) -> list[Incident]:
    """Those opened in (since, until], whatever became of them, the earliest first."""
    every = incidents.c.state.in_(("open", "acknowledged", "resolved"))  # so that the index on state and moment serves
    found = select(incidents.c.value).where(every, incidents.c.opened_at > since, incidents.c.opened_at <= until)
    return [_incident(value) for value in connection.execute(found.order_by(incidents.c.opened_at)).scalars()]


def retry(value: bytes) -> Retry:
    """A row of retries."""
    return msgspec.json.decode(value, type=Retry)


def incidents_by_prefix(connection: Connection, prefix: str, limit: int = 20) -> list[Incident]:
    """Incidents whose id begins with `prefix` (`inc-4k`)."""
    found = select(incidents.c.value).where(incidents.c.id >= prefix, incidents.c.id < prefix + "~").order_by(incidents.c.id).limit(limit)
    return [_incident(value) for value in connection.execute(found).scalars()]


def slot_incident_of(connection: Connection, row: RowMapping) -> Incident | None:
    """The incident of the scheduled run that a task was of: it is named by its slot, not by the task."""
    of_family = select(incidents.c.value).where(incidents.c.family == row["family"], incidents.c.opened_at >= (row["created_at"] or 0))
    later = map(_incident, connection.execute(of_family.order_by(incidents.c.opened_at).limit(_NEAR)).scalars())
    return next((one for one in later if one.subject.startswith("slot:") and row["arn"] in (a.task_arn for a in one.attempts)), None)


def incidents_of(connection: Connection, state: str | None, family: str | None, limit: int) -> list[Incident]:
    """The latest incidents, newest first; `state` open includes nothing else."""
    found = select(incidents.c.value).order_by(desc(incidents.c.opened_at), desc(incidents.c.id)).limit(limit)
    if state is not None:
        found = found.where(incidents.c.state == state)
    if family is not None:
        found = found.where(incidents.c.family == family)
    return [_incident(value) for value in connection.execute(found).scalars()]


def leads_of(connection: Connection, state: str | None, limit: int) -> list[Incident]:
    """The latest incidents that are told by themselves or for a group, newest first; of a group `state` is that of any member."""
    found = select(incidents.c.value).where(incidents.c.lead.is_(None))
    of_members = select(incidents.c.lead).where(incidents.c.lead.is_not(None))
    if state == "resolved":
        found = found.where(incidents.c.state == state, incidents.c.id.not_in(of_members.where(incidents.c.state != state)))
    elif state is not None:
        found = found.where(or_(incidents.c.state == state, incidents.c.id.in_(of_members.where(incidents.c.state == state))))
    found = found.order_by(desc(incidents.c.opened_at), desc(incidents.c.id)).limit(limit)
    return [_incident(value) for value in connection.execute(found).scalars()]


def members_of(connection: Connection, lead_id: str) -> list[Incident]:
    """Those that this incident speaks for, the oldest first."""
    found = select(incidents.c.value).where(incidents.c.lead == lead_id).order_by(incidents.c.opened_at, incidents.c.id)
    return [_incident(value) for value in connection.execute(found).scalars()]


def member_ids(connection: Connection, lead_ids: Collection[str]) -> dict[str, list[str]]:
    """By lead: the ids of those that it speaks for."""
    wanted, found = list(lead_ids), dict[str, list[str]]()
    for start in range(0, len(wanted), _CHUNK):
        rows = select(incidents.c.lead, incidents.c.id).where(incidents.c.lead.in_(wanted[start : start + _CHUNK]))
        for lead, member in connection.execute(rows.order_by(incidents.c.opened_at, incidents.c.id)):
            found.setdefault(lead, []).append(member)
    return found


def messages_about(connection: Connection, incident_id: str, since: float, until: float) -> list[tuple[float, str, str, Message]]:
    """When, to which channel, and in what state (queued, sent, dead, muted, reported): what was told of an incident, in its order.

    The moment of one that was sent is that of its arrival, of all others that of its writing.
    """
    found = select(outbox.c.created_at, outbox.c.due_at, outbox.c.channel, outbox.c.state, outbox.c.value)
    found = found.where(outbox.c.created_at >= since, outbox.c.created_at <= until).order_by(outbox.c.id)
    named = incident_id.encode()
    rows = [row for row in connection.execute(found) if named in row.value]
    read = ((row.due_at if row.state == "sent" else row.created_at, row.channel, row.state, told_of(row.value)) for row in rows)
    # A daily report names incidents, too.
    return [
        (at, channel, state, told) for at, channel, state, told in read if isinstance(told, Message) and told.incident.id == incident_id
    ]


def slots_named(connection: Connection, name: str) -> Slot | None:
    """The last slot of a schedule that did not end well, else its last one; None where no slot of that name is known."""
    found = select(slots.c.value).where(slots.c.name == name).order_by(desc(slots.c.at)).limit(1)
    bad = connection.execute(found.where(slots.c.incident_id.is_not(None))).scalar()
    value = bad if bad is not None else connection.execute(found).scalar()
    return msgspec.json.decode(value, type=Slot) if value is not None else None


def standalone_open(connection: Connection) -> list[RowMapping]:
    """Every task that runs, or is about to, and that no service owns, the oldest first."""
    columns = [column for column in tasks.columns if column.name not in ("timeline", "versions")]
    alone = or_(tasks.c.group.is_(None), tasks.c.group.not_like("service:%"))
    by_hand = or_(tasks.c.started_by.is_(None), tasks.c.started_by.not_like("ecs-svc/%"))
    living = tasks.c.last_status.in_(("PROVISIONING", "PENDING", "ACTIVATING", "RUNNING"))
    found = select(*columns).where(tasks.c.open, alone, by_hand, living).order_by(tasks.c.created_at)
    return list(connection.execute(found).mappings())


def beside(connection: Connection, row: RowMapping, limit: int) -> list[RowMapping]:
    """Other tasks of the family on its cluster that began while this open one ran, the latest first."""
    columns = (tasks.c.arn, tasks.c.created_at, tasks.c.started_at, tasks.c.stopped_at, tasks.c.open)
    later = (tasks.c.created_at > (row["started_at"] or row["created_at"] or 0), tasks.c.arn != row["arn"], tasks.c.started_at.is_not(None))
    return list(connection.execute(select(*columns).where(*_with(row), *later).order_by(desc(tasks.c.created_at)).limit(limit)).mappings())


def launches_by_prefix(connection: Connection, prefix: str, limit: int = 20) -> list[Launch]:
    """Launches whose id begins with `prefix` (`lch-`)."""
    found = select(launches.c.value).where(launches.c.id >= prefix, launches.c.id < prefix + "~").order_by(launches.c.id).limit(limit)
    return [_launch(value) for value in connection.execute(found).scalars()]


def incident_log(connection: Connection, incident_id: str) -> list[str] | None:
    """The last lines of the failed task's log, as kept with the incident; empty where it printed nothing, None where it was not read."""
    text = connection.execute(select(incidents.c.log).where(incidents.c.id == incident_id)).scalar()
    return msgspec.json.decode(text, type=list[str]) if text and text.startswith("[") else None


def last_line(connection: Connection, incident_id: str) -> LastLine | None:
    """The last line of an overdue task; None where it was not read."""
    text = connection.execute(select(incidents.c.log).where(incidents.c.id == incident_id)).scalar()
    return msgspec.json.decode(text, type=LastLine) if text and text.startswith("{") else None


def overdue_incidents(connection: Connection, limit: int) -> list[Incident]:
    """Those of tasks that run past their limit or lease, the latest first."""
    found = select(incidents.c.value).where(incidents.c.state.in_(("open", "acknowledged")), incidents.c.verdict == "OVERDUE")
    rows = connection.execute(found.order_by(desc(incidents.c.opened_at)).limit(limit)).scalars()
    return [one for one in map(_incident, rows) if one.finding.detector == "overdue"]


def logs_wanted(connection: Connection) -> list[Incident]:
    """Incidents whose log's tail is still to be fetched."""
    return [_incident(value) for value in connection.execute(select(incidents.c.value).where(incidents.c.log_wanted > 0)).scalars()]


def counts(connection: Connection) -> dict[str, Any]:
    """How much is remembered and how much is to be done."""
    return {
        "tasks": connection.execute(select(func.count()).select_from(tasks)).scalar() or 0,
        "tasks_open": connection.execute(select(func.count()).select_from(tasks).where(tasks.c.open)).scalar() or 0,
        "incidents": by_state(connection, incidents),
        "outbox": by_state(connection, outbox),
        "retries": by_state(connection, retries),
    }


def by_state(connection: Connection, table: Any) -> dict[str, int]:
    """How many rows of a table are in each state."""
    found = connection.execute(select(table.c.state, func.count()).group_by(table.c.state))
    return {row[0]: row[1] for row in found}


def messages(connection: Connection, limit: int = 100) -> list[Message]:
    """The latest messages about incidents, newest first."""
    found = select(outbox.c.value).order_by(desc(outbox.c.id)).limit(limit)
    return [told for value in connection.execute(found).scalars() if isinstance(told := told_of(value), Message)]
