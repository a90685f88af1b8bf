"""What each detector needs to see, and whether it does: a table, and the rules by which evidence is there, has not come yet, or is lost. PURE."""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from hinoban.watch.places import Place
from hinoban.watch.schedules.model import Problem

Evidence = Literal["task_events", "launch_records", "service_events", "schedules", "log_lines"]
State = Literal["ok", "quiet", "blind"]
"""`ok`: it arrives. `quiet`: none has come yet, and nothing says that it should have. `blind`: it does not arrive."""

_TASKS: tuple[Evidence, ...] = ("task_events",)
_SERVICES: tuple[Evidence, ...] = ("service_events",)
_STARTS: tuple[Evidence, ...] = ("launch_records", "task_events")
_RUNS: tuple[Evidence, ...] = ("schedules", "launch_records")

NEEDS: Mapping[str, tuple[Evidence, ...]] = {
    "did_not_start": _STARTS,
    "failed_exit": _TASKS,
    "out_of_memory": _TASKS,
    "overdue": _TASKS,
    "missed_run": _RUNS,
    "dead_schedule": _RUNS,
    "schedule_changed": ("schedules",),
    "overlap": _TASKS,
    "delivery_failed": (),
    "policy_mismatch": (),
    "partly_started": ("launch_records",),
    "cannot_pull": _TASKS,
    "cannot_get_secret": _TASKS,
    "throttled": _STARTS,
    "spot_interrupted": _TASKS,
    "maintenance": _TASKS,
    "service_impaired": _SERVICES,
    "deployment_failed": _SERVICES,
    "rolled_back": _SERVICES,
    "crash_loop": _TASKS,
    "zero_running": _SERVICES,
    "not_steady": _SERVICES,
    "health_replacements": _TASKS,
    "launch_loop": ("launch_records",),
    "too_short": _TASKS,
    "stuck": _TASKS,
    "mute_ended": (),
    "silence": (),
    "blind": (),
    "watch_behind": (),
}
"""By detector. Nothing: it is told by our own engine, or by the watch itself."""

_OF_RIGHT: tuple[tuple[str, Evidence], ...] = (
    ("cloudtrail:", "launch_records"),
    ("logs:", "log_lines"),
    ("ecs:DescribeServices", "service_events"),
    ("ecs:ListServices", "service_events"),
    ("ecs:DescribeTasks", "task_events"),
    ("ecs:ListTasks", "task_events"),
    ("ecs:ListClusters", "task_events"),
    ("", "schedules"),
)
HINT = "hinoban aws policy --observe"
CREDENTIALS_HINT = "hinoban incidents"
"""What helps depends on whose they are: the incident says it."""

_BEST_FIRST = ("ok", "quiet", "blind")
_GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("exits", ("failed_exit",)),
    ("OOM", ("out_of_memory",)),
    ("pull", ("cannot_pull", "cannot_get_secret")),
    ("overdue", ("overdue",)),
    ("services", ("service_impaired", "deployment_failed", "rolled_back", "zero_running", "not_steady")),
    ("refused launches", ("did_not_start", "partly_started")),
    ("schedules", ("missed_run", "dead_schedule")),
)
"""How the detectors are called together on one line."""


class Seen(msgspec.Struct, frozen=True):
    """One kind of evidence, or one detector by all that it needs: `why` it is blind, `todo` what would help."""

    state: State
    why: str = ""
    todo: str = ""


class Signs(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the evidence in one place; what arrived and was counted is of all. Of tasks, those of no service that were created
    within a day and long enough ago for their records."""

    behind: str | None = None
    problems: Sequence[Problem] = ()
    arrived: frozenset[str] = frozenset()
    schedules: int = 0
    tasks: int = 0
    launches: int = 0


def evidence(signs: Signs) -> dict[Evidence, Seen]:
    """How each kind stands."""
    found: dict[Evidence, Seen] = {}
    for kind in ("task_events", "launch_records", "service_events", "schedules", "log_lines"):
        of_kind = [one for one in signs.problems if evidence_of(one.right) == kind and not one.subject]
        if kind not in ("schedules", "log_lines") and signs.behind is not None:
            found[kind] = Seen("blind", signs.behind)
        elif of_kind:
            found[kind] = Seen("blind", of_kind[0].words, todo_of(of_kind[0]))
        elif kind == "launch_records" and signs.tasks and not signs.launches:
            why = f"{signs.tasks} tasks were started within a day, and no record of a RunTask came: does a trail log?"
            found[kind] = Seen("blind", why, HINT)
        else:
            there = kind in signs.arrived or (kind == "schedules" and signs.schedules > 0)
            found[kind] = Seen("ok" if there else "quiet")
    return found


def todo_of(problem: Problem) -> str:
    """What would help; empty where only waiting does."""
    return CREDENTIALS_HINT if problem.of_credentials else HINT if problem.denied else ""


def evidence_of(right: str) -> Evidence:
    """What a right lets us see."""
    return next(kind for begin, kind in _OF_RIGHT if right.startswith(begin))


def detectors(seen: Mapping[Evidence, Seen]) -> dict[str, Seen]:
    """How each detector stands: as the worst of what it needs."""
    found: dict[str, Seen] = {}
    for name, needs in NEEDS.items():
        of_them = [seen[one] for one in needs]
        blind = next((one for one in of_them if one.state == "blind"), None)
        quiet = next((one for one in of_them if one.state == "quiet"), None)
        found[name] = blind or quiet or Seen("ok")
    return found


class Everywhere(msgspec.Struct, frozen=True):
    """One detector in all places: blind only where it is so in each; `blind` says where it is."""

    seen: Seen
    blind: Mapping[Place, Seen]


def everywhere(known: Mapping[Place, Mapping[str, Seen]]) -> dict[str, Everywhere]:
    """How each detector stands by how it stands in each place."""
    found: dict[str, Everywhere] = {}
    for name in NEEDS:
        of_it = {place: seen[name] for place, seen in known.items()}
        best = min(of_it.values(), key=lambda one: _BEST_FIRST.index(one.state))
        found[name] = Everywhere(best, {place: one for place, one in of_it.items() if one.state == "blind"})
    return found


def blind_lines(known: Mapping[Place, Mapping[Evidence, Seen]]) -> list[str]:
    """What cannot be seen, a line each; where that is not so of all places alike, with the account and its regions."""
    lines: dict[tuple[Evidence, str | None, str, str], list[str]] = {}
    for kind in ("task_events", "launch_records", "service_events", "schedules", "log_lines"):
        alike = len({(one[kind].state, one[kind].why) for one in known.values()}) == 1
        for place, seen in known.items():
            if (one := seen[kind]).state == "blind":
                why = one.why if alike else one.why.removesuffix(f" in {place.region}")
                lines.setdefault((kind, None if alike else place.account, why, one.todo), []).append(str(place.region))
    return [
        line(kind if account is None else f"{kind} of {account} in {', '.join(regions)}", why, todo)
        for (kind, account, why, todo), regions in lines.items()
    ]


def line(what: str, why: str, todo: str) -> str:
    """One thing that cannot be seen."""
    return f"{what.replace('_', ' ')}: {why}" + (f" → {todo}" if todo else "")


def in_words(seen: Mapping[str, Seen], schedules: str) -> tuple[list[str], list[str]]:
    """What is seen, and what is not, in a few words each; `schedules` is how those are called, e.g. `59 of 63 schedules`."""
    sees: list[str] = []
    blind: list[str] = []
    for words, names in _GROUPS:
        said = schedules if words == "schedules" else words
        (blind if all(seen[name].state == "blind" for name in names) else sees).append(said)
    return sees, blind
