"""The detectors with a memory, as one table: what each is fed with, where its state belongs, and when time alone makes it speak. Pure.

Whoever wires them keeps one row per (detector, key): hands in what is seen in the transaction that remembers it, stores the new state,
deletes the row of a state that equals a new one, and asks at `due`. The states are msgspec structs: JSON in a row, and back.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from hinoban.watch.detect import (
    blind,
    crash_loop,
    health_replacements,
    launch_loop,
    not_steady,
    silence,
    too_short,
    watch_behind,
    zero_running,
)
from hinoban.watch.detect.services import Told
from hinoban.watch.detect.sight import Heard, Lag, Tried
from hinoban.watch.model import Detector, Launch, TaskChange
from hinoban.watch.service_model import DeploymentChange, ServiceAction, ServiceReading


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """One detector: what it is fed with, its state, and its four functions."""

    feeds: tuple[type, ...]
    state: type[Any]
    """`state()` is what a new key begins with."""
    key_of: Callable[[Any], str | None]
    """The row's key; None: this says nothing to the detector."""
    seen: Callable[..., tuple[Any, tuple[Told, ...]]]
    """Of its state and what it is fed with; `crash_loop` is also told after how many ends it is one."""
    asked: Callable[[Any, float], tuple[Any, tuple[Told, ...]]]
    due: Callable[[Any], float | None]


def _memory(module: Any, state: type[Any], *feeds: type) -> Memory:
    return Memory(feeds=feeds, state=state, key_of=module.key_of, seen=module.seen, asked=module.asked, due=module.due)


MEMORIES: Mapping[Detector, Memory] = {
    "crash_loop": _memory(crash_loop, crash_loop.Crashes, TaskChange, DeploymentChange),
    "health_replacements": _memory(health_replacements, health_replacements.Replacements, TaskChange),
    "too_short": _memory(too_short, too_short.Lengths, TaskChange),
    "launch_loop": _memory(launch_loop, launch_loop.Refusals, Launch),
    "zero_running": _memory(zero_running, zero_running.Zero, ServiceReading),
    "not_steady": _memory(not_steady, not_steady.Steadiness, ServiceAction, DeploymentChange, ServiceReading),
    "silence": _memory(silence, silence.Rhythm, Heard),
    "blind": _memory(blind, blind.Sight, Tried),
    "watch_behind": _memory(watch_behind, watch_behind.Lateness, Lag),
}


def fed_by(observation: Any) -> list[tuple[Detector, str]]:
    """The detectors that this says something to, each with the key of its row."""
    return [
        (name, key)
        for name, memory in MEMORIES.items()
        if isinstance(observation, memory.feeds) and (key := memory.key_of(observation)) is not None
    ]
