"""The newest reads (Describe, List, Get ...), in memory: LookupEvents shows them, the journal does not keep them.

Their records are made when somebody asks, so that a read costs what a line in a queue costs. After a restart they are gone.
"""

from collections import deque
from collections.abc import Iterator
from itertools import islice

import msgspec

from hinoban.aws.call import Call, Params
from hinoban.base.ids import Ids

MOST = 10_000
# Of the texts of a read's parameters (an event to be tested, a token); beyond it they are left out, as AWS leaves out what has 100 KB.
LONGEST_TEXTS = 8192


class Read(msgspec.Struct, kw_only=True):
    """One successful read. `behind` is the journal's number at that moment; the ids are drawn when the record is first asked for."""

    number: int
    at: float
    behind: int
    call: Call
    params: Params | None
    event_id: str = ""
    envelope_id: str = ""


class Ring:
    """Keeps `most` reads; an older one makes room for a newer."""

    def __init__(self, ids: Ids, most: int = MOST) -> None:
        self._ids = ids
        self._reads: deque[Read] = deque(maxlen=most)
        self.last = 0

    def add(self, call: Call, params: Params | None, behind: int) -> None:
        """Remember a read that was answered. Differs from AWS: parameters of more than 8 KB are left out of its record, there of 100 KB."""
        if params is not None and sum(len(value) for value in params.values() if isinstance(value, str)) > LONGEST_TEXTS:
            params = None
        self.last += 1
        self._reads.append(Read(number=self.last, at=call.now, behind=behind, call=call, params=params))

    def newest_first(self) -> Iterator[Read]:
        """Every read that is kept."""
        return reversed(self._reads)

    def after(self, number: int, limit: int) -> list[Read]:
        """The reads behind `number` that are kept, oldest first, `limit` at the most."""
        start = max(0, len(self._reads) - (self.last - number))
        return list(islice(self._reads, start, start + limit))

    def envelope_ids(self, read: Read) -> tuple[str, str]:
        """The record's eventID and its envelope's id, the same whenever they are asked for."""
        if not read.event_id:
            read.event_id, read.envelope_id = self._ids.uuid(), self._ids.uuid()
        return (read.event_id, read.envelope_id)

    def clear(self) -> None:
        self._reads.clear()
