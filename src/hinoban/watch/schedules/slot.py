"""One due run of a schedule, followed from hop to hop: enabled, fired, RunTask, task, exit. PURE.

A hop without evidence reads `unknown`. Late evidence changes what a slot says, never which slot it is.
"""

from typing import Any, Literal

import msgspec

from hinoban.base.units import iso_seconds
from hinoban.watch.schedules.expected import due_by
from hinoban.watch.schedules.model import Kind, Schedule

Hop = Literal["ok", "NO", "unknown", "–"]
State = Literal["waiting", "launched", "running", "done", "failed", "refused", "missed", "recovered", "stopped", "unknown"]
"""`waiting` until its launch is seen; `done`, `failed`, `stopped` are how its tasks ended; `recovered`: a later attempt ended well."""

LOST = ("failed", "refused", "missed", "stopped", "unknown")
"""The states of a run that did not end well, or of which nobody knows."""


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """A slot of one ECS target. `tasks` maps its tasks' ARNs to how each stands: `launched`, `running`, `exit 0`, `exit 3` ..."""

    key: str
    at: float
    name: str
    kind: Kind
    arn: str
    region: str
    account: str
    cluster: str
    family: str = ""
    revision: int | None = None
    expression: str = ""
    timezone: str = "UTC"
    due_by: float
    count: int = 1
    token: str | None = None
    fired: Hop = "unknown"
    reason: str = ""
    """Why it was not fired, in the engine's words."""
    runtask: Hop = "unknown"
    launch_id: str | None = None
    tasks: dict[str, str] = {}
    state: State = "waiting"
    incident_id: str | None = None
    ambiguous: tuple[str, ...] = ()
    """The names of all schedules it may be of, where AWS's startedBy does not tell."""

    @property
    def subject(self) -> str:
        """What names its incident for good."""
        return f"slot:{self.key}:{iso_seconds(self.at)}"

    @property
    def open(self) -> bool:
        """Whether more evidence is to come by itself."""
        return self.state in ("waiting", "launched", "running")

    @property
    def job(self) -> str:
        return f"{self.family}:{self.revision}" if self.revision is not None else self.family or self.name


def due(schedule: Schedule, at: float) -> Slot:
    """The slot that `schedule` owes at `at`; nothing is known of it yet."""
    return Slot(
        key=schedule.key,
        at=at,
        name=schedule.name,
        kind=schedule.kind,
        arn=schedule.arn,
        region=schedule.region,
        account=schedule.account,
        cluster=schedule.cluster,
        family=schedule.family,
        revision=schedule.revision,
        expression=schedule.expression,
        timezone=schedule.timezone,
        due_by=due_by(at, schedule.window_seconds),
        count=schedule.count,
    )


def fired(slot: Slot, token: str | None) -> Slot:
    """The engine says that it fired."""
    return msgspec.structs.replace(slot, fired="ok", token=token or slot.token)


def missed(slot: Slot, reason: str) -> Slot:
    """The engine says that it will not fire; nothing changes where a launch was seen."""
    if slot.runtask != "unknown":
        return slot
    return msgspec.structs.replace(slot, fired="NO", runtask="–", reason=reason, state="missed")


def launched(slot: Slot, launch_id: str, task_arns: tuple[str, ...], refused: int) -> Slot:
    """A RunTask of this slot was seen: in part or in whole refused, or not."""
    tasks = {**dict.fromkeys(task_arns, "launched"), **slot.tasks}
    state: State = slot.state if slot.state == "recovered" else "launched" if tasks else "refused"
    seen = msgspec.structs.replace(slot, fired="ok", runtask="ok" if not refused else "NO", launch_id=launch_id, tasks=tasks)
    return _settled(seen, state)


def without_task(slot: Slot, arn: str) -> Slot:
    """One of its tasks turned out to run for another slot: it stands as if that had never been seen."""
    tasks = {one: standing for one, standing in slot.tasks.items() if one != arn}
    if tasks or slot.launch_id is not None:
        return _settled(msgspec.structs.replace(slot, tasks=tasks), slot.state if slot.state in ("refused", "recovered") else "launched")
    return msgspec.structs.replace(slot, tasks={}, runtask="unknown", fired="ok" if slot.token else "unknown", state="waiting")


def with_task(slot: Slot, arn: str, standing: str) -> Slot:
    """News of one of its tasks; `standing` as in `tasks`."""
    tasks = {**slot.tasks, arn: standing}
    runtask = slot.runtask if slot.runtask == "NO" else "ok"
    state: State = slot.state if slot.state == "recovered" else "launched"
    # A run of ours, or by hand, takes nothing back of a slot that did not fire.
    fired_then: Hop = slot.fired if slot.fired == "NO" else "ok"
    return _settled(msgspec.structs.replace(slot, fired=fired_then, runtask=runtask, tasks=tasks), state)


def _settled(slot: Slot, state: State) -> Slot:
    """How a launched slot stands by its tasks; any other state stays. One that got fewer tasks than it asked for did not end well."""
    if state == "launched" and slot.tasks:
        standings = set(slot.tasks.values())
        good = sum(1 for standing in slot.tasks.values() if standing == "exit 0")
        if standings & {"running", "launched"}:
            state = "running" if "running" in standings else "launched"
        elif standings == {"exit 0"}:
            state = "refused" if slot.runtask == "NO" and good < slot.count else "done"
        else:
            state = "stopped" if standings <= {"exit 0", "stopped"} else "failed"
    elif state == "launched":
        state = "refused" if slot.runtask == "NO" else "waiting"
    return msgspec.structs.replace(slot, state=state)


def overdue(slot: Slot, now: float) -> bool:
    """Whether its launch should have been seen by now."""
    return slot.state == "waiting" and now >= slot.due_by


def hops(slot: Slot) -> dict[str, str]:
    """The hops as people read them; `enabled` is known, as only enabled schedules owe slots."""
    arns = list(slot.tasks)
    task = ", ".join(arn.rpartition("/")[2][:8] for arn in arns[:3]) + (" ..." if len(arns) > 3 else "")
    ends = ", ".join(sorted({_exit(standing) for standing in slot.tasks.values()}))
    nothing = "unknown" if slot.runtask == "unknown" else "–"
    return {
        "enabled": "ok",
        "fired": slot.fired,
        "RunTask": "REFUSED" if slot.runtask == "NO" else slot.runtask,
        "task": task or nothing,
        "exit": ends or nothing,
    }


def hops_line(found: dict[str, Any]) -> str:
    """`enabled ok · fired ok · RunTask REFUSED · task – · exit –`."""
    return " · ".join(f"{name} {value}" for name, value in found.items())


def _exit(standing: str) -> str:
    if standing in ("launched", "running"):
        return "–"
    return standing.removeprefix("exit ")
