"""The rights that are asked for are those that the watch's calls need: none is missing, none is asked for nothing."""

import json
import re
from pathlib import Path

from typer.testing import CliRunner

from hinoban.aws import models
from hinoban.aws.iam_needed import ASSUME, OBSERVE, QUEUE, READS, RETRY, RIGHTS, SERVICE, STOP, policy
from hinoban.cli.main import app

ROOT = Path(__file__).resolve().parents[3]
CALL = re.compile(r'"(ecs|cloudtrail|events|scheduler|logs|iam|ssm|secretsmanager|elasticloadbalancing)",\s*"([A-Z][A-Za-z]+)"')


def made() -> set[str]:
    """Every call of AWS that stands in the watch's code, but those of channels."""
    watch = ROOT / "src/hinoban/watch"
    texts = [path.read_text() for path in watch.rglob("*.py") if "notify" not in path.parts]
    return {f"{service}:{operation}" for text in texts for service, operation in CALL.findall(text)}


def test_every_call_of_the_watch_has_its_right_and_every_right_its_call() -> None:
    needed = {call for right in (*OBSERVE, *RETRY, *STOP, *SERVICE) for call in right.calls}
    assert made() == needed


def test_the_queue_s_rights_are_those_of_its_source() -> None:
    text = (ROOT / "src/hinoban/watch/sources/sqs.py").read_text()
    assert {f"sqs:{name}" for name in re.findall(r'_call\(\s*"(\w+)"', text)} == {call for right in QUEUE for call in right.calls}


def test_a_role_is_assumed_by_the_one_call_that_the_right_is_for() -> None:
    text = (ROOT / "src/hinoban/aws/profiles.py").read_text()
    assert {f"sts:{name}" for name in re.findall(r'call\("sts", "(\w+)"', text)} == {call for right in ASSUME for call in right.calls}


def test_every_call_is_one_that_aws_has_and_observing_only_reads() -> None:
    for right in (*OBSERVE, *RETRY, *STOP, *SERVICE, *QUEUE, *ASSUME):
        for call in right.calls:
            service, _, operation = call.partition(":")
            assert models.service(service).operation(operation) is not None, call
        assert right.why
    assert all(call.partition(":")[2].startswith(("List", "Describe", "Get", "Lookup")) for call in READS)
    assert not {right.action for right in OBSERVE} & {"logs:GetQueryResults", "secretsmanager:GetSecretValue", "ssm:GetParameter"}


def test_the_page_names_every_right_with_its_reason() -> None:
    page = (ROOT / "docs/on-aws.md").read_text()
    for right in (*OBSERVE, *RETRY, *STOP, *SERVICE, *QUEUE, *ASSUME):
        assert f"| `{right.action}` | {right.why} |" in page


def printed(*words: str) -> dict[str, list[dict[str, object]]]:
    result = CliRunner().invoke(app, ["aws", "policy", *words])
    assert result.exit_code == 0, result.output
    document: dict[str, list[dict[str, object]]] = json.loads(result.stdout)
    return document


def test_the_command_prints_what_may_be_put_into_iam() -> None:
    assert printed() == printed("--observe") == policy(["observe"])
    assert [one["Sid"] for one in printed("--retry")["Statement"]] == ["HinobanRetry", "HinobanRetryTagResource", "HinobanRetryPassRole"]
    stop = printed("--stop")["Statement"]
    assert stop == [{"Sid": "HinobanStop", "Effect": "Allow", "Action": ["ecs:StopTask", "ecs:GetTaskProtection"], "Resource": "*"}]
    [queue] = printed("--queue", "arn:aws:sqs:eu-west-1:1:q")["Statement"]
    assert queue["Resource"] == "arn:aws:sqs:eu-west-1:1:q"
    everything = printed("--observe", "--retry", "--stop", "--service")
    assert all(re.fullmatch("[A-Za-z0-9]+", str(one["Sid"])) for one in everything["Statement"])
    assert len(json.dumps(everything, separators=(",", ":"))) < 6144, "a managed policy holds so many characters"


def test_a_queue_that_is_no_arn_is_refused() -> None:
    result = CliRunner().invoke(app, ["aws", "policy", "--queue", "https://sqs"])
    assert result.exit_code == 2 and len(set(RIGHTS)) == 4


def test_the_caller_s_side_of_a_further_account_names_its_roles() -> None:
    roles = [f"arn:aws:iam::{account}:role/hinoban" for account in ("210987654321", "310987654321")]
    observe, assume = printed("--observe", "--assume", roles[0], "--assume", roles[1])["Statement"]
    assert observe == printed("--observe")["Statement"][0]
    assert assume == {"Sid": "HinobanAssume", "Effect": "Allow", "Action": ["sts:AssumeRole"], "Resource": roles}
    assert printed("--assume", roles[0])["Statement"] == [{**assume, "Resource": [roles[0]]}]


def test_a_role_that_is_no_role_s_arn_is_refused() -> None:
    for given in ("hinoban", "arn:aws:iam::210987654321:user/hinoban"):
        assert CliRunner().invoke(app, ["aws", "policy", "--assume", given]).exit_code == 2
