import msgspec

from hinoban.engine.schedules.context import default_input, fill_context

ABOUT = {"schedule_arn": "arn:aws:scheduler:r:1:schedule/default/n", "slot": 1_795_708_800.0, "execution_id": "d32c5kddcf5bb8c3"}


def test_each_context_attribute_is_replaced_wherever_it_stands():
    text = '{"a":"<aws.scheduler.schedule-arn>","b":"<aws.scheduler.scheduled-time>|<aws.scheduler.execution-id>|<aws.scheduler.attempt-number>"}'
    assert msgspec.json.decode(fill_context(text, **ABOUT, attempt=3)) == {
        "a": "arn:aws:scheduler:r:1:schedule/default/n",
        "b": "2026-11-26T16:00:00Z|d32c5kddcf5bb8c3|3",
    }


def test_a_keyword_that_the_scheduler_lacks_stays():
    assert fill_context("<aws.scheduler.name> <aws.events.rule-arn>", **ABOUT, attempt=1) == "<aws.scheduler.name> <aws.events.rule-arn>"


def test_a_target_without_input_is_given_a_notification():
    told = msgspec.json.decode(default_input(**ABOUT, account="123456789012", region="eu-west-1"))
    assert (told["source"], told["time"], told["resources"]) == ("aws.scheduler", "2026-11-26T16:00:00Z", [ABOUT["schedule_arn"]])
    assert told["detail"] == "{}"
