"""What another run makes up for, and what waits for an attempt of its own."""

import msgspec
import pytest

from hinoban.watch import incidents
from hinoban.watch.detect.missed_run import missed_run
from hinoban.watch.model import Attempt, Incident, TaskChange
from hinoban.watch.normalise import observation
from hinoban.watch.schedules.slot import Slot
from tests.unit.watch.samples import ACCOUNT, REGION, START, task_event


def lost(*outcomes: str) -> Incident:
    """A slot that was lost, with these attempts to make up for it."""
    slot = Slot(
        key="close#1",
        at=START,
        due_by=START + 300,
        arn="close",
        kind="rule",
        name="close",
        region=REGION,
        account=ACCOUNT,
        expression="cron(0 * * * ? *)",
        timezone="UTC",
        cluster="default",
        family="job",
        fired="ok",
    )
    opened = incidents.opened(missed_run(slot, START + 300, "UTC"), START + 300, held_until=None).incident
    tries = [Attempt(number=2 + place, at=START + 301, started_by=None, outcome=outcome) for place, outcome in enumerate(outcomes)]
    return msgspec.structs.replace(opened, attempts=(Attempt(number=1, at=START, started_by=None, outcome="missed"), *tries))


def ended_well() -> TaskChange:
    change = observation(task_event(9, "STOPPED", at=START + 400, family="job"))
    assert isinstance(change, TaskChange)
    return change


@pytest.mark.parametrize(("outcomes", "heals"), [((), True), (("refused",), True), (("waiting",), False), (("running",), False)])
def test_a_slot_that_is_being_made_up_for_waits_for_its_own_attempt(outcomes: tuple[str, ...], heals: bool) -> None:
    assert incidents.healed_by(lost(*outcomes), ended_well(), None) is heals
