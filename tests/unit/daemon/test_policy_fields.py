"""The fields that a policy may name are those that the watch's events have."""

from hinoban.aws.call import Call, Caller
from hinoban.aws.errors import AwsError
from hinoban.daemon import policy_fields
from hinoban.engine.ecs.model.views import task_event
from hinoban.engine.trail.records import envelope
from hinoban.watch.model import Launch, TaskChange
from hinoban.watch.normalise import observation
from hinoban.watch.policies import launch_view, task_view
from tests.support.tasks import a_task
from tests.unit.watch.samples import run_task
from tests.unit.watch.samples import task_event as sample


def test_all_that_the_engine_tells_may_be_named() -> None:
    told = task_event(a_task(), "e")
    assert set(told) - {"detail"} == set(policy_fields.ENVELOPE)
    assert set(told["detail"]) <= set(policy_fields.TASK)
    caller = Caller(access_key_id="A", principal_arn="arn:aws:iam::1:user/x", principal_type="IAMUser")
    call = Call(
        service="ecs",
        operation="RunTask",
        region="r",
        account="1",
        request_id="i",
        now=0.0,
        caller=caller,
        source_ip="127.0.0.1",
        user_agent="x",
    )
    record = envelope(call, {}, AwsError("C", "m"), event_id="e", envelope_id="n")
    assert set(record["detail"]) <= set(policy_fields.RECORD)


def test_our_own_words_are_those_of_the_watch() -> None:
    change, launch = observation(sample(1, "RUNNING")), observation(run_task(1))
    assert isinstance(change, TaskChange)
    assert isinstance(launch, Launch)
    of_task, of_launch = task_view(change), launch_view(launch)
    assert {*of_task["hinoban"], *of_launch["hinoban"]} == set(policy_fields.HINOBAN)
    assert {*of_task, *of_launch} <= set(policy_fields.POLICY)
