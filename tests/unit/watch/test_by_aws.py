"""A next step where no daemon is: what AWS's own command line can do, and nothing that needs a daemon."""

import json
import shlex

import pytest

from hinoban.watch.by_aws import About, in_aws_words, needs_log
from hinoban.watch.commands import COMMAND
from hinoban.watch.explain.catalogue import entries
from hinoban.watch.explain.filling import fill

TASK = "arn:aws:ecs:us-east-1:123456789012:task/default/0123456789abcdef0123456789abcdef"
REQUEST = {"taskDefinition": "nightly:3", "cluster": "default", "count": 1}
ALL = About(region="us-east-1", cluster="default", task_arn=TASK, request=REQUEST, log=("/jobs", "app/app/0123"), again="--profile prd-ro")
NOTHING = About(region="us-east-1")


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("Read what it wrote: hinoban logs 01234567", "Read what it wrote: aws logs get-log-events --region us-east-1 --log-group-name /jobs "
         "--log-stream-name app/app/0123 --query 'events[].message' --output text"),
        ("Read why: hinoban history --service web --failed", "Read why: aws ecs list-tasks --region us-east-1 --cluster default "
         "--service-name web --desired-status STOPPED"),
        ("Stop it: hinoban stop 01234567 --reason \"over its limit\"",
         f"Stop it: aws ecs stop-task --region us-east-1 --cluster default --task {TASK} --reason 'over its limit'"),
        ("Read why it is refused: hinoban why nightly", "Read why it is refused: hinoban why nightly --profile prd-ro"),
        ("Add a subnet: aws ec2 create-subnet", "Add a subnet: aws ec2 create-subnet"),
    ],
)  # fmt: skip
def test_a_command_in_aws_s_words(step: str, said: str) -> None:
    assert in_aws_words(step, ALL) == said


@pytest.mark.parametrize("command", ["retry 01234567", "run nightly:3 --wait", "schedules run nightly --slot 2026-11-27T01:00+09:00"])
def test_what_runs_it_again_is_run_task_as_it_was_asked_for(command: str) -> None:
    said = in_aws_words(f"Look at DB_HOST, then: hinoban {command} (same overrides; refuses while another run lives)", ALL)
    words = shlex.split(said.removeprefix("Look at DB_HOST, then: "))
    assert words[:5] == ["aws", "ecs", "run-task", "--region", "us-east-1"] and json.loads(words[-1]) == REQUEST


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("Check that half a run did no harm, then: hinoban retry 01234567", "Check that half a run did no harm"),
        ("Look for it: hinoban history --family x --since 24h      else: hinoban schedules run x --slot T", "Look for it"),
        ("1. Register one: aws ecs x   2. hinoban run x --wait", "1. Register one: aws ecs x"),
    ],
)
def test_a_command_that_nobody_knows_is_left_out(step: str, said: str) -> None:
    assert in_aws_words(step, NOTHING) == said


def test_no_step_of_the_catalogue_needs_a_daemon() -> None:
    steps = [fill(entry.en.next, {"task": "01234567", "reason": "over its limit"}) for entry in entries()]
    for about in (ALL, NOTHING):
        for step in steps:
            said = in_aws_words(step, about)
            assert {found[1].split()[0] for found in COMMAND.finditer(said)} <= {"why", "schedules"}, said
    assert needs_log("Read it: hinoban logs 01234567") and not needs_log("See the logs: hinoban why x")
