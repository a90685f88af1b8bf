"""A few reads a second, and fewer as soon as AWS throttles."""

import pytest

from hinoban.aws.errors import AwsError
from hinoban.base.clock import FakeClock
from hinoban.watch.sources.pace import SLOWEST, TRIES, Pace, Paced
from tests.support.polled import PolledAws, passing


async def test_reads_go_through_at_their_pace_and_in_order() -> None:
    clock = FakeClock()
    pace, began, moments = Pace(clock, 2.0), clock.now(), []

    async def reads() -> None:
        for _ in range(5):
            await pace()
            moments.append(clock.now() - began)

    await passing(clock, reads(), step=0.1)
    assert moments == pytest.approx([0.0, 0.5, 1.0, 1.5, 2.0])


async def test_throttling_doubles_the_pause_and_good_answers_shorten_it_again() -> None:
    pace = Pace(FakeClock(), 2.0)
    for _ in range(3):
        pace.throttled()
    assert pace.pause == 4.0
    for _ in range(20):
        pace.throttled()
    assert pace.pause == SLOWEST
    for _ in range(100):
        pace.well()
    assert pace.pause == 0.5


async def test_a_throttled_read_is_asked_again_and_the_last_refusal_is_raised() -> None:
    clock = FakeClock()
    aws = PolledAws(clock)
    aws.refusals["ListClusters"] = ["ThrottlingException", "ThrottlingException", ""]
    paced = Paced(aws.client(), clock)
    answer = await passing(clock, paced.call("ecs", "ListClusters", {}))
    assert answer["clusterArns"]
    moments = [at for at, _ in aws.reads]
    assert moments[1] - moments[0] >= 1.0 and moments[2] - moments[1] >= 2.0
    aws.refusals["ListClusters"] = ["ThrottlingException"]
    with pytest.raises(AwsError, match="Rate exceeded"):
        await passing(clock, paced.call("ecs", "ListClusters", {}))
    assert len(aws.reads) == 3 + TRIES


async def test_event_history_has_a_pace_of_its_own() -> None:
    clock = FakeClock()
    aws = PolledAws(clock)
    paced = Paced(aws.client(), clock)
    asked = {
        "LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "RunTask"}],
        "StartTime": 0,
        "EndTime": clock.now(),
        "MaxResults": 50,
    }

    async def reads() -> None:
        for _ in range(3):
            await paced.in_region("us-east-1").call("cloudtrail", "LookupEvents", asked)

    await passing(clock, reads())
    first, second, third = (at for at, _ in aws.reads)
    assert second - first >= 5.0 and third - second >= 5.0
