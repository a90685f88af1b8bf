"""Groups held to: whatever comes in whatever order, with crashes between, each incident is told by itself or by exactly one other; who was
told that it began is told the end, once; what has grown is told within a quarter of an hour; two teams never share a message."""

import itertools
import tempfile
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select

from hinoban.base.clock import FakeClock
from hinoban.base.errors import HinobanError
from hinoban.base.ids import SeededIds
from hinoban.watch import detect, incidents
from hinoban.watch.acts import Acts
from hinoban.watch.config import NotifyConfig, Route, Slack, WatchConfig
from hinoban.watch.history.database import open_file
from hinoban.watch.history.ledger import Message
from hinoban.watch.history.queries import incidents_of
from hinoban.watch.history.schema import outbox
from hinoban.watch.incident_states import QUIET
from hinoban.watch.model import Explanation, Incident
from hinoban.watch.notify.routes import Dispatch
from hinoban.watch.pipeline import Pipeline
from tests.unit.watch.notify.samples import finding

TEAMS = ("a", "b")
CONFIG = WatchConfig(
    notify=NotifyConfig(
        console=False,
        slack=tuple(Slack(name=f"team-{team}", url="https://s.test/x") for team in TEAMS),
        routes=tuple(Route(match={"hinoban": {"family": [{"prefix": f"{team}-"}]}}, channels=(f"team-{team}",)) for team in TEAMS),
    )
)
NAMES = tuple(f"team-{team}" for team in TEAMS)


class Groups(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.clock = FakeClock()
        self.number = 0
        self._open()

    def _open(self) -> None:
        self.engine = open_file(Path(self.folder.name) / "watch.db")
        self.pipeline = Pipeline(self.engine, CONFIG, detectors=detect, channels=NAMES, ids=SeededIds(1))
        self.pipeline.ledger.telling.decide = Dispatch(CONFIG.notify, NAMES).decide
        self.acts = Acts(self.pipeline, self.clock)

    def _known(self) -> dict[str, Incident]:
        with self.engine.connect() as connection:
            return {one.id: one for one in incidents_of(connection, None, None, 10_000)}

    def _told(self) -> list[tuple[str, Message]]:
        with self.engine.connect() as connection:
            found = connection.execute(select(outbox.c.channel, outbox.c.value).order_by(outbox.c.id))
            return [(channel, msgspec.json.decode(value, type=Message)) for channel, value in found]

    @rule(
        team=st.sampled_from(TEAMS),
        code=st.sampled_from(["no_capacity", "throttled"]),
        by=st.sampled_from([None, "events-rule/x"]),
        many=st.integers(1, 4),
    )
    def some_fail_at_once(self, team: str, code: str, by: str | None, many: int) -> None:
        explanation = Explanation(code=code, cause="c", next="n", said=(), retryable=True)
        now = self.clock.now()
        with self.pipeline.transaction() as connection:
            for _ in range(many):
                self.number += 1
                found = finding(
                    detector="did_not_start",
                    verdict="NOT STARTED",
                    explanation=explanation,
                    family=f"{team}-{self.number}",
                    subject=f"task:{self.number}",
                    started_by=by,
                    at=now,
                )
                self.pipeline.ledger.put(connection, incidents.opened(found, now, held_until=None), now)

    @rule(data=st.data(), what=st.sampled_from(["recovers", "changes", "fails again"]))
    def one_goes_on(self, data: st.DataObject, what: str) -> None:
        known = self._known()
        states = ("resolved",) if what == "fails again" else ("open", *QUIET)
        ids = sorted(one.id for one in known.values() if one.state in states)
        if not ids:
            return
        now, one = self.clock.now(), known[data.draw(st.sampled_from(ids))]
        if what == "recovers":
            step = incidents.resolved(one, "RECOVERED", "Ran.", now)
        else:
            step = incidents.again(one, msgspec.structs.replace(one.finding, verdict="EXIT 1", at=now), now)
        with self.pipeline.transaction() as connection:
            self.pipeline.ledger.put(connection, step, now)

    @rule(data=st.data(), act=st.sampled_from(["ack", "snooze", "reopen", "resolve"]))
    def a_person_acts(self, data: st.DataObject, act: str) -> None:
        ids = sorted(self._known())
        if not ids:
            return
        chosen = data.draw(st.sampled_from(ids))
        try:
            if act == "ack":
                self.acts.ack(chosen, None, "me")
            elif act == "snooze":
                self.acts.snooze(chosen, self.clock.now() + 300, "me")
            elif act == "reopen":
                self.acts.reopen(chosen, "me")
            else:
                self.acts.resolve(chosen, "me")
        except HinobanError as refused:
            assert refused.todo

    @rule(seconds=st.sampled_from([1, 29, 60, 599, 700]))
    def time_passes(self, seconds: int) -> None:
        self.clock._now += seconds
        self.pipeline.step(self.clock.now())

    @rule()
    def it_is_killed(self) -> None:
        self.engine.dispose()
        self._open()

    @invariant()
    def each_is_told_by_itself_or_by_one_other(self) -> None:
        if not hasattr(self, "engine"):
            return
        known, told = self._known(), self._told()
        spoken_of = {message.incident.id for _, message in told}
        for one in known.values():
            assert (one.lead or one.id) in spoken_of
            assert one.lead is None or one.id not in spoken_of, "a member has no message of its own"
            members = [other for other in known.values() if other.lead == one.id]
            if one.group is not None:
                everyone = [one, *members]
                assert (one.group.size, one.group.open) == (len(everyone), sum(other.state != "resolved" for other in everyone))
                assert {other.finding.family[0] for other in everyone} == {one.finding.family[0]}, "teams stay apart"
        for channel, message in told:
            assert channel == f"team-{message.incident.finding.family[0]}"

    @invariant()
    def the_end_is_told_once_and_last(self) -> None:
        if not hasattr(self, "engine"):
            return
        for one in self._known().values():
            if one.group is None:
                continue
            changes = [message.change for _, message in self._told() if message.incident.id == one.id]
            assert changes[0] == "opened"
            assert (changes[-1] == "resolved") == (one.group.open == 0), changes
            assert ("resolved", "resolved") not in list(itertools.pairwise(changes)), changes

    def teardown(self) -> None:
        if not hasattr(self, "engine"):
            return
        for _ in range(16):
            self.clock._now += 60
            self.pipeline.step(self.clock.now())
        known = self._known()
        for one in known.values():
            if one.group is not None and one.group.open and one.group.held_by is None and one.group.size > 1:
                last = [message.incident for _, message in self._told() if message.incident.id == one.id][-1]
                assert last.group is not None and last.group.shown is not None and last.group.shown.total == one.group.size
        before = len(self._told())
        self.clock._now += 3600
        self.pipeline.step(self.clock.now())
        assert len(self._told()) == before, "nothing new, nothing told"
        self.engine.dispose()
        self.folder.cleanup()


TestGroups = Groups.TestCase
TestGroups.settings = settings(max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
