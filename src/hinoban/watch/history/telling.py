"""Queues what is told of incidents, and of incidents of one cause together (groups.py decides which, and when).

A group's message is made at the end of the transaction that gave reason for it, so that a wall of failures that came at once is one
message, and one that was told a moment ago has the whole wall in it. Everything runs inside the caller's transaction, before whose end
`flush` is called.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec
from sqlalchemy import Connection, func, insert, select, update

from hinoban.watch import groups
from hinoban.watch.config import Level
from hinoban.watch.group_row import Escalated, Group
from hinoban.watch.history.incident_rows import IncidentRows
from hinoban.watch.history.schema import outbox
from hinoban.watch.incident_states import QUIET
from hinoban.watch.incidents import Change
from hinoban.watch.model import Incident

_encode = msgspec.json.Encoder().encode


class Message(msgspec.Struct, frozen=True):
    """What an outbox row is about: the incident as it was then (of a group: its lead, as groups.face_of shows it), and what happened.

    `log`: the last lines of the failed task as they may be shown, put in when the message leaves.
    """

    incident: Incident
    change: Change
    log: tuple[str, ...] = ()


class Decision(msgspec.Struct, frozen=True):
    """Who is told: channels by name; `mute`: what hides it from the others until `hidden_until`; `level`: how loudly.

    `route`: the channels that its routes name, at whatever level: whose matter it is.
    """

    channels: tuple[str, ...]
    mute: str | None = None
    level: Level = "ticket"
    route: tuple[str, ...] = ()
    hidden_until: float | None = None


def mute_place(name: str) -> str:
    """Where in the outbox a mute keeps what it hides; no channel may be called so."""
    return f"mute {name}"


class Telling:
    """`channels` are the names that a message is queued for, unless `decide` says fewer."""

    def __init__(self, rows: IncidentRows, channels: Sequence[str]) -> None:
        self._rows = rows
        self.channels = tuple(channels)
        self.decide: Callable[[Incident, Change, float], Decision] = lambda incident, change, now: Decision(self.channels)
        self.forget()

    def forget(self) -> None:
        """Drop what memory holds."""
        self._loaded = False
        self._live: dict[str, Group] = {}
        self._by_key: dict[str, str] = {}
        self._fresh: dict[str, list[int]] = {}
        self._asked: dict[str, float] = {}

    def put(self, connection: Connection, before: Incident | None, incident: Incident, tell: Change | None, now: float) -> None:
        """Write the incident's new value, and see to it that people hear of it, by itself or with its group."""
        self._load(connection)
        if before is not None:
            # With whom it is told and who was told is kept here; a caller's value may be older.
            incident = msgspec.structs.replace(
                incident,
                told_to=tuple(dict.fromkeys((*before.told_to, *incident.told_to))),
                lead=before.lead,
                group=before.group,
                level=before.level,
                level_since=before.level_since,
                escalated=before.escalated,
            )
        if before is not None and (incident.lead is not None or (incident.group is not None and incident.group.size > 1)):
            self._together(connection, before, incident, tell, now)
        else:
            self._alone(connection, before, incident, tell, now)

    def flush(self, connection: Connection) -> bool:
        """Make the messages of the groups that this transaction gave reason to tell of; whether there were any."""
        grown = [one for one in self._fresh if one in self._live and self._live[one].size > 1]
        due = dict.fromkeys((*grown, *self._asked))
        for lead_id in due:
            if (lead := self._rows.get(connection, lead_id)) is not None:
                self._tell_group(connection, lead, self._asked.get(lead_id))
        self._fresh, self._asked = {}, {}
        self._rows.flush(connection)
        return bool(due)

    def grow(self, connection: Connection, now: float) -> None:
        """Tell of the groups whose growth is due."""
        self._load(connection)
        self._asked |= {lead_id: now for lead_id, group in self._live.items() if group.grow_at is not None and group.grow_at <= now}

    def next_growth(self, connection: Connection) -> float | None:
        """When a group's growth is due next."""
        self._load(connection)
        return min((group.grow_at for group in self._live.values() if group.grow_at is not None), default=None)

    def hold(self, connection: Connection, lead: Incident, by: str, until: float | None, now: float, *, snoozed: bool) -> None:
        """A person has acknowledged or snoozed the group as a whole; those who were told of it hear of that."""
        assert lead.group is not None
        group = groups.held(lead.group, by, until, snoozed=snoozed)
        self._write_lead(connection, lead, msgspec.structs.replace(lead, group=group, level_since=None))
        self._asked[lead.id] = now

    def alerted(self, connection: Connection) -> list[Incident]:
        """What people were told of, that is open, and that nobody has: one for each group."""
        return [one for one in self._nobodys(connection) if one.level_since is not None]

    def escalate(self, connection: Connection, incident: Incident, step: Escalated, channels: Collection[str], now: float) -> float | None:
        """Tell further people of what nobody has; from then on they hear how it goes on, too. Where a mute hides it: when that ends."""
        lead = msgspec.structs.replace(incident, escalated=(*incident.escalated, step))
        told = self._shown(connection, msgspec.structs.replace(lead, changed_at=now), now)
        decision = self.decide(told, "escalated", now)
        if decision.mute is not None:
            return decision.hidden_until
        further = tuple(name for name in self.channels if name in channels)
        told, _ = self._queue(connection, told, "escalated", Decision(further), now)
        self._write_lead(connection, incident, msgspec.structs.replace(lead, told_to=told.told_to, told=lead.told + 1))
        return None

    def unmute(self, connection: Connection, hidden: Mapping[str, Change], now: float) -> None:
        """A mute has ended that hid these changes, and has said so. A page of which nobody knows and that nobody has is told now."""
        for lead in self._nobodys(connection):
            if (change := hidden.get(lead.id)) is None:
                continue
            told = self._shown(connection, msgspec.structs.replace(lead, changed_at=now), now)
            decision = self.decide(told, change, now)
            after = _at_level(lead, decision, now)
            if decision.level == "page" and not _known_at(lead, "page"):
                fresh = tuple(name for name in decision.channels if change != "opened" or name not in lead.told_to)
                told, _ = self._queue(connection, told, change, msgspec.structs.replace(decision, channels=fresh), now)
                group = None if lead.group is None else groups.told(lead.group, opening=True)
                after = msgspec.structs.replace(after, told_to=told.told_to, told=lead.told + 1, group=group)
            self._write_lead(connection, lead, after)

    def _nobodys(self, connection: Connection) -> list[Incident]:
        """What is open and nobody has: one for each group."""
        self._load(connection)
        known = self._rows.open(connection)
        single = [one for one in known.values() if one.group is None and one.lead is None and one.state == "open"]
        leads = (self._rows.get(connection, one) for one, group in self._live.items() if group.held_by is None)
        return [one for one in (*single, *leads) if one is not None]

    def _alone(self, connection: Connection, before: Incident | None, incident: Incident, tell: Change | None, now: float) -> None:
        if tell is not None:
            decision = self.decide(incident, tell, now)
            if incident.group is None and tell in ("opened", "quiet"):
                lead, key = self._lead_for(connection, incident, decision, tell, now)
                if lead is not None:
                    incident = self._join(connection, lead, before, incident, decision, tell, now)
                    if tell == "opened":
                        return
                elif key is not None and tell == "opened":
                    incident = msgspec.structs.replace(incident, group=groups.founded(key, now))
            incident, rows = self._queue(connection, incident, tell, decision, now)
            if tell == "opened":
                self._fresh[incident.id] = rows
            if tell in ("opened", "changed"):
                incident = _at_level(incident, decision, now)
        if incident.state != "open":
            incident = msgspec.structs.replace(incident, level_since=None)
        if incident.group is not None:
            incident = msgspec.structs.replace(incident, group=groups.alone(incident.group, incident))
        self._write_lead(connection, before, incident)

    def _lead_for(
        self, connection: Connection, incident: Incident, decision: Decision, tell: Change, now: float
    ) -> tuple[Incident | None, str | None]:
        """Who speaks for what is about to be told for the first time; and the key under which it may lead others."""
        if tell == "quiet":
            if not self._live:
                return None, None
            # What healed unseen belongs to those who would have been told that it failed.
            decision = self.decide(incident, "opened", now)
        key = groups.key_of(incident.finding, decision.route, decision.mute)
        lead_id = self._by_key.get(key or "")
        if lead_id is None or lead_id == incident.id or not groups.takes(self._live[lead_id], now):
            return None, key
        return self._rows.get(connection, lead_id), key

    def _join(
        self,
        connection: Connection,
        lead: Incident,
        before: Incident | None,
        incident: Incident,
        decision: Decision,
        tell: Change,
        now: float,
    ) -> Incident:
        assert lead.group is not None
        is_open = incident.state != "resolved"
        group = groups.joined(lead.group, is_open=is_open, now=now)
        incident = msgspec.structs.replace(incident, lead=lead.id, told_to=lead.told_to)
        if tell == "opened":
            if groups.louder(decision.level, lead.level):
                group = groups.freed(group)
                self._asked[lead.id] = now
            elif group.held_by is not None and is_open:
                incident = groups.as_held(incident, group)
            else:
                group = groups.growing(group, now)
            self._rows.write(connection, before, incident)
        self._account(connection, lead, group)
        return incident

    def _together(self, connection: Connection, before: Incident, incident: Incident, tell: Change | None, now: float) -> None:
        """News of one of a group: at once where it is louder than the group or its end, else with the group's next message."""
        lead = incident if incident.lead is None else self._rows.get(connection, incident.lead)
        assert lead is not None and lead.group is not None
        was, group = lead.group, groups.counted(lead.group, before, incident)
        if tell in ("opened", "changed") and group.open:
            freed = was.held_by is not None and before.state in QUIET and incident.state == "open"
            if freed or (was.open == 0 and group.open > 0) or groups.louder(self.decide(incident, tell, now).level, lead.level):
                by_act_or_time = freed and incident.finding == before.finding
                group = groups.freed(group, incident.done[-1] if by_act_or_time else "")
                self._asked[lead.id] = now
            else:
                group = groups.growing(group, now)
        elif group.open == 0 and was.open:
            self._asked[lead.id] = now
        if incident.lead is not None:
            self._rows.write(connection, before, incident)
            self._account(connection, lead, group)
        else:
            self._write_lead(connection, before, msgspec.structs.replace(incident, group=group))

    def _tell_group(self, connection: Connection, lead: Incident, asked: float | None) -> None:
        group = lead.group
        assert group is not None, "only groups are asked for"
        now = group.last_at if asked is None else asked
        face, rows = self._shown(connection, lead, now), self._fresh.get(lead.id)
        if rows is not None:
            # It was told as one a moment ago, and nobody has read that yet: it is told as the group that it has become.
            self._rewrite(connection, rows, Message(face, "opened"))
            decision = self.decide(face, "opened", now)
            more = tuple(name for name in decision.channels if name not in lead.told_to)
            face, _ = self._queue(connection, face, "opened", Decision(more), now)
            lead = _at_level(lead, decision, now)
        over = group.open == 0
        if over or rows is None:
            change: Change = "resolved" if over else "changed"
            decision = self.decide(face, change, now)
            face, _ = self._queue(connection, face, change, decision, now)
            quiet = over or group.held_by is not None
            lead = _at_level(msgspec.structs.replace(lead, told=lead.told + 1), decision, now)
            lead = msgspec.structs.replace(lead, level_since=None) if quiet else lead
        told = msgspec.structs.replace(lead, group=groups.told(group, opening=rows is not None), told_to=face.told_to)
        self._write_lead(connection, lead, told)

    def _shown(self, connection: Connection, lead: Incident, now: float) -> Incident:
        """As a message tells of it: a group with its members."""
        if lead.group is None or lead.group.size == 1:
            return lead
        members = self._rows.members(connection, lead.id)
        return groups.face_of(lead, members, lambda one: self.decide(one, "changed", now).level, now)

    def _queue(
        self, connection: Connection, incident: Incident, change: Change, decision: Decision, now: float
    ) -> tuple[Incident, list[int]]:
        """Queue what is told, and for the mute what it hides; the incident with who has been told of it, and the rows."""
        told = [name for name in self.channels if name in decision.channels]
        incident = msgspec.structs.replace(incident, told_to=tuple(dict.fromkeys((*incident.told_to, *told))))
        places = [(name, "queued") for name in told]
        if decision.mute is not None:
            places.append((mute_place(decision.mute), "muted"))
        return incident, post(connection, places, _encode(Message(incident, change)), now)

    def _rewrite(self, connection: Connection, rows: Sequence[int], message: Message) -> None:
        connection.execute(update(outbox).where(outbox.c.id.in_(rows), outbox.c.attempts == 0).values(value=_encode(message)))

    def _account(self, connection: Connection, lead: Incident, group: Group) -> None:
        grown = msgspec.structs.replace(lead, group=group)
        self._rows.account(connection, lead, grown)
        self._index(grown)

    def _write_lead(self, connection: Connection, before: Incident | None, lead: Incident) -> None:
        self._rows.write(connection, before, lead)
        self._index(lead)

    def _index(self, lead: Incident) -> None:
        group = lead.group
        if group is None:
            return
        if group.open == 0:
            self._live.pop(lead.id, None)
            if self._by_key.get(group.key) == lead.id:
                del self._by_key[group.key]
            return
        self._live[lead.id] = group
        other = self._live.get(self._by_key.get(group.key, ""))
        if other is None or other.last_at <= group.last_at:
            self._by_key[group.key] = lead.id

    def _load(self, connection: Connection) -> None:
        if self._loaded:
            return
        self._loaded = True
        known = self._rows.open(connection)
        for lead_id in dict.fromkeys(one.lead or one.id for one in known.values()):
            if (lead := self._rows.get(connection, lead_id)) is not None:
                self._index(lead)


def _at_level(incident: Incident, decision: Decision, now: float) -> Incident:
    """As it is told: where it grows louder, or is told anew, the time begins after which further people are told; not while it is hidden."""
    if _known_at(incident, decision.level):
        return incident
    since = now if decision.mute is None else None
    return msgspec.structs.replace(incident, level=decision.level, level_since=since, escalated=())


def _known_at(incident: Incident, level: Level) -> bool:
    """Whether people know that it is so loud, and since when nobody has it."""
    return incident.level == level and incident.level_since is not None


def post(connection: Connection, places: Sequence[tuple[str, str]], value: bytes, now: float) -> list[int]:
    """A row of the outbox for each (channel, state); their ids."""
    first = (connection.execute(select(func.max(outbox.c.id))).scalar() or 0) + 1
    rows = [
        {"id": first + place, "channel": name, "state": state, "created_at": now, "due_at": now, "attempts": 0, "value": value}
        for place, (name, state) in enumerate(places)
    ]
    if rows:
        connection.execute(insert(outbox), rows)
    return [first + place for place in range(len(rows))]
