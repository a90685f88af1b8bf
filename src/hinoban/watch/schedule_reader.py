"""Keeps the ledger's schedules as AWS has them, and lets what is due come due. One loop."""

import logging
from collections.abc import Callable

from hinoban.aws.client import EndpointUnreachable
from hinoban.base.clock import HOURS, MINUTES, SECONDS, Clock
from hinoban.watch.pipeline import Pipeline
from hinoban.watch.schedules.inventory import Inventory
from hinoban.watch.schedules.model import Problem, Snapshot

READ_AGAIN = 10 * MINUTES
"""How often every schedule is read anew; one that a record names is read at once."""
READ_SOON = 5 * SECONDS
"""After a reading that could not be made, or not in whole."""
TRIM_AGAIN = 1 * HOURS
"""How often what nobody needs any more is forgotten."""
log = logging.getLogger(__name__)


class ScheduleReader:
    """`behind` says why the feed is not complete (None: it is): a run is given up for lost only while it is."""

    def __init__(self, pipeline: Pipeline, inventory: Inventory, region: str, clock: Clock, *, behind: Callable[[], str | None]) -> None:
        self._pipeline = pipeline
        self._inventory = inventory
        self._regions = {region}
        self._clock = clock
        self._behind = behind
        self._read_at: float | None = None
        self._trimmed_at = float("-inf")
        self.not_watched: dict[str, int] = {}
        self.problems: tuple[Problem, ...] = ()

    async def step(self, now: float) -> float | None:
        """Read what has changed, or everything where that is due; then see to the slots. The moment to come again."""
        try:
            await self._read(now)
        except EndpointUnreachable as error:
            log.info("schedules: %s", error)
            self._read_at = now - READ_AGAIN + READ_SOON
        now = self._clock.now()
        due = self._pipeline.expect(now, sure=self._behind() is None)
        if now >= self._trimmed_at + TRIM_AGAIN:
            self._pipeline.trim(now)
            self._trimmed_at = now
        following = (self._read_at or now) + READ_AGAIN
        if self._behind() is not None:
            following = min(following, now + READ_SOON)
        return max(min(due, following) if due is not None else following, now + 0.05)

    async def _read(self, now: float) -> None:
        asked, self._pipeline.asked = self._pipeline.asked, set()
        new = {region for region, _ in asked} - self._regions
        self._regions |= new
        if self._read_at is None or now >= self._read_at + READ_AGAIN or new:
            try:
                snapshot = await self._inventory.full(sorted(self._regions))
            except EndpointUnreachable:
                self._pipeline.asked |= asked
                raise
            self.not_watched, self.problems = dict(snapshot.not_watched), snapshot.problems
            self._read_at = now if snapshot.complete else now - READ_AGAIN + READ_SOON
            self._take(snapshot)
            return
        for region in sorted({region for region, _ in asked}):
            named = [subject.split("/", 2) for place, subject in asked if place == region]
            rules = {one[1] for one in named if one[0] == "rule"}
            schedules = {(one[1], one[2]) for one in named if one[0] == "schedule"}
            try:
                self._take(await self._inventory.some(region, rules, schedules))
            except EndpointUnreachable:
                self._pipeline.asked |= asked
                raise

    def _take(self, snapshot: Snapshot) -> None:
        self._pipeline.refresh(snapshot, self._clock.now())
