"""Which exit code stands for a task of several containers. Neither events nor DescribeTasks say which container ended first.

Follows facts/ecs.md §2.4: what ended because the task ended was stopped, and has 143, or 137 where it did not listen.
"""

from collections.abc import Iterable, Mapping
from typing import Any

KILLED, TERMINATED = 137, 143


def deciding_exit(containers: Iterable[Mapping[str, Any]]) -> int | None:
    """The code of the container that ended the task, of its essential ones as the API describes them; None where no code is known.

    An error of a program's own (neither 0, 137 nor 143) decides, then a container that ran out of memory, then one that ended well.
    Where all were killed or stopped, the kill comes first: it is what the others were stopped for.
    """
    ended = [one for one in containers if isinstance(one.get("exitCode"), int)]
    codes = [int(one["exitCode"]) for one in ended]
    own = [code for code in codes if code not in (0, KILLED, TERMINATED)]
    own += [int(one["exitCode"]) for one in ended if str(one.get("reason") or "").startswith("OutOfMemoryError")]
    return next((code for code in (*own, 0, KILLED, TERMINATED) if code in codes), None)
