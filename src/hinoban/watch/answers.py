"""What the watch answers to people: why, incidents, history, status. Reads watch.db only, so it also works with no daemon running."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, Engine, RowMapping

from hinoban.base.errors import HinobanError
from hinoban.base.units import iso
from hinoban.watch import answers_schedules, orphans
from hinoban.watch.answers_incidents import incidents_json, lead_of, postmortem, together_of
from hinoban.watch.background import background_of
from hinoban.watch.config import Lang
from hinoban.watch.explain.language import speaking
from hinoban.watch.history import queries
from hinoban.watch.history.database import open_readonly
from hinoban.watch.history.search import find, search_of
from hinoban.watch.incidents import incident_id
from hinoban.watch.measure import known_channels, measures
from hinoban.watch.model import Incident, Launch, TaskChange
from hinoban.watch.normalise import observation
from hinoban.watch.notify.message import why_json, why_text
from hinoban.watch.schedules.slot import Slot
from hinoban.watch.status_words import offline_lines

_WHOLE = 32  # digits of a task's id


class Answers:
    """Questions about the history; moments in answers are ISO 8601 in UTC, texts use the time zone given here."""

    def __init__(self, engine: Engine, *, tz: str = "UTC", lang: Lang = "en", live: bool = True) -> None:
        self._engine = engine
        self._live = live
        self._lang = lang
        self._tz = tz
        self._zone = ZoneInfo(tz)

    @classmethod
    def readonly(cls, path: Path, *, tz: str = "UTC") -> "Answers":
        """Answers from the file alone, as no daemon runs. HinobanError where there is none."""
        return cls(open_readonly(path), tz=tz, live=False)

    def incidents(self, state: str | None = None, limit: int = 100, *, leads: bool = False) -> dict[str, Any]:
        """`{"incidents": [...], "tz"}`, newest first; `tz` is the time zone of messages. `leads`: without those that others speak for."""
        with speaking(self._lang), self._engine.connect() as connection:
            found = queries.leads_of(connection, state, limit) if leads else queries.incidents_of(connection, state, None, limit)
            return {"incidents": incidents_json(connection, found), "tz": self._tz}

    def incident(self, prefix: str) -> dict[str, Any]:
        """One incident by its whole or shortened id, with its log's tail."""
        with speaking(self._lang), self._engine.connect() as connection:
            incident = one_incident(connection, prefix)
            return {**incidents_json(connection, [incident])[0], "log": queries.incident_log(connection, incident.id) or []}

    def postmortem(self, prefix: str, lang: Lang | None = None) -> dict[str, Any]:
        """`{"id", "lang", "markdown"}` of the whole group of an incident, by its whole or shortened id; without `lang` in the language of messages."""
        with speaking(lang or self._lang), self._engine.connect() as connection:
            incident, row, launch = self._of_incident(connection, lead_of(connection, one_incident(connection, prefix)))
            background = background_of(connection, incident, row, None, launch, self._zone, live=self._live)
            log = queries.incident_log(connection, incident.id) or []
            return postmortem(connection, incident, background, log, self._zone, lang or self._lang)

    def history(self, query: Mapping[str, str]) -> dict[str, Any]:
        """`{"tasks": [...], "next"}`: the tasks that fit, newest first, and what to ask for `after` them; `query` as in search.search_of."""
        asked = search_of(query)
        with self._engine.connect() as connection:
            page = find(connection, asked)
        return {"tasks": [task_json(row) for row in page.tasks], "next": page.next}

    def why(self, name: str, *, full: bool = False) -> dict[str, Any]:
        """What happened to a task, incident, launch (whole or shortened ids) or to a family's last bad run, else its last run.

        Keys: `lines` (the text), `title`, the labels in lower case, `attempts`; `task` (ARN) and `incident` where there is one.
        """
        with speaking(self._lang), self._engine.connect() as connection:
            incident, row, launch = self.find(connection, name)
            detail: dict[str, Any] | None = None
            if row is not None:
                seen = [one for raw in queries.timeline(connection, row) if isinstance(one := observation(raw), TaskChange)]
                detail = seen[-1].detail if seen else None
            log = queries.incident_log(connection, incident.id) if incident is not None else None
            background = background_of(connection, incident, row, detail, launch, self._zone, live=self._live)
            together = together_of(connection, incident) if incident is not None else None
            background = msgspec.structs.replace(background, together=together)
        with speaking(self._lang):
            lines = why_text(incident, detail, zone=self._zone, launch=launch, log_tail=log, background=background, full=full)
            told = why_json(incident, detail, zone=self._zone, launch=launch, log_tail=log, background=background)
        return {
            **told,
            "lines": lines,
            "task": row["arn"] if row is not None else None,
            "cluster": detail.get("clusterArn") if detail is not None else None,
            "task_definition": detail.get("taskDefinitionArn") if detail is not None else None,
            "containers": _containers(detail),
            "launch": launch.launch_id if launch is not None else None,
            "log": log or [],
        }

    def schedules(self, now: float, since: float, following: int, name: str | None = None, region: str | None = None) -> dict[str, Any]:
        """See answers_schedules.schedules."""
        with self._engine.connect() as connection:
            return answers_schedules.schedules(connection, now, since, following, name=name, region=region, tz=self._tz)

    def orphans(self, now: float | None = None) -> dict[str, Any]:
        """See orphans.orphans; without a moment, as the tasks were last heard of."""
        with self._engine.connect() as connection:
            moment = now if now is not None else queries.as_of(connection) or 0.0
            return orphans.orphans(connection, moment) | {"tz": self._tz}

    def counts(self) -> dict[str, Any]:
        """Counts of what is remembered and of what is to be done."""
        with self._engine.connect() as connection:
            return queries.counts(connection)

    def status(self, now: float) -> dict[str, Any]:
        """What a state folder says without a watch."""
        with self._engine.connect() as connection:
            found = {**queries.counts(connection), **measures(connection, known_channels(connection), now)}
        return found | {"lines": offline_lines(found, self._zone, now)}

    def find(self, connection: Connection, name: str) -> tuple[Incident | None, RowMapping | None, Launch | None]:
        """What a name means: its incident, task and launch, as far as there are any; HinobanError where it means nothing, or several."""
        name = name.strip()
        schedule, at, time = name.rpartition("@")
        if at and schedule and not name.startswith("arn:"):
            return self._of_due(connection, schedule, time)
        if name.startswith("inc-"):
            return self._of_incident(connection, one_incident(connection, name))
        if name.startswith("lch-"):
            launch = _one(name, queries.launches_by_prefix(connection, name), lambda one: one.launch_id, "launch")
            return self._of_launch(connection, launch)
        if name.startswith("arn:") and ":task/" in name:
            if (row := queries.task_by_arn(connection, name)) is None:
                raise unknown(name)
            return self._of_task(connection, row)
        digits = name.lower()
        if len(digits) == _WHOLE and _is_id(digits) and (whole := queries.task_by_id(connection, digits)) is not None:
            return self._of_task(connection, whole)
        if (found := self._of_family(connection, name)) is not None:
            return found
        if recent := queries.slots_named(connection, name):
            return self._of_slot(connection, recent)
        if len(digits) >= 4 and _is_id(digits):
            rows = queries.tasks_by_prefix(connection, digits)
            if rows:
                return self._of_task(connection, _one(name, rows, lambda row: f"{row['id'][:12]} ({row['family']})", "task"))
        raise unknown(name)

    def _of_due(self, connection: Connection, name: str, time: str) -> tuple[Incident | None, RowMapping | None, Launch | None]:
        """`NAME@TIME`: its slot or, where the schedule was disabled or deleted since, that change: no later run is owed."""
        change = answers_schedules.turned_off(connection, name, time, self._tz)
        try:
            slot = answers_schedules.slot_named(connection, name, time, self._tz)
        except HinobanError:
            if change is None:
                raise
            return self._of_incident(connection, change)
        if change is not None and change.finding.at > slot.at:
            return self._of_incident(connection, change)
        return self._of_slot(connection, slot)

    def _of_slot(self, connection: Connection, slot: Slot) -> tuple[Incident | None, RowMapping | None, Launch | None]:
        """A slot's incident, else its last task, else the launch that it was."""
        if slot.incident_id is not None:
            return self._of_incident(connection, one_incident(connection, slot.incident_id))
        if slot.tasks and (row := queries.task_by_arn(connection, list(slot.tasks)[-1])) is not None:
            return self._of_task(connection, row)
        launch = _first(queries.launches_by_prefix(connection, slot.launch_id)) if slot.launch_id else None
        if launch is None:
            raise HinobanError(f"{slot.name} is due", f"nothing was seen of it yet; it counts as lost from {iso(slot.due_by)} on", "Wait")
        return None, None, launch

    def _of_launch(self, connection: Connection, launch: Launch) -> tuple[Incident | None, RowMapping | None, Launch]:
        """The launch's own incident, else that of one of its tasks; an only task stands for its launch."""
        own = _first(queries.incidents_by_prefix(connection, incident_id(f"launch:{launch.event_id}")))
        if own is not None:
            return *self._of_incident(connection, own)[:2], launch
        for arn in launch.task_arns:
            named = _first(queries.incidents_by_prefix(connection, incident_id(f"task:{arn}")))
            if named is not None:
                return *self._of_incident(connection, named)[:2], launch
        return None, queries.task_by_arn(connection, launch.task_arns[0]) if len(launch.task_arns) == 1 else None, launch

    def _of_family(self, connection: Connection, family: str) -> tuple[Incident | None, RowMapping | None, Launch | None] | None:
        last = _first(queries.incidents_of(connection, None, family, 1))
        if last is not None:
            return self._of_incident(connection, last)
        row = queries.last_run(connection, family)
        return self._of_task(connection, row) if row is not None else None

    def _of_incident(self, connection: Connection, incident: Incident) -> tuple[Incident, RowMapping | None, Launch | None]:
        arn = next((one.task_arn for one in reversed(incident.attempts) if one.task_arn), incident.finding.task_arn)
        row = queries.task_by_arn(connection, arn) if arn else None
        launch = _first(queries.launches_by_prefix(connection, incident.finding.launch_id)) if incident.finding.launch_id else None
        return incident, row, launch

    def _of_task(self, connection: Connection, row: RowMapping) -> tuple[Incident | None, RowMapping, Launch | None]:
        own = _first(queries.incidents_by_prefix(connection, incident_id(f"task:{row['arn']}")))
        if own is None and (starter := row["started_by"] or "").startswith("hinoban/"):
            own = _first(queries.incidents_by_prefix(connection, starter.split("/")[1]))
        return own or queries.slot_incident_of(connection, row), row, None


def one_incident(connection: Connection, prefix: str) -> Incident:
    """The incident of this whole or shortened id (with or without `inc-`); HinobanError where none or several are."""
    wanted = prefix if prefix.startswith("inc-") else f"inc-{prefix}"
    found: Incident = _one(prefix, queries.incidents_by_prefix(connection, wanted), lambda one: one.id, "incident")
    return found


def unknown(name: str) -> HinobanError:
    """Nothing by that name."""
    return HinobanError(
        f"Nothing is known of {name!r}",
        "the watch has seen no task, incident, launch or family of that name",
        "See what it knows: hinoban incidents      (tasks of a running engine: hinoban ps -a)",
    )


def task_json(row: RowMapping) -> dict[str, Any]:
    """A remembered task's documented fields."""
    moments = {name: iso(row[name]) if row[name] is not None else None for name in ("created_at", "started_at", "stopped_at")}
    plain = (
        "id",
        "arn",
        "account",
        "region",
        "family",
        "revision",
        "cluster",
        "group",
        "started_by",
        "last_status",
        "stop_code",
        "exit_code",
    )
    ran = row["stopped_at"] - row["started_at"] if row["stopped_at"] is not None and row["started_at"] is not None else None
    return {
        **{name: row[name] for name in plain},
        **moments,
        "ran_seconds": ran,
        "verdict": row["verdict"],
        "class": row["class"],
        "version": row["version"],
        "open": row["open"],
    }


def _containers(detail: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Names and runtime ids: what names a container's log stream."""
    found = (detail or {}).get("containers") or ()
    return [{name: one[name] for name in ("name", "runtimeId") if name in one} for one in found]


def _is_id(digits: str) -> bool:
    return all(one in "0123456789abcdef-" for one in digits)


def _first(found: Sequence[Any]) -> Any:
    return found[0] if found else None


def _one(name: str, found: Sequence[Any], label: Callable[[Any], str], kind: str) -> Any:
    if not found:
        raise unknown(name)
    if len(found) > 1:
        listed = ", ".join(label(one) for one in found[:10])
        first = label(found[0]).partition(" ")[0]
        raise HinobanError(
            f"{name!r} is ambiguous", f"it names {len(found)} of kind {kind}: {listed}", f"Write more of it: hinoban why {first}"
        )
    return found[0]
