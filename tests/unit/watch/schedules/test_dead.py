"""What a schedule lacks for its next run is said with AWS's coming words and one command; what was not asked is no reason."""

import subprocess
from typing import Any

import msgspec
import pytest

from hinoban.watch.schedules.dead import unpin, why_dead
from hinoban.watch.schedules.model import Definition, Schedule, Surroundings
from tests.unit.watch.schedules.samples import ACCOUNT, REGION, role_arn, rule, schedule, schedule_body, target_body

GOOD = Definition(status="ACTIVE", revision=17)
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:db-AbCdEf:password::"


def around(
    *, clusters: dict[str, str | None] | None = None, roles: Any = None, secrets: Any = None, **definitions: Definition
) -> Surroundings:
    return Surroundings(
        definitions={(REGION, name.replace("__", ":").replace("_", "-")): known for name, known in definitions.items()},
        clusters={(REGION, name): status for name, status in (clusters or {}).items()},
        roles=roles or {},
        secrets={(REGION, name): state for name, state in (secrets or {}).items()},
    )


def test_a_schedule_with_all_it_needs_is_not_dead() -> None:
    known = around(daily_close__17=GOOD, clusters={"batch": "ACTIVE"}, roles={role_arn(): "there"})
    assert why_dead(rule(), known) == ()


def test_what_was_not_asked_is_no_reason() -> None:
    assert why_dead(rule(), Surroundings()) == ()


def test_a_pinned_revision_that_is_inactive() -> None:
    known = around(daily_close__17=Definition(status="INACTIVE", revision=17), daily_close=Definition(status="ACTIVE", revision=18))
    (dead,) = why_dead(rule(), known)
    assert dead.why == "pinned to daily-close:17, which is INACTIVE (the newest ACTIVE one is :18)"
    assert dead.said == "RunTask InvalidParameterException: TaskDefinition is inactive"
    assert dead.repair.startswith("Let the target name the family, no revision: aws events put-targets")


def test_a_pinned_revision_whose_whole_family_is_gone() -> None:
    (dead,) = why_dead(rule(), around(daily_close__17=Definition(status=None), daily_close=Definition(status=None)))
    assert dead.why == "pinned to daily-close:17, which does not exist, and family daily-close has no ACTIVE revision"
    assert dead.said == "RunTask ClientException: TaskDefinition not found."
    assert dead.repair.startswith("Register daily-close again")


def test_a_family_without_an_active_revision() -> None:
    (dead,) = why_dead(schedule(), around(report=Definition(status=None)))
    assert (dead.thing, dead.why) == ("definition", "family report has no ACTIVE revision")


@pytest.mark.parametrize(
    ("status", "why", "said"),
    [
        (None, "cluster batch does not exist", "Cluster not found."),
        ("INACTIVE", "cluster batch was deleted", "The referenced cluster was inactive."),
    ],
)
def test_a_cluster_that_is_not_there(status: str | None, why: str, said: str) -> None:
    (dead,) = why_dead(rule(), around(clusters={"batch": status}))
    assert (dead.thing, dead.why) == ("cluster", why)
    assert dead.said is not None
    assert dead.said.endswith(said)


def test_a_role_that_is_missing_is_told_with_who_names_it() -> None:
    known = around(
        daily_close__17=Definition(status="ACTIVE", roles=(role_arn("exec"),)), roles={role_arn("exec"): "missing", role_arn(): "missing"}
    )
    first, second = why_dead(rule(), known)
    assert first.why == "role ecsEventsRole does not exist (the target names it)"
    assert second.why == "role exec does not exist (task definition daily-close:17 names it)"


@pytest.mark.parametrize(
    ("value_from", "state", "why", "command"),
    [
        (SECRET, "missing", "secret db does not exist", "aws secretsmanager create-secret --name db "),
        (SECRET, "deleted", "secret db is scheduled for deletion", "aws secretsmanager restore-secret --secret-id db"),
        ("/app/db", "missing", "parameter /app/db does not exist", "aws ssm put-parameter"),
        (f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/app/db", "missing", "parameter /app/db does not exist", "--name /app/db "),
    ],
)
def test_a_secret_that_is_missing(value_from: str, state: str, why: str, command: str) -> None:
    known = around(daily_close__17=Definition(status="ACTIVE", secrets=(value_from,)), secrets={value_from: state})
    (dead,) = why_dead(rule(), known)
    assert dead.why == f"{why} (task definition daily-close:17 needs it)"
    assert command in dead.repair


def test_a_disabled_schedule_is_not_dead_but_asleep() -> None:
    assert why_dead(rule(State="DISABLED"), around(clusters={"batch": None})) == ()


def test_several_reasons_are_all_told_the_gravest_first() -> None:
    known = around(daily_close__17=Definition(status="INACTIVE"), clusters={"batch": None}, roles={role_arn(): "missing"})
    assert [dead.thing for dead in why_dead(rule(), known)] == ["definition", "cluster", "role"]


def pasted(command: str, answer: Any) -> list[str]:
    """The arguments with which aws is called at last, when the call inside answers `answer`."""
    text = msgspec.json.format(msgspec.json.encode(answer)).decode()
    fake = f"""aws() {{ case "$2" in list-*|get-*) cat <<'ANSWER'\n{text}\nANSWER\n;; *) printf '%s\\0' "$@";; esac; }}"""
    script = f"{fake}\n{command}"
    found = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert found.stderr == ""
    return found.stdout.split("\0")[:-1]


def test_the_command_for_a_rule_takes_out_the_revision_and_nothing_else() -> None:
    given = target_body(Input='{"containerOverrides":[{"name":"app","command":["a b","it\'s"]}]}')
    words = pasted(unpin(rule()), [given])
    assert words[:2] == ["events", "put-targets"]
    (target,) = msgspec.json.decode(words[words.index("--targets") + 1])
    parameters = given["EcsParameters"] | {"TaskDefinitionArn": given["EcsParameters"]["TaskDefinitionArn"].removesuffix(":17")}
    assert target == given | {"EcsParameters": parameters}


def test_the_command_for_a_schedule_repeats_all_that_it_has() -> None:
    body = schedule_body(target={"job": "report:3"}, Description="nightly", EndDate="2027-01-01T00:00:00Z")
    found: Schedule = schedule(target={"job": "report:3"}, Description="nightly", EndDate="2027-01-01T00:00:00Z")
    command = unpin(found)
    members = [member.partition(":")[0] for member in command.partition("'{")[2].partition("}'")[0].split(",")]
    assert set(members) == set(body) - {"Arn", "CreationDate", "LastModificationDate"}
    words = pasted(command, {member: body[member] for member in members})
    assert words[:2] == ["scheduler", "update-schedule"]
    said = msgspec.json.decode(words[words.index("--cli-input-json") + 1])
    assert said["Target"]["EcsParameters"]["TaskDefinitionArn"].endswith("task-definition/report")
    assert said["Description"] == "nightly"
