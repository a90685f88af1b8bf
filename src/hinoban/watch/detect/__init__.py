"""Finds what went wrong: a pure function per detector, each in its own file. Which findings become one incident is `incidents`' matter."""

from collections.abc import Callable, Mapping

from hinoban.watch.detect.did_not_start import did_not_start
from hinoban.watch.detect.failed_exit import failed_exit
from hinoban.watch.detect.judge import is_failure
from hinoban.watch.detect.order import OF_TASKS
from hinoban.watch.detect.out_of_memory import out_of_memory
from hinoban.watch.detect.overdue import overdue
from hinoban.watch.detect.stuck import stuck
from hinoban.watch.model import Detector, Finding, Observation, TaskChange

BY_EVENT: Mapping[Detector, Callable[[Observation], Finding | None]] = OF_TASKS
"""The built-in detectors that an event wakes, in order of precedence: the first that finds something has found the whole of it."""


def findings(observation: Observation, now: float) -> tuple[Finding, ...]:
    """What this observation shows to be wrong at `now`; at most one finding, as one task fails in one way. `overdue` and `stuck` are asked by
    time."""
    if isinstance(observation, TaskChange) and not is_failure(observation):
        return ()  # none of them would find anything, and most tasks end well
    found = (detector(observation) for detector in BY_EVENT.values())
    return next(((finding,) for finding in found if finding is not None), ())


__all__ = [
    "BY_EVENT",
    "did_not_start",
    "failed_exit",
    "findings",
    "out_of_memory",
    "overdue",
    "stuck",
]
