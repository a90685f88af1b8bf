"""Memory limits kept by looking: where no cgroup can be written, process trees are measured and killed. Standard library only."""

import time
from collections.abc import Iterable
from typing import Protocol

from hinoban.engine.runtime.process import procfs

CALM, NEAR = 0.1, 0.02
_NEAR_SHARE = 0.6
_BUSY_SHARE = 5


class Sampled(Protocol):
    """What sampling needs to know of a running container; limits in bytes."""

    pid: int
    task: str
    memory: int | None
    task_memory: int | None


def measure(containers: Iterable[Sampled]) -> tuple[list[Sampled], float]:
    """Who is over a limit, and in how many seconds to look again: sooner when someone is near, later when looking is dear.

    A task over its limit loses its largest container.
    """
    began = time.monotonic()
    over: list[Sampled] = []
    wait = CALM
    tasks: dict[str, list[tuple[int, Sampled]]] = {}
    for each in containers:
        if each.memory is None and each.task_memory is None:
            continue
        pids = procfs.tree(each.pid)
        used = sum(map(procfs.rss, pids))
        if each.memory is not None and used > each.memory * _NEAR_SHARE:
            wait = NEAR
            if used > each.memory and sum(map(procfs.pss, pids)) > each.memory:
                over.append(each)
                continue
        if each.task_memory is not None:
            tasks.setdefault(each.task, []).append((used, each))
    for shares in tasks.values():
        limit, used = shares[0][1].task_memory, sum(share for share, _ in shares)
        if limit is not None and used > limit * _NEAR_SHARE:
            wait = NEAR
            if used > limit and sum(procfs.pss(pid) for _, each in shares for pid in procfs.tree(each.pid)) > limit:
                over.append(max(shares, key=lambda share: share[0])[1])
    return over, max(wait, _BUSY_SHARE * (time.monotonic() - began))
