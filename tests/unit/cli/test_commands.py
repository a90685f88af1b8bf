"""Each command against a scripted daemon: what it asks, what it prints where, how it ends."""

import json
import signal
from zoneinfo import ZoneInfo

import msgspec
import pytest

from hinoban.aws.errors import AwsError
from hinoban.base.errors import HinobanError
from hinoban.base.units import iso, local_day_time
from hinoban.cli.shell import fitting
from hinoban.daemon.config import local_zone
from tests.unit.cli.conftest import CLUSTER, DEFINITION, stopped, task, task_arn

DEFAULT_GROUP = "/hinoban/default"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "hello.json"
    body = {"family": "hello", "networkMode": "awsvpc", "containerDefinitions": [{"name": "app", "image": "x", "cpu": 0}]}
    path.write_bytes(msgspec.json.encode(body))
    return path


def launched(*ids, failures=()):
    return {"tasks": [task(one) for one in ids], "failures": list(failures)}


NO_ROOM = {"reason": "Capacity is unavailable at this time. Please try again later or in a different availability zone"}


def test_a_file_is_registered_and_run_and_its_task_id_is_printed(desk, file):
    desk.daemon.launches = [launched("a" * 32)]
    result = desk.run("run", str(file), "--count", "2", "-e", "STAGE=dev", "-e", "EMPTY=", "--retry", "--", "echo", "--wait")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "a" * 32 + "\n", "Registered hello:1.\n")
    assert desk.daemon.params_of("RunTask") == {
        "cluster": "default",
        "taskDefinition": "arn:aws:ecs:ap-northeast-1:123456789012:task-definition/hello:1",
        "launchType": "FARGATE",
        "count": 2,
        "startedBy": "hinoban-run",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-hinoban"], "assignPublicIp": "ENABLED"}},
        "tags": [{"key": "hinoban:retry", "value": "on-start-failure"}],
        "overrides": {
            "containerOverrides": [
                {
                    "name": "app",
                    "command": ["echo", "--wait"],
                    "environment": [{"name": "STAGE", "value": "dev"}, {"name": "EMPTY", "value": ""}],
                }
            ]
        },
    }
    assert desk.daemon.closed


def test_a_file_that_says_the_same_as_the_latest_revision_is_not_registered_again(desk, file):
    desk.daemon.define(networkMode="awsvpc")
    desk.daemon.launches = [launched("a" * 32)]
    assert desk.run("run", str(file)).exit_code == 0
    assert "RegisterTaskDefinition" not in [name for name, _ in desk.daemon.asked]


def test_waiting_prints_the_log_and_passes_the_exit_code_through(desk):
    desk.daemon.define()
    one = "b" * 32
    desk.daemon.launches = [launched(one)]
    desk.daemon.lives[one] = [task(one, status="PENDING"), task(one), stopped(one, 3)]
    written = iter([["first"], ["first", "second"], ["first", "second"]])

    def write():
        desk.daemon.log[(DEFAULT_GROUP, f"hello/app/{one}")] = next(written)

    desk.on_pause = write
    result = desk.run("run", "hello", "--wait")
    assert (result.exit_code, result.stdout) == (3, "first\nsecond\n")
    assert "bbbbbbbb (hello:1) stopped with exit code 3. Essential container in task exited" in result.stderr


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (stopped("c" * 32, 0), 0),
        (stopped("c" * 32, None), 1),
        (stopped("c" * 32, None, stopCode="TaskFailedToStart", stoppedReason="CannotPullContainerError: no"), 125),
        (stopped("c" * 32, 137), 137),
    ],
)
def test_every_end_of_a_task_has_its_exit_code(desk, end, code):
    desk.daemon.define()
    desk.daemon.launches = [launched("c" * 32)]
    desk.daemon.lives["c" * 32] = [end]
    assert desk.run("run", "hello", "--wait").exit_code == code


def test_a_refused_launch_tells_the_reason_and_ends_with_4(desk):
    desk.daemon.define()
    desk.daemon.launches = [launched(failures=[NO_ROOM])]
    result = desk.run("run", "hello", "--wait")
    assert result.exit_code == 4 and "Refused: Capacity is unavailable" in result.stderr and result.stdout == ""


def incident(desk, *attempts, **more):
    known = {"id": "inc-1", "state": "open", "verdict": "NOT STARTED", "family": "hello", "revision": 3, "task": None, "cause": "No room."}
    return {"incidents": [known | {"opened_at": iso(desk.clock.now()), "attempts": attempts} | more]}


def test_a_refused_launch_is_followed_through_its_retries(desk):
    desk.daemon.define()
    two = "d" * 32
    desk.daemon.launches = [launched(failures=[NO_ROOM])]
    refused = {"number": 1, "outcome": "refused", "task": None}
    planned = {"number": 2, "outcome": "waiting", "task": None, "at": iso(desk.clock.now() + 12)}
    run = {"number": 2, "outcome": "running", "task": task_arn(two)}
    desk.daemon.pages["incidents"] = [{"incidents": []}, incident(desk, refused, planned), incident(desk, refused, run)]
    desk.daemon.lives[two] = [task(two), stopped(two, 0)]
    result = desk.run("run", "hello", "--wait", "--retry")
    assert result.exit_code == 0
    assert "Attempt 2 follows in 11 s." in result.stderr and "Attempt 2: task dddddddd was launched." in result.stderr


@pytest.fixture
def heard_interrupts():
    """SIGINT as at a terminal: a shell that runs the tests in its background has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_interrupting_the_wait_for_retries_leaves_them_to_the_watch(desk, heard_interrupts):
    desk.daemon.define()
    desk.daemon.launches = [launched(failures=[NO_ROOM])]
    desk.daemon.pages["incidents"] = {"incidents": []}
    desk.on_pause = lambda: signal.raise_signal(signal.SIGINT)
    result = desk.run("run", "hello", "--wait", "--retry")
    assert result.exit_code == 130 and "See: hinoban why hello" in result.stderr


def test_following_retries_ends_when_nothing_more_is_planned(desk):
    desk.daemon.define()
    desk.daemon.launches = [launched(failures=[NO_ROOM])]
    desk.daemon.pages["incidents"] = {"incidents": []}
    result = desk.run("run", "hello", "--wait", "--retry")
    assert result.exit_code == 4 and "No further attempt is planned" in result.stderr


def test_ps_shows_running_tasks_and_with_a_the_stopped_ones_too(desk):
    desk.daemon.lives = {"e" * 32: [task("e" * 32)], "f" * 32: [stopped("f" * 32, 1)]}
    result = desk.run("ps")
    assert result.stdout.split("\n")[0].split() == ["TASK", "FAMILY:REV", "STATUS", "SINCE", "EXIT", "REASON"]
    assert "eeeeeeee  hello:1     RUNNING  1 m 40 s  -" in result.stdout and "ffffffff" not in result.stdout
    assert "ffffffff  hello:1     STOPPED  20 s      1     Essential container in task exited" in desk.run("ps", "-a").stdout
    assert len(json.loads(desk.run("ps", "-a", "-o", "json").stdout)["tasks"]) == 2


def test_a_task_is_stopped_by_its_shortened_id(desk):
    desk.daemon.lives = {"eee1" + "0" * 28: [task("eee1" + "0" * 28)], "eeee2" + "0" * 27: [task("eeee2" + "0" * 27)]}
    desk.daemon.lives["eeee3" + "0" * 27] = [task("eeee3" + "0" * 27, "other:1")]
    assert desk.run("stop", "eee1", "--reason", "why not").exit_code == 0
    stopping = desk.daemon.params_of("StopTask")
    assert stopping["task"].endswith("eee1" + "0" * 28) and stopping["reason"] == "why not"
    several = desk.run("stop", "eeee")
    assert several.exit_code == 2 and several.stderr.splitlines()[0] == "eeee names 2 tasks"
    assert desk.run("stop", "zzzz").stderr.splitlines()[0] == "No task zzzz"
    assert "4 characters at the least" in desk.run("stop", "eee").stderr


def test_the_only_running_task_of_a_family_is_stopped_by_its_name(desk):
    desk.daemon.lives = {one * 32: [task(one * 32, family)] for one, family in (("a", "w:4"), ("b", "w:5"), ("c", "only:1"))}
    desk.daemon.lives["d" * 32] = [stopped("d" * 32, 0, taskDefinitionArn=DEFINITION + "only:1")]
    assert desk.run("stop", "w:4").stderr == "Stopping aaaaaaaa (w:4).\n"
    assert desk.run("stop", "only").stderr == "Stopping cccccccc (only:1).\n"
    several = desk.run("stop", "w")
    assert several.exit_code == 2 and "aaaaaaaa (w:4)" in several.stderr and "bbbbbbbb (w:5)" in several.stderr


def test_stopping_a_stopped_task_says_so_and_is_no_error(desk):
    desk.daemon.lives = {"d" * 32: [stopped("d" * 32, 143)]}
    again = desk.run("stop", "dddd")
    assert (again.exit_code, again.stderr) == (0, "dddddddd (hello:1) is already stopped, exit 143.\n")
    assert json.loads(desk.run("stop", "dddd", "-o", "json").stdout)["task"]["lastStatus"] == "STOPPED"
    assert "StopTask" not in [name for name, _ in desk.daemon.asked]
    assert "no task of it runs; the last was dddddddd" in desk.run("stop", "hello").stderr


def test_logs_are_read_from_the_awslogs_stream_of_the_definition(desk):
    one = "a" * 32
    options = {"awslogs-group": "/ecs/hello", "awslogs-stream-prefix": "p", "awslogs-region": "ap-northeast-1"}
    desk.daemon.define(containerDefinitions=[{"name": "app", "logConfiguration": {"logDriver": "awslogs", "options": options}}])
    desk.daemon.lives[one] = [stopped(one, 0)]
    desk.daemon.log[("/ecs/hello", f"p/app/{one}")] = ["1", "2", "3"]
    assert desk.run("logs", "aaaa").stdout == "1\n2\n3\n"
    assert desk.run("logs", "hello", "--tail", "2").stdout == "2\n3\n"
    assert json.loads(desk.run("logs", "hello", "--tail", "1", "-o", "json").stdout) == {"timestamp": 2, "container": "app", "message": "3"}
    assert desk.run("logs", "hello", "--container", "other").exit_code == 1


def test_logs_are_found_by_their_stream_when_nobody_knows_the_task(desk):
    desk.daemon.only_logs = True
    for task_id in ("1" * 32, "2" * 32):
        desk.daemon.log[(DEFAULT_GROUP, f"hello/app/{task_id}")] = [task_id[0]]
        desk.daemon.log[(DEFAULT_GROUP, f"hello/side/{task_id}")] = ["beside"]
    assert desk.run("logs", "1111").stdout == "app | 1\nside | beside\n"
    assert desk.run("logs", "hello").stdout == desk.run("logs", "hello:1").stdout == "app | 2\nside | beside\n"
    assert desk.run("logs", "unheard").exit_code == 1


def test_logs_of_a_task_that_ecs_forgot_are_found_through_the_watch(desk):
    one, options = "a1" + "0" * 30, {"awslogs-group": "/own", "awslogs-stream-prefix": "p", "awslogs-region": "ap-northeast-1"}
    desk.daemon.define(containerDefinitions=[{"name": "app", "logConfiguration": {"logDriver": "awslogs", "options": options}}])
    desk.daemon.log[("/own", f"p/app/{one}")] = ["boom"]
    known = {"task": task_arn(one), "cluster": CLUSTER, "task_definition": DEFINITION + "hello:1", "containers": [], "log": ["kept"]}
    desk.daemon.pages = {"history": {"tasks": [{"arn": task_arn(one), "revision": 1}]}, "why": known}
    assert desk.run("logs", "hello").stdout == desk.run("logs", "a1").stdout == desk.run("logs", "hello:1").stdout == "boom\n"
    desk.daemon.log.clear()
    gone = desk.run("logs", "a1")
    assert gone.stdout == "kept\n" and "kept with the incident" in gone.stderr


def test_why_asks_ecs_about_a_task_that_the_watch_has_not_seen(desk):
    one = "abc1" + "0" * 28
    desk.daemon.lives[one] = [task(one)]
    for name in ("abc1", "hello", "hello:1"):
        assert desk.run("why", name).stdout.splitlines()[0] == "hello:1 · task abc10000 · RUNNING"
    unheard = desk.run("why", "hallo")
    assert unheard.exit_code == 1 and len(unheard.stderr.splitlines()) == 3
    assert desk.run("why", "abc").exit_code == 1


def test_why_understands_a_revision_as_tables_print_it(desk):
    told = {"lines": ["told"]}

    def get(path, query):
        if path == "why" and query["name"] not in ("inc-1", task_arn("b" * 32)):
            raise HinobanError("Nothing is known", "of that name", "Ask for another.")
        return told if path == "why" else answers[path]

    async def answer(path, query=None):
        desk.daemon.asked.append((path, query))
        return get(path, query)

    desk.daemon.get = answer
    answers = {"incidents": incident(desk), "history": {"tasks": [{"arn": task_arn("b" * 32), "revision": 4}]}}
    assert desk.run("why", "hello:3").stdout == "told\n" and desk.daemon.asked[-1] == ("why", {"name": "inc-1"})
    assert desk.run("why", "hello:4", "--full").stdout == "told\n"
    assert desk.daemon.asked[-1] == ("why", {"name": task_arn("b" * 32), "full": "true"})
    assert desk.run("why", "hello:5").exit_code == 1


def test_a_table_is_cut_to_the_width_of_a_terminal():
    rows = [("inc-1", "a long story of what happened to it", "OPEN")]
    assert fitting(("ID", "WHAT", "STATE"), rows, 1, 34) == [("inc-1", "a long story of wha…", "OPEN")]
    assert fitting(("ID", "WHAT", "STATE"), rows, 1, 80) == rows


def test_following_a_log_ends_with_the_task(desk):
    one = "a" * 32
    desk.daemon.define()
    desk.daemon.lives[one] = [task(one), task(one), stopped(one, 0)]
    lines = desk.daemon.log.setdefault((DEFAULT_GROUP, f"hello/app/{one}"), ["0"])
    desk.on_pause = lambda: lines.append(str(len(lines)))
    assert desk.run("logs", "aaaa", "-f").stdout == "0\n1\n2\n"


def test_why_prints_the_watch_s_text_and_asks_for_all_of_it_with_full(desk):
    desk.daemon.pages["why"] = {"lines": ["hello · EXIT 1", "Next     Look."], "cause": "It ended."}
    assert desk.run("why", "hello").stdout == "hello · EXIT 1\nNext     Look.\n"
    assert desk.daemon.asked[-1] == ("why", {"name": "hello"})
    assert desk.run("why", "hello", "--full").exit_code == 0
    assert desk.daemon.asked[-1] == ("why", {"name": "hello", "full": "true"})
    assert json.loads(desk.run("why", "hello", "-o", "json").stdout)["cause"] == "It ended."


def test_incidents_are_listed_shown_and_acknowledged(desk):
    desk.daemon.pages = {"incidents": incident(desk), "incidents/inc-1": {"id": "inc-1"}, "why": {"lines": ["story"]}}
    lines = desk.run("incidents").stdout.splitlines()
    assert lines[0].split() == ["INCIDENT", "TASK", "WHAT", "HAPPENED", "OPENED", "STATE"]
    opened = local_day_time(desk.clock.now(), ZoneInfo(local_zone())).split()
    assert lines[1].split() == ["inc-1", "hello:3", "NOT", "STARTED:", "No", "room.", *opened, "OPEN"]
    desk.daemon.pages["incidents"]["incidents"][0]["task"] = task_arn("a" * 32)
    assert "hello:3 aaaaaaaa" in desk.run("incidents").stdout
    assert desk.run("incidents", "list", "--open").exit_code == 0
    assert desk.daemon.asked[-1] == ("incidents", {"limit": 50, "state": "open", "leads": "true"})
    assert desk.run("incidents", "--all").exit_code == 0 and desk.daemon.asked[-1] == ("incidents", {"limit": 50})
    assert desk.run("incidents", "show", "inc-1").stdout == "story\n"
    assert json.loads(desk.run("incidents", "show", "inc-1", "-o", "json").stdout) == {"id": "inc-1"}
    assert desk.run("incidents", "ack", "inc-1", "--for", "24h").exit_code == 0
    [(path, body)] = desk.daemon.posted
    assert f"inc-1 is acknowledged by {body['by']}" in desk.run("incidents", "ack", "inc-1").stderr
    assert path == "incidents/inc-1/ack" and body["for"] == "24h" and body["by"]
    assert desk.run("incidents", "ack", "inc-1", "--for", "soon").exit_code == 2
    assert "inc-1 is snoozed for 2h" in desk.run("incidents", "snooze", "inc-1", "--for", "2h").stderr
    assert desk.daemon.posted[-1] == ("incidents/inc-1/snooze", {"for": "2h", "by": body["by"]})
    assert desk.run("incidents", "snooze", "inc-1").exit_code == 2, "a snooze must end"
    assert desk.run("incidents", "snooze", "inc-1", "--for", "soon").exit_code == 2
    assert "inc-1 is open again." in desk.run("incidents", "reopen", "inc-1").stderr
    assert desk.daemon.posted[-1] == ("incidents/inc-1/reopen", {"by": body["by"]})
    resolved = desk.run("incidents", "resolve", "inc-1", "--note", "not needed")
    path, body = desk.daemon.posted[-1]
    assert (path, body["note"]) == ("incidents/inc-1/resolve", "not needed")
    assert f"inc-1 is resolved by {body['by']}." in resolved.stderr


def test_one_line_stands_for_a_group_as_long_as_any_of_it_is_open(desk):
    desk.daemon.pages["incidents"] = incident(desk, state="resolved", members=["inc-2", "inc-3"], members_open=1)
    line = desk.run("incidents").stdout.splitlines()[1]
    assert "hello:3  ×3" in line and line.endswith("OPEN")
    desk.daemon.pages["incidents"] = incident(desk, state="snoozed", acknowledged_by="me", members=["inc-2"], members_open=2)
    assert desk.run("incidents").stdout.splitlines()[1].endswith("SNOOZED by me")


def test_a_postmortem_is_printed_as_it_is(desk):
    desk.daemon.pages["incidents/inc-1/postmortem"] = {"id": "inc-1", "lang": "ja", "markdown": "# x\n\n## 発生\n"}
    assert desk.run("incidents", "show", "inc-1", "--markdown", "--lang", "ja").stdout == "# x\n\n## 発生\n"
    assert desk.daemon.asked[-1] == ("incidents/inc-1/postmortem", {"lang": "ja"})
    assert json.loads(desk.run("incidents", "show", "inc-1", "--markdown", "-o", "json").stdout)["lang"] == "ja"
    assert desk.run("incidents", "show", "inc-1", "--markdown", "--lang", "fr").exit_code == 2


def test_port_and_state_name_the_daemon(desk, tmp_path):
    desk.daemon.pages["why"] = {"lines": ["x"]}
    desk.run("why", "x", "--port", "4999", "--state", str(tmp_path))
    assert (desk.targets[0].port, desk.targets[0].state) == (4999, tmp_path)


@pytest.mark.parametrize(
    ("code", "message", "step"),
    [
        ("ClusterNotFoundException", "Cluster not found.", "in eu-west-1: aws ecs create-cluster"),
        ("ClientException", "TaskDefinition not found.", "Register it in eu-west-1: hinoban run FILE.json"),
        ("InvalidParameterException", "Task definition does not support launch_type FARGATE.", '"requiresCompatibilities": ["FARGATE"]'),
        ("UnrecognizedClientException", "The security token included in the request is invalid.", "--state DIR"),
        ("ServerException", "Something else.", "Correct what it names"),
    ],
)
def test_an_aws_error_is_told_as_the_aws_cli_does_with_a_next_step(desk, code, message, step):
    def refuse(params):
        raise AwsError(code, message)

    desk.daemon.define()
    desk.daemon.region = "eu-west-1"
    desk.daemon.RunTask = refuse
    result = desk.run("run", "hello")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[0] == f"An error occurred ({code}): {message}" and step in result.stderr.splitlines()[1]
    told = json.loads(desk.run("run", "hello", "-o", "json").stdout)["error"]
    assert (told["what"], told["why"]) == (code, message) and step in told["todo"]


def test_an_unknown_family_is_told_where_to_register_it(desk):
    result = desk.run("run", "unheard")
    assert result.exit_code == 1 and "Register it in ap-northeast-1" in result.stderr


def test_interrupting_a_wait_ends_with_130(desk):
    def interrupt(params):
        raise KeyboardInterrupt

    desk.daemon.define()
    desk.daemon.RunTask = interrupt
    assert desk.run("run", "hello", "--wait").exit_code == 130


@pytest.mark.parametrize("text", ["{", "[]", '{"family": "x"}'])
def test_a_file_that_is_no_definition_is_a_usage_error(desk, tmp_path, text):
    path = tmp_path / "bad.json"
    path.write_text(text)
    result = desk.run("run", str(path))
    assert result.exit_code == 2 and len(result.stderr.splitlines()) == 3


def test_version_and_bad_options(desk):
    assert desk.run("version").stdout.startswith("hinoban 0.")
    assert desk.run("up", "--runtime", "magic").exit_code == 2
    assert desk.run("run", "hello", "-e", "NOVALUE").exit_code == 2


def two_containers(desk, *codes):
    """A family of two essential containers whose task ends with these codes."""
    one = "c" * 32
    containers = [{"name": name, "image": "x", "essential": True} for name in ("proxy", "app")]
    desk.daemon.define(containerDefinitions=containers)
    desk.daemon.launches = [launched(one)]
    ended = [{"name": name, "exitCode": code} for name, code in zip(("proxy", "app"), codes, strict=False)]
    desk.daemon.lives[one] = [stopped(one, 0, containers=ended)]
    desk.daemon.log[(DEFAULT_GROUP, f"hello/app/{one}")] = ["done"]


@pytest.mark.parametrize(("codes", "code"), [((143, 0), 0), ((143, 3), 3), ((0, 137), 0)])
def test_waiting_for_several_essential_containers_ends_as_the_one_that_ended_the_task(desk, codes, code):
    two_containers(desk, *codes)
    assert desk.run("run", "hello", "--wait").exit_code == code


def test_waiting_with_json_prints_one_object_at_the_end_and_the_log_beside_it(desk):
    two_containers(desk, 143, 3)
    result = desk.run("run", "hello", "--wait", "-o", "json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["exitCode"], told["failures"]) == (3, 3, [])
    assert [one["lastStatus"] for one in told["tasks"]] == ["STOPPED"]
    assert "app | done" in result.stderr


def test_waiting_with_json_tells_the_retried_task_too(desk):
    desk.daemon.define()
    two = "d" * 32
    desk.daemon.launches = [launched(failures=[NO_ROOM])]
    desk.daemon.pages["incidents"] = incident(desk, {"number": 2, "outcome": "running", "task": task_arn(two)})
    desk.daemon.lives[two] = [stopped(two, 0)]
    told = json.loads(desk.run("run", "hello", "--wait", "--retry", "-o", "json").stdout)
    assert ([one["taskArn"] for one in told["tasks"]], told["failures"], told["exitCode"]) == ([task_arn(two)], [NO_ROOM], 0)


def test_an_override_asks_which_of_several_essential_containers_it_is_for(desk):
    two_containers(desk, 0, 0)
    unclear = desk.run("run", "hello", "-e", "A=1")
    assert unclear.exit_code == 2 and "--container NAME" in unclear.stderr and "RunTask" not in [name for name, _ in desk.daemon.asked]
    assert desk.run("run", "hello", "--container", "none", "--", "ls").exit_code == 2
    assert desk.run("run", "hello", "-e", "A=1", "--container", "app").exit_code == 0
    [changes] = desk.daemon.params_of("RunTask")["overrides"]["containerOverrides"]
    assert changes == {"name": "app", "environment": [{"name": "A", "value": "1"}]}


def test_open_incidents_alone_can_be_listed_without_naming_list(desk):
    desk.daemon.pages["incidents"] = incident(desk)
    assert desk.run("incidents", "--open").exit_code == 0
    assert desk.daemon.asked[-1] == ("incidents", {"limit": 50, "state": "open", "leads": "true"})


def test_the_version_is_an_option_too(desk):
    assert desk.run("--version").stdout == desk.run("version").stdout
