"""Finds remembered tasks by what is known of them: the questions of `hinoban history`. Writes nothing."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, get_args

import msgspec
from sqlalchemy import ColumnElement, Connection, RowMapping, and_, desc, or_, select

from hinoban.base.errors import HinobanError
from hinoban.base.units import parse_iso
from hinoban.watch.explain.catalogue import Class, codes_of
from hinoban.watch.history.schema import slots, tasks
from hinoban.watch.schedules.slot import Slot

MOST = 10_000
Outcome = Literal["failed", "good", "open"]
_STARTED_BY = 36
"""AWS cuts startedBy of scheduled tasks to so many characters (facts/eventbridge.md §6.2)."""
_slot = msgspec.json.Decoder(Slot).decode


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for; None does not matter. Moments are seconds since the epoch, `since` and `until` of the task's creation."""

    id: str | None = None
    """The beginning of a task's id."""
    family: str | None = None
    revision: int | None = None
    cluster: str | None = None
    service: str | None = None
    schedule: str | None = None
    """A rule's or schedule's name: its runs, our retries of them, and those by hand."""
    started_by: str | None = None
    since: float | None = None
    until: float | None = None
    stop_code: str | None = None
    exit_code: int | None = None
    verdict: str | None = None
    """`OUT OF MEMORY`, `EXIT 1`, `NOT STARTED` ... in any case."""
    reason: str | None = msgspec.field(name="class", default=None)
    """The catalogue's name of the reason (`no_capacity`), or a class of reasons (`capacity`)."""
    outcome: Outcome | None = None
    region: str | None = None
    limit: int = 100
    after: str | None = None
    """`Page.next` of the answer before: what follows it."""


class Page(NamedTuple):
    """Tasks, and what to ask for `after` these; None where they were the last."""

    tasks: list[RowMapping]
    next: str | None


def search_of(query: Mapping[str, str]) -> Search:
    """What a query of the JSON API asks for; HinobanError names the field that cannot be read. Moments are ISO 8601 with a zone."""
    unknown = query.keys() - set(Search.__struct_encode_fields__)
    if unknown:
        raise HinobanError(
            f"{', '.join(sorted(unknown))} cannot be asked for",
            "the history knows no such field",
            f"Ask for {', '.join(Search.__struct_encode_fields__)}",
        )
    given: dict[str, Any] = {name: value for name, value in query.items() if value != ""}
    try:
        for name in ("since", "until"):
            if name in given:
                given[name] = parse_iso(given[name])
        found = msgspec.convert(given, Search, strict=False)
    except (ValueError, msgspec.ValidationError) as error:
        raise HinobanError("The history cannot be asked so", str(error), "Correct the query") from error
    if not 1 <= found.limit <= MOST:
        raise HinobanError(f"limit={found.limit} cannot be served", f"it must be from 1 to {MOST}", "Ask for what follows with after")
    if found.reason is not None and not codes_of(found.reason):
        classes = ", ".join(get_args(Class))
        why = "the catalogue has no such reason, and no such class of reasons"
        raise HinobanError(f"class={found.reason} cannot be asked for", why, f"Ask for {classes}, or one reason: no_capacity")
    return found


def find(connection: Connection, asked: Search) -> Page:
    """The tasks that fit, the newest first, `limit` at the most. HinobanError where `after` is not of an answer."""
    columns = [column for column in tasks.columns if column.name not in ("timeline", "versions")]
    found = select(*columns).where(*_conditions(connection, asked))
    if asked.after is not None:
        found = found.where(_following(asked.after, by_creation=asked.family is not None))
    # Rows are numbered in the order in which tasks were first heard of; within a family the index knows their creation.
    order = (desc(tasks.c.created_at), desc(tasks.c.key)) if asked.family is not None else (desc(tasks.c.key),)
    rows = list(connection.execute(found.order_by(*order).limit(asked.limit + 1)).mappings())
    shown = rows[: asked.limit]
    return Page(shown, f"{shown[-1]['key']}@{shown[-1]['created_at'] or ''}" if len(rows) > len(shown) else None)


def _following(after: str, *, by_creation: bool) -> ColumnElement[bool]:
    key, _, created = after.partition("@")
    try:
        older, moment = tasks.c.key < int(key), float(created) if created else None
    except ValueError as error:
        raise HinobanError(f"after={after} cannot be served", "it is the next of no answer", "Give next as it was answered") from error
    if not by_creation:
        return older
    if moment is None:
        return and_(tasks.c.created_at.is_(None), older)
    return or_(tasks.c.created_at < moment, and_(tasks.c.created_at == moment, older), tasks.c.created_at.is_(None))


def _conditions(connection: Connection, asked: Search) -> list[ColumnElement[bool]]:
    row = tasks.c
    exact: list[tuple[Any, Any]] = [
        (row.family, asked.family),
        (row.revision, asked.revision),
        (row.cluster, asked.cluster),
        (row.started_by, asked.started_by),
        (row.stop_code, asked.stop_code),
        (row.exit_code, asked.exit_code),
        (row.region, asked.region),
        (row.group, f"service:{asked.service}" if asked.service is not None else None),
        (row.verdict, asked.verdict.upper() if asked.verdict is not None else None),
    ]
    conditions = [column == wanted for column, wanted in exact if wanted is not None]
    if asked.reason is not None:
        conditions.append(row["class"].in_(sorted(codes_of(asked.reason))))
    if asked.id is not None:
        conditions += [row.id >= asked.id, row.id < asked.id + "~"]
    if asked.since is not None:
        conditions.append(row.created_at >= asked.since)
    if asked.until is not None:
        conditions.append(row.created_at <= asked.until)
    if asked.outcome == "failed":
        conditions.append(row.verdict.is_not(None))
    elif asked.outcome == "good":
        conditions += [row.verdict.is_(None), row.open.is_(False)]
    elif asked.outcome == "open":
        conditions.append(row.open)
    if asked.schedule is not None:
        conditions.append(_of_schedule(connection, asked.schedule, asked.since))
    return conditions


def _of_schedule(connection: Connection, name: str, since: float | None) -> ColumnElement[bool]:
    """By startedBy, and by the slots that the ledger joined: only these know retries and runs by hand."""
    starters = [f"{prefix}{name}"[:_STARTED_BY] for prefix in ("events-rule/", "chronos-schedule/")]
    found = select(slots.c.value).where(slots.c.name == name)
    if since is not None:
        found = found.where(slots.c.at >= since)
    values = connection.execute(found.order_by(desc(slots.c.at)).limit(1000)).scalars()
    ids = [arn.rpartition("/")[2] for value in values for arn in _slot(value).tasks]
    return or_(tasks.c.started_by.in_(starters), tasks.c.id.in_(ids)) if ids else tasks.c.started_by.in_(starters)
