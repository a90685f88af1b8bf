"""Keeps the ledger's schedules as AWS has them, and lets what is due come due. One loop for each account, and one for what is due."""

import logging
from collections.abc import Callable, Sequence

from hinoban.aws.errors import AwsError
from hinoban.base.clock import HOURS, MINUTES, SECONDS, Clock
from hinoban.base.errors import HinobanError
from hinoban.watch.pipeline import Pipeline
from hinoban.watch.places import Place
from hinoban.watch.schedules.inventory import Inventory
from hinoban.watch.schedules.model import Problem, Snapshot
from hinoban.watch.sight import Sight

READ_AGAIN = 10 * MINUTES
"""How often every schedule is read anew; one that a record names is read at once."""
READ_SOON = 5 * SECONDS
"""After a reading that could not be made, or not in whole."""
TRIM_AGAIN = 1 * HOURS
"""How often what nobody needs any more is forgotten."""
log = logging.getLogger(__name__)


class ScheduleReader:
    """Reads the schedules of one account. Where `more` is said, a region that a record names is read from then on."""

    def __init__(
        self,
        pipeline: Pipeline,
        inventory: Inventory,
        regions: Sequence[str],
        clock: Clock,
        *,
        more: bool = False,
        soon: float = READ_SOON,
        role: str = "",
    ) -> None:
        self._pipeline = pipeline
        self._inventory = inventory
        self._regions = set(regions)
        self._more = more
        self._soon = soon
        self._clock = clock
        self._read_at: float | None = None
        self.name = f"schedules {inventory.account}" if inventory.account else "schedules"
        self._sight = Sight(self.name, Place(inventory.account), pipeline, clock, role=role)
        self.not_watched: dict[str, int] = {}
        self.problems: tuple[Problem, ...] = ()

    @property
    def places(self) -> set[Place]:
        """What it reads, where the account is known."""
        return {Place(self._inventory.account, region) for region in self._regions} if self._inventory.account else set()

    async def step(self, now: float) -> float | None:
        """Read what has changed, or everything where that is due. The moment to come again."""
        asked = self._asked()
        try:
            await self._read(asked, now)
        except (AwsError, HinobanError) as error:
            log.info("%s: %s", self.name, error)
            self._pipeline.asked |= asked
            self._read_at = now - READ_AGAIN + self._soon
            self._sight.tried(self.name, error)
            return self._clock.now() + self._soon
        self._sight.tried(self.name)
        return max((self._read_at or now) + READ_AGAIN, self._clock.now() + 0.05)

    def _asked(self) -> set[tuple[str, str, str]]:
        """What somebody changed in this account, taken out of what all are asked."""
        own = self._inventory.account
        mine = {one for one in self._pipeline.asked if own in (None, one[0])}
        self._pipeline.asked -= mine
        return mine if self._more else {one for one in mine if one[1] in self._regions}

    async def _read(self, asked: set[tuple[str, str, str]], now: float) -> None:
        new = {region for _, region, _ in asked} - self._regions
        self._regions |= new
        if self._read_at is None or now >= self._read_at + READ_AGAIN or new:
            snapshot = await self._inventory.full(sorted(self._regions))
            self.not_watched, self.problems = dict(snapshot.not_watched), snapshot.problems
            self._sight.problems({f"{one.right} in {one.region}": one for one in snapshot.problems})
            self._read_at = now if snapshot.complete else now - READ_AGAIN + self._soon
            self._take(snapshot)
            return
        for region in sorted({region for _, region, _ in asked}):
            named = [subject.split("/", 2) for _, place, subject in asked if place == region]
            rules = {one[1] for one in named if one[0] == "rule"}
            schedules = {(one[1], one[2]) for one in named if one[0] == "schedule"}
            self._take(await self._inventory.some(region, rules, schedules))

    def _take(self, snapshot: Snapshot) -> None:
        self._pipeline.refresh(snapshot, self._clock.now())


class SlotClock:
    """Lets slots come due. `unproven` says why what was not seen in an (account, region) may yet have happened (None: it did not): a run
    is given up for lost only while nothing does."""

    def __init__(self, pipeline: Pipeline, clock: Clock, *, unproven: Callable[[str, str], str | None]) -> None:
        self._pipeline = pipeline
        self._clock = clock
        self._unproven = unproven
        self._trimmed_at = float("-inf")

    async def step(self, now: float) -> float | None:
        """See to the slots. The moment to come again."""
        waiting = False

        def sure(account: str, region: str) -> bool:
            nonlocal waiting
            proven = self._unproven(account, region) is None
            waiting = waiting or not proven
            return proven

        due = self._pipeline.expect(now, sure=sure)
        if now >= self._trimmed_at + TRIM_AGAIN:
            self._pipeline.trim(now)
            self._trimmed_at = now
        following = now + (READ_SOON if waiting else TRIM_AGAIN)
        return max(following if due is None else min(due, following), now + 0.05)
