"""What happened to a schedule between two readings, in one plain sentence. PURE."""

from hinoban.base.units import format_duration, iso_seconds
from hinoban.watch.schedules.expected import in_words
from hinoban.watch.schedules.model import Change, Schedule, What


def changes(before: Schedule | None, after: Schedule | None) -> Change | None:
    """What changed of one schedule (one `key`); None for nothing that concerns its runs. A new one is no change: nobody relied on it."""
    if before is None:
        return None
    if after is None:
        was = "" if before.enabled else ", disabled before"
        return _change(before, [("deleted", f"was deleted ({in_words(before)}, {before.job}{was})")])
    found: list[tuple[What, str]] = []
    if before.enabled and not after.enabled:
        found.append(("disabled", "was disabled"))
    if after.enabled and not before.enabled:
        found.append(("enabled", "was enabled"))
    if moved := _targets(before, after):
        found.append(("retargeted", f"now starts {' and '.join(moved)}"))
    if timed := _times(before, after):
        found.append(("rescheduled", f"now runs {' and '.join(timed)}"))
    return _change(after, found) if found else None


def _change(schedule: Schedule, found: list[tuple[What, str]]) -> Change:
    said = "; ".join(text for _, text in found)
    kind = "rule" if schedule.kind == "rule" else "schedule"
    return Change(key=schedule.key, name=schedule.name, what=tuple(what for what, _ in found), sentence=f"{kind} {schedule.name} {said}")


def _targets(before: Schedule, after: Schedule) -> list[str]:
    found = []
    if before.job != after.job:
        found.append(f"{after.job} instead of {before.job}")
    if before.cluster != after.cluster:
        found.append(f"on cluster {after.cluster} instead of {before.cluster}")
    if before.count != after.count:
        found.append(f"{after.count} {'task' if after.count == 1 else 'tasks'} instead of {before.count}")
    return found


def _times(before: Schedule, after: Schedule) -> list[str]:
    found = []
    if (before.expression, before.timezone) != (after.expression, after.timezone):
        now, then = in_words(after), in_words(before)
        if before.timezone != after.timezone or now == then:
            now, then = f"{now} {after.timezone}", f"{then} {before.timezone}"
        if now == then:
            now, then = after.expression, before.expression
        found.append(f"{now} instead of {then}")
    if before.window_seconds != after.window_seconds:
        found.append(f"within {_window(after)} instead of {_window(before)}")
    if before.start != after.start:
        found.append(f"from {_date(after.start)} on instead of {_date(before.start)}")
    if before.end != after.end:
        found.append(f"until {_date(after.end)} instead of {_date(before.end)}")
    return found


def _window(schedule: Schedule) -> str:
    return format_duration(schedule.window_seconds) if schedule.window_seconds else "no window"


def _date(moment: float | None) -> str:
    return "no date" if moment is None else iso_seconds(moment)
