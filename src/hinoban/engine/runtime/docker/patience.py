"""Waiting for Docker to answer again: tries without end, further and further apart."""

import asyncio
import itertools
from collections.abc import Iterator

from hinoban.base.clock import SECONDS
from hinoban.base.ids import Ids

_FIRST = 0.1 * SECONDS
_LONGEST = 5 * SECONDS


class Attempts:
    """The tries of one piece of work."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._failures = -1

    async def turn(self) -> None:
        """Return when it is time: the first at once, then after a wait that doubles up to five seconds, with jitter."""
        self._failures += 1
        if self._failures:
            # Docker lives in real time, whatever the engine's clock says.
            wait = min(_LONGEST, _FIRST * 2 ** min(self._failures - 1, 10))
            await asyncio.sleep(wait * (0.5 + self._ids.dice() / 2))

    def went_well(self) -> None:
        """What was done has made progress: the next wait is a short one again."""
        self._failures = 0


class Patience:
    """Hands out tries; each is begun by awaiting `turn`."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids

    def tries(self) -> Iterator[Attempts]:
        """One more, as often as asked."""
        return itertools.repeat(Attempts(self._ids))
