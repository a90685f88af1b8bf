"""PURE: events of many blocks in their order, loading a block only when its turn has come.

Order is timestamp, then ingestion, then stream, then the order of writing (facts/logs.md §§2, 3).
"""

import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from hinoban.engine.logs.records import Record


class Source(NamedTuple):
    """A block that may be asked for: the stream it belongs to, its time span, and how to load it."""

    stream: str
    oldest: int
    newest: int
    load: Callable[[], list[Record]]


Key = tuple[int, int, str, int]


def ascending(sources: Iterable[Source]) -> Iterator[tuple[Key, Record]]:
    """Every event, oldest first, with its place in the order."""
    waiting = sorted(sources, key=lambda source: source.oldest, reverse=True)
    heap: list[tuple[Key, Record]] = []
    while waiting or heap:
        while waiting and (not heap or waiting[-1].oldest <= heap[0][0][0]):
            source = waiting.pop()
            heap.extend(((record.timestamp, record.ingestion, source.stream, record.seq), record) for record in source.load())
            heapq.heapify(heap)
        if heap:
            yield heapq.heappop(heap)


def descending(sources: Iterable[Source]) -> Iterator[Record]:
    """Every event of one stream, newest first."""
    waiting = sorted(sources, key=lambda source: source.newest)
    heap: list[tuple[int, int, Record]] = []
    while waiting or heap:
        while waiting and (not heap or waiting[-1].newest >= -heap[0][0]):
            heap.extend((-record.timestamp, -record.seq, record) for record in waiting.pop().load())
            heapq.heapify(heap)
        if heap:
            yield heapq.heappop(heap)[2]
