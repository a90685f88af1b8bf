"""Retries held to: whatever is refused, exits, gets lost, dies or is launched by somebody else, in whatever order, of no run more tasks live
or have ended well than it asked for, none is launched beside somebody else's, and the budgets hold."""

import asyncio
import contextlib
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hinoban.base.clock import HOURS
from hinoban.watch.config import ExitRule, Policy, RetryBudget, RetryRule, WatchConfig
from tests.unit.watch.fake_aws import Crash
from tests.unit.watch.samples import NO_ROOM, run_task
from tests.unit.watch.worlds import World

BUDGET = RetryBudget(per_family=2, in_all=3)
POLICY = Policy(retry=RetryRule(attempts=5, on_exit=(ExitRule(action="RETRY", exit_code=("75",)),)))
FATES = ("before", "after", "crash before", "crash after")


class Retries(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self.folder.name), WatchConfig(policies=(POLICY,), retry_budget=BUDGET))
        self.counts: dict[str, int] = {}
        """Of each run, whose family is its own, how many tasks it asked for."""
        self.theirs: set[str] = set()
        self.accepted: list[tuple[float, str]] = []
        self.beside: list[str] = []
        self.asked = self.world.aws._run
        self.world.aws._run = self._run  # type: ignore[method-assign]  # to see what is launched
        self._pass(1)

    def _run(self, params: dict[str, Any]) -> dict[str, Any]:
        before, family = set(self.world.aws.tasks), params["taskDefinition"]
        others = [arn for arn in self.theirs if self._of(arn) == family and self._alive(arn)]
        answer = self.asked(params)
        if set(self.world.aws.tasks) - before:
            self.accepted.append((self.world.clock.now(), family))
            self.beside += others
        return answer

    def _of(self, arn: str) -> str:
        return str(self.world.aws.tasks[arn]["family"])

    def _alive(self, arn: str) -> bool:
        return self.world.aws.tasks[arn].get("stopped") is None

    def _pass(self, seconds: float) -> None:
        async def passing() -> None:
            left, step = seconds, max(1.0, seconds / 30)
            while left > 0:
                with contextlib.suppress(Crash):
                    await self.world.watch.turn()
                    await self.world.clock.advance(step)
                    left -= step
                    continue
                self.world.crash()

        self.loop.run_until_complete(passing())

    @precondition(lambda self: len(self.counts) < 4)
    @rule(count=st.integers(1, 3), refused=st.integers(0, 3))
    def a_run_is_launched(self, count: int, refused: int) -> None:
        refused = min(count, refused)
        family, aws = f"job-{len(self.counts)}", self.world.aws
        self.counts[family] = count
        arns = tuple(aws.start(family, f"events-rule/{family}") for _ in range(count - refused))
        failures = (NO_ROOM,) * refused
        now, number = self.world.clock.now(), len(self.counts)
        aws.emit(run_task(number, at=now, family=family, tasks=arns, failures=failures, count=count, startedBy=f"events-rule/{family}"))
        self._pass(1)

    @precondition(lambda self: any(self._alive(arn) for arn in self.world.aws.tasks))
    @rule(data=st.data(), code=st.sampled_from([0, 3, 75, 75]))
    def a_task_ends(self, data: st.DataObject, code: int) -> None:
        self.world.aws.finish(data.draw(st.sampled_from([arn for arn in self.world.aws.tasks if self._alive(arn)])), code)
        self._pass(1)

    @precondition(lambda self: self.counts)
    @rule(data=st.data())
    def somebody_else_launches_it(self, data: st.DataObject) -> None:
        self.theirs.add(self.world.aws.start(data.draw(st.sampled_from(sorted(self.counts))), None))
        self._pass(1)

    @rule(fates=st.lists(st.sampled_from(FATES), min_size=1, max_size=3))
    def answers_will_be_lost(self, fates: list[str]) -> None:
        self.world.aws.lose += fates

    @rule(times=st.integers(1, 3))
    def launches_will_be_refused(self, times: int) -> None:
        self.world.aws.refuse += times

    @rule(seconds=st.sampled_from([5, 30, 120, 900, 4000]))
    def time_passes(self, seconds: int) -> None:
        self._pass(seconds)

    @rule()
    def the_watch_is_killed(self) -> None:
        self.world.crash()

    @invariant()
    def no_more_live_or_ended_well_than_a_run_asked_for(self) -> None:
        if hasattr(self, "counts"):
            tasks = self.world.aws.tasks
            counted = Counter(
                self._of(arn) for arn in tasks if arn not in self.theirs and (self._alive(arn) or tasks[arn]["exit_code"] == 0)
            )
            assert all(counted[family] <= count for family, count in self.counts.items()), counted

    @invariant()
    def none_is_launched_beside_somebody_elses(self) -> None:
        assert not getattr(self, "beside", [])

    @invariant()
    def the_budgets_hold_in_every_hour(self) -> None:
        for began, _ in getattr(self, "accepted", []):
            within = [family for at, family in self.accepted if began <= at < began + 1 * HOURS]
            assert len(within) <= BUDGET.in_all
            assert max(Counter(within).values()) <= BUDGET.per_family

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        self.world.aws.lose, self.world.aws.refuse = [], 0
        for _ in range(6):
            for arn in [arn for arn in self.world.aws.tasks if self._alive(arn)]:
                self.world.aws.finish(arn, 0)
            self._pass(600)
        assert not {"waiting", "launching"} & set(self.world.watch.status()["retries"]), "every attempt came to an end"
        self.no_more_live_or_ended_well_than_a_run_asked_for()
        self.world.engine.dispose()
        self.loop.close()
        self.folder.cleanup()


TestRetries = Retries.TestCase
TestRetries.settings = settings(max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
