"""Which incidents are told as one: those of one cause, for the same people, each within ten minutes of the one before. Pure.

Incidents stay one a run; a group is only how they are told. The first is told at once and leads. Growth is told together, ever more
rarely. `history/telling.py` carries it out.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import msgspec

from hinoban.base.clock import MINUTES, SECONDS
from hinoban.watch.config import Level
from hinoban.watch.explain.catalogue import kind_of
from hinoban.watch.group_row import Group, Shown
from hinoban.watch.incident_states import QUIET
from hinoban.watch.incidents import RUNNING_OUTCOMES
from hinoban.watch.kinds import DID_NOT_RUN, about_no_run
from hinoban.watch.model import Finding, Incident

WINDOW = 10 * MINUTES
FIRST_WAIT, LONGEST_WAIT = 30 * SECONDS, 15 * MINUTES
NAMES_MOST, ENDS_MOST = 5, 3

ACCOUNT_WIDE = frozenset({"capacity", "throttling", "platform", "spot"})
"""Classes of the catalogue whose cause lies with AWS: whatever ran into it in the account and region has the same cause."""
OF_CLUSTER = frozenset({"resource_short", "placement_resource", "no_active_instances", "empty_capacity_provider"})
"""Of those, what is short in one cluster only."""

_LOUDNESS: dict[Level | None, int] = {None: 0, "digest": 1, "ticket": 2, "page": 3}
_ARN = re.compile(r"arn:aws[\w-]*:[^\s,;)\]\"']+")
_ID = re.compile(r"\b(?=[0-9a-f-]*\d)[0-9a-f][0-9a-f-]{7,}\b|\b(?:i|eni|subnet|sg|fs|ecs-svc)[-/][0-9a-z]+\b", re.IGNORECASE)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*")
_ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b(?::\d+)?")


def louder(one: Level | None, other: Level | None) -> bool:
    """Whether `one` wakes more people than `other`."""
    return _LOUDNESS[one] > _LOUDNESS[other]


def key_of(finding: Finding, route: Sequence[str], mute: str | None) -> str | None:
    """What findings that are told as one have in common: who is told, and the cause. None of what is about no run: it is told alone."""
    if about_no_run(finding):
        return None
    people = ",".join(route) + (f" (muted: {mute})" if mute is not None else "")
    return "\n".join((people, finding.account, finding.region, *_cause(finding)))


def _cause(finding: Finding) -> tuple[str, ...]:
    code = finding.explanation.code
    if finding.detector == "missed_run":
        return (code,)
    if finding.detector in ("spot_interrupted", "maintenance") or kind_of(code) in ACCOUNT_WIDE:
        return (finding.cluster, code) if code in OF_CLUSTER else (code,)
    return (finding.cluster, finding.family, finding.detector, code, *map(without_ids, finding.explanation.said))


def without_ids(said: str) -> str:
    """AWS's words without what differs from task to task: ARNs, ids, moments, addresses. An image's name and tag stay."""
    for each, instead in ((_ARN, "<arn>"), (_MOMENT, "<moment>"), (_ADDRESS, "<address>"), (_ID, "<id>")):
        said = each.sub(instead, said)
    return said


def founded(key: str, now: float) -> Group:
    """The group that an incident leads as it is told: so far of itself."""
    return Group(key=key, last_at=now)


def takes(group: Group, now: float) -> bool:
    """Whether what fails now belongs to it still."""
    return group.open > 0 and now - group.last_at <= WINDOW


def joined(group: Group, *, is_open: bool, now: float) -> Group:
    """With one member more."""
    return msgspec.structs.replace(group, size=group.size + 1, open=group.open + is_open, last_at=max(group.last_at, now))


def counted(group: Group, before: Incident, after: Incident) -> Group:
    """As a member was, and is now."""
    moved = (after.state != "resolved") - (before.state != "resolved")
    return msgspec.structs.replace(group, open=group.open + moved) if moved else group


def alone(group: Group, incident: Incident) -> Group:
    """A group of its lead only: what holds of the lead holds of it."""
    group = msgspec.structs.replace(group, open=int(incident.state != "resolved"))
    if incident.state in QUIET:
        return held(group, incident.acknowledged_by or "unknown", incident.acknowledged_until, snoozed=incident.state == "snoozed")
    return freed(group)


def held(group: Group, by: str, until: float | None, *, snoozed: bool) -> Group:
    """Quiet as a whole."""
    return msgspec.structs.replace(group, held_by=by, held_until=until, snoozed=snoozed, grow_at=None)


def freed(group: Group, why: str = "") -> Group:
    """Told again; `why` is a sentence where it does not go without saying."""
    return msgspec.structs.replace(group, held_by=None, held_until=None, snoozed=False, freed=why)


def growing(group: Group, now: float) -> Group:
    """There is news, to be told together with what follows soon: 30 s after the first, then ever more rarely. Quiet ones wait."""
    if group.grow_at is not None or group.held_by is not None:
        return group
    return msgspec.structs.replace(group, grow_at=now + min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(group.waits, 10)))


def told(group: Group, *, opening: bool = False) -> Group:
    """People know it as it is. What is told as it opens is no growth yet; its end says how many were open before."""
    return msgspec.structs.replace(
        group, grow_at=None, told_open=group.open or group.told_open, waits=group.waits + (not opening), freed="", shown=None
    )


def as_held(incident: Incident, group: Group) -> Incident:
    """A member that joins a quiet group is quiet with it."""
    state = "snoozed" if group.snoozed else "acknowledged"
    return msgspec.structs.replace(incident, state=state, acknowledged_by=group.held_by, acknowledged_until=group.held_until)


def face_of(lead: Incident, members: Sequence[Incident], level_of: Callable[[Incident], Level], now: float) -> Incident:
    """The lead as a message tells of its whole group: its id, with the words of the loudest that is open, and the members counted."""
    group = lead.group
    assert group is not None
    everyone = (lead, *members)
    still = [one for one in everyone if one.state != "resolved"]
    face = max(still, key=lambda one: (_LOUDNESS[level_of(one)], not _under_way(one), one.id == lead.id), default=lead)
    ends = [one.resolved_at for one in everyone if one.resolved_at is not None]
    over = not still
    return msgspec.structs.replace(
        face,
        id=lead.id,
        subject=lead.subject,
        state="resolved" if over else "open" if group.held_by is None else "snoozed" if group.snoozed else "acknowledged",
        opened_at=lead.opened_at,
        changed_at=now,
        resolved_at=max(ends, default=None) if over else None,
        acknowledged_by=group.held_by,
        acknowledged_until=group.held_until,
        told=lead.told,
        told_to=lead.told_to,
        lead=None,
        level=lead.level,
        level_since=lead.level_since,
        escalated=lead.escalated,
        group=msgspec.structs.replace(group, shown=shown(group, everyone, face.id)),
    )


def shown(group: Group, everyone: Sequence[Incident], face: str) -> Shown:
    """The members, counted."""
    still = [one for one in everyone if one.state != "resolved"]
    lost = [one for one in still if not _under_way(one)]
    ended = [one for one in everyone if one.state == "resolved"]
    recovered = sum(1 for one in ended if one.verdict == "RECOVERED")
    made_up = [one for one in ended if one.verdict != "RECOVERED" and (one.made_up or one.verdict == "RAN")]
    others = [one for one in ended if one.verdict != "RECOVERED" and one not in made_up]
    ends = sorted(one.resolved_at or 0.0 for one in ended)
    meant = lost or still or list(everyone)
    due = {one.finding.facts.get("due_at") for one in meant}
    tries = [max((attempt.number for attempt in one.attempts), default=1) for one in lost] or [1]
    return Shown(
        total=len(everyone),
        lost=len(lost),
        trying=len(still) - len(lost),
        recovered=recovered,
        ran=len(made_up),
        ended=len(others),
        ends=tuple(dict.fromkeys(one.done[-1] for one in others if one.done))[:ENDS_MOST],
        face=face,
        phrases=_counted("" if one.finding.detector in DID_NOT_RUN else one.verdict for one in lost),
        names=_counted(_name(one) for one in meant)[:NAMES_MOST],
        scheduled=all(is_scheduled(one.finding) for one in everyone),
        due_at=due.pop() if len(due) == 1 else None,
        attempts=(min(tries), max(tries)),
        gave_up_at=max((one.changed_at for one in lost), default=None) if min(tries) > 1 else None,
        ended_at=ends[-1] if ends else None,
        ended_from=ends[-group.told_open :][0] if ends else None,
        since_told=group.told_open,
    )


def is_scheduled(finding: Finding) -> bool:
    """Whether it is a run of a schedule."""
    return finding.facts.get("due_at") is not None or (finding.started_by or "").startswith(("events-rule/", "chronos-schedule/"))


def _counted(words: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """The most frequent first, in whatever order they came."""
    return tuple(sorted(Counter(words).items(), key=lambda pair: (-pair[1], pair[0])))


def _under_way(incident: Incident) -> bool:
    return any(attempt.number > 1 and attempt.outcome in ("waiting", *RUNNING_OUTCOMES) for attempt in incident.attempts)


def _name(incident: Incident) -> str:
    finding = incident.finding
    return f"{finding.family}:{finding.revision}" if finding.family and finding.revision is not None else finding.family or "unknown family"
