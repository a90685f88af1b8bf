"""How long after it happened each source brought what it brought: the last hour's, in buckets of a tenth, so that memory stays flat."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any, Literal

from hinoban.base.clock import HOURS, MINUTES
from hinoban.watch.model import Doing, Launch, TaskChange
from hinoban.watch.service_model import ServiceNews
from hinoban.watch.sources.source import before

Kind = Literal["events", "cloudtrail"]
KEPT = 1 * HOURS
_SLICE = 1 * MINUTES
_LEAST, _GROWTH = 0.01, 1.1
_LOG = math.log(_GROWTH)


class Delays:
    """By source and kind: events come by themselves, records come by way of CloudTrail, which is minutes late."""

    def __init__(self) -> None:
        self._slices: dict[tuple[str, Kind], dict[int, Counter[int]]] = {}
        self._attached: dict[str, float] = {}
        self.arrived: dict[str, float] = {}
        """When task events, launch records and news of services were last brought by anybody."""

    def attached(self, source: str, now: float) -> None:
        """From now on it is looked at: how old is what it brings of before says nothing of how late it is."""
        self._attached[source] = now

    def note(self, source: str, seen: Iterable[Any], now: float) -> None:
        """What is new of a batch."""
        for change in seen:
            if isinstance(change, TaskChange):
                self._add(source, "events", change.at, now)
                self.arrived["task_events"] = now
            elif isinstance(change, Launch | Doing):
                self._add(source, "cloudtrail", change.at, now)
                self.arrived["launch_records"] = now
            elif isinstance(change, ServiceNews):
                self._add(source, "events", change.at, now)
                self.arrived["service_events"] = now

    def _add(self, source: str, kind: Kind, at: float, now: float) -> None:
        if before(at, self._attached.get(source, at)):
            return
        slices = self._slices.setdefault((source, kind), {})
        place = int(now // _SLICE)
        if place not in slices:
            oldest = int((now - KEPT) // _SLICE)
            for old in [one for one in slices if one < oldest]:
                del slices[old]
            slices[place] = Counter()
        slices[place][_bucket(now - at)] += 1

    def of(self, source: str, now: float) -> dict[str, dict[str, float]]:
        """`{"events": {"count", "p50", "p95"}, "cloudtrail": {...}}` of the last hour, seconds; a kind that brought nothing is left out."""
        found: dict[str, dict[str, float]] = {}
        for (name, kind), slices in self._slices.items():
            oldest = int((now - KEPT) // _SLICE)
            together: Counter[int] = Counter()
            for place, counted in slices.items():
                if name == source and place >= oldest:
                    together.update(counted)
            if together:
                found[kind] = {"count": together.total(), "p50": _quantile(together, 0.5), "p95": _quantile(together, 0.95)}
        return found


def _bucket(delay: float) -> int:
    return max(0, math.ceil(math.log(max(delay, _LEAST) / _LEAST) / _LOG))


def _quantile(counted: Counter[int], share: float) -> float:
    """The upper edge of the bucket that holds it: no more than a tenth too much."""
    wanted, passed = math.ceil(counted.total() * share), 0
    for bucket in sorted(counted):
        passed += counted[bucket]
        if passed >= wanted:
            break
    return round(_LEAST * _GROWTH**bucket, 3)
