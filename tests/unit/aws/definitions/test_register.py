"""Registration: what is filled in, where it could run, and that the answer can be registered again."""

from copy import deepcopy
from typing import Any

import pytest
from botocore.loaders import Loader
from hypothesis import given
from hypothesis import strategies as st

from hinoban.aws.definitions.register import normalise
from hinoban.aws.definitions.sizes import fargate_sizes
from hinoban.aws.errors import AwsError

PAIRS = [(cpu, memory) for cpu, sizes in fargate_sizes().items() for memory in sizes]
ROLE = "arn:aws:iam::123456789012:role/ecsTaskExecutionRole"
ECR = "123456789012.dkr.ecr.ap-northeast-1.amazonaws.com"
Request = dict[str, Any]


def register(request: Request) -> dict[str, Any]:
    return normalise(request, account="123456789012", region="ap-northeast-1")


def logs(prefix: str = "ecs") -> dict[str, Any]:
    options = {"awslogs-group": "/ecs/report", "awslogs-region": "ap-northeast-1", "awslogs-stream-prefix": prefix}
    return {"logDriver": "awslogs", "options": options}


def report() -> Request:
    """A nightly report on Fargate that waits for its migration."""
    return {
        "family": "nightly-report",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": ".5 vCPU",
        "memory": "1 GB",
        "executionRoleArn": ROLE,
        "taskRoleArn": "arn:aws:iam::123456789012:role/report",
        "runtimePlatform": {"operatingSystemFamily": "LINUX", "cpuArchitecture": "ARM64"},
        "volumes": [{"name": "scratch"}],
        "tags": [{"key": "team", "value": "billing"}],
        "containerDefinitions": [
            {
                "name": "migrate",
                "image": f"{ECR}/migrate:1.4",
                "essential": False,
                "command": ["./migrate", "--up"],
                "logConfiguration": logs("migrate"),
            },
            {
                "name": "report",
                "image": f"{ECR}/report:2026.11",
                "cpu": 256,
                "memoryReservation": 512,
                "dependsOn": [{"containerName": "migrate", "condition": "SUCCESS"}],
                "environment": [{"name": "TZ", "value": "Asia/Tokyo"}],
                "secrets": [{"name": "DSN", "valueFrom": "arn:aws:secretsmanager:ap-northeast-1:123456789012:secret:dsn-AbCdEf"}],
                "portMappings": [{"containerPort": 8080, "name": "http"}],
                "mountPoints": [{"sourceVolume": "scratch", "containerPath": "/scratch"}],
                "healthCheck": {"command": ["CMD-SHELL", "curl -f http://localhost:8080/ || exit 1"], "startPeriod": 30},
                "stopTimeout": 120,
                "logConfiguration": logs("report"),
            },
        ],
    }


def fargate(**members: Any) -> Request:
    """The smallest definition for Fargate, with `members`."""
    return {
        "family": "job",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [{"name": "job", "image": "busybox"}],
        **members,
    }


def ec2(*containers: dict[str, Any], **members: Any) -> Request:
    """A definition without launch type or network mode; each container has what it must have."""
    filled = [{"name": f"c{number}", "image": "busybox", "memory": 64, **each} for number, each in enumerate(containers)]
    return {"family": "job", "containerDefinitions": filled, **members}


def one(**members: Any) -> Request:
    return ec2(members)


def without_absent(value: Any) -> Any:
    """Members set to None stand for absent ones."""
    if isinstance(value, dict):
        return {name: without_absent(each) for name, each in value.items() if each is not None}
    return [without_absent(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("cpu", "memory"), PAIRS)
def test_every_fargate_pair_is_accepted_and_its_neighbours_are_not(cpu: int, memory: int) -> None:
    answer = register(fargate(cpu=str(cpu), memory=str(memory)))
    assert (answer["cpu"], answer["memory"]) == (str(cpu), str(memory))
    for other in {memory - 1, memory + 1, memory - 512, memory + 512, memory // 2, memory * 2} - {size for of, size in PAIRS if of == cpu}:
        if other > 0:
            with pytest.raises(AwsError, match=f"given values: {cpu} CPU, {other} memory"):
                register(fargate(cpu=str(cpu), memory=str(other)))


def test_a_realistic_definition_is_answered_as_aws_answers_it() -> None:
    request = report()
    before = deepcopy(request)
    answer = register(request)
    assert request == before
    migrate, main = answer.pop("containerDefinitions")
    assert answer == {
        "family": "nightly-report",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "compatibilities": ["EC2", "MANAGED_INSTANCES", "FARGATE"],
        "cpu": "512",
        "memory": "1024",
        "executionRoleArn": ROLE,
        "taskRoleArn": "arn:aws:iam::123456789012:role/report",
        "runtimePlatform": {"operatingSystemFamily": "LINUX", "cpuArchitecture": "ARM64"},
        "volumes": [{"name": "scratch", "host": {}}],
        "placementConstraints": [],
        "requiresAttributes": [
            {"name": "com.amazonaws.ecs.capability.docker-remote-api.1.18"},
            {"name": "com.amazonaws.ecs.capability.docker-remote-api.1.19"},
            {"name": "com.amazonaws.ecs.capability.docker-remote-api.1.21"},
            {"name": "com.amazonaws.ecs.capability.docker-remote-api.1.29"},
            {"name": "com.amazonaws.ecs.capability.ecr-auth"},
            {"name": "com.amazonaws.ecs.capability.logging-driver.awslogs"},
            {"name": "com.amazonaws.ecs.capability.task-iam-role"},
            {"name": "ecs.capability.container-health-check"},
            {"name": "ecs.capability.container-ordering"},
            {"name": "ecs.capability.execution-role-awslogs"},
            {"name": "ecs.capability.execution-role-ecr-pull"},
            {"name": "ecs.capability.secrets.asm.environment-variables"},
            {"name": "ecs.capability.task-eni"},
        ],
    }
    filled = {"environment": [], "mountPoints": [], "volumesFrom": [], "portMappings": [], "systemControls": []}
    assert migrate == {**request["containerDefinitions"][0], **filled, "cpu": 0}
    assert main["essential"] is True
    assert main["portMappings"] == [{"containerPort": 8080, "hostPort": 8080, "protocol": "tcp", "name": "http"}]
    assert main["healthCheck"] == {**request["containerDefinitions"][1]["healthCheck"], "interval": 30, "timeout": 5, "retries": 3}


@pytest.mark.parametrize(
    ("mode", "answered", "host_port"), [(None, "bridge", 0), ("bridge", "bridge", 0), ("host", "host", 80), ("awsvpc", "awsvpc", 80)]
)
def test_the_host_port_depends_on_the_network_mode(mode: str | None, answered: str, host_port: int) -> None:
    answer = register(without_absent(ec2({"portMappings": [{"containerPort": 80}]}, networkMode=mode)))
    assert answer["networkMode"] == answered
    assert answer["containerDefinitions"][0]["portMappings"] == [{"containerPort": 80, "hostPort": host_port, "protocol": "tcp"}]


def test_windows_without_network_mode_has_none() -> None:
    assert "networkMode" not in register(ec2({}, runtimePlatform={"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}))


def test_one_container_port_may_be_mapped_twice_in_bridge_mode() -> None:
    register(one(portMappings=[{"containerPort": 80, "hostPort": 8080}, {"containerPort": 80, "hostPort": 8081}]))


def test_one_port_serves_tcp_and_udp() -> None:
    register(ec2({"portMappings": [{"containerPort": 53}, {"containerPort": 53, "protocol": "udp"}]}, networkMode="awsvpc"))


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (ec2({}), ["EXTERNAL", "EC2"]),
        (fargate(requiresCompatibilities=[]), ["EC2", "MANAGED_INSTANCES", "FARGATE"]),
        (ec2({}, networkMode="awsvpc"), ["EC2"]),
        (
            fargate(requiresCompatibilities=[], containerDefinitions=[{"name": "a", "image": "b", "privileged": True}]),
            ["EC2", "MANAGED_INSTANCES"],
        ),
        (fargate(ephemeralStorage={"sizeInGiB": 21}), ["MANAGED_INSTANCES", "FARGATE"]),
    ],
)
def test_compatibilities_say_where_it_could_run(request_: Request, expected: list[str]) -> None:
    assert register(request_)["compatibilities"] == expected


def test_every_member_answered_is_one_that_botocore_knows() -> None:
    shapes = Loader().load_service_model("ecs", "service-2")["shapes"]

    def check(value: Any, shape_name: str, path: str) -> None:
        shape = shapes[shape_name]
        match shape["type"]:
            case "structure":
                assert set(value) <= set(shape["members"]), path
                for name, each in value.items():
                    check(each, shape["members"][name]["shape"], f"{path}.{name}")
            case "list":
                for each in value:
                    check(each, shape["member"]["shape"], path + "[]")
            case "map":
                assert all(isinstance(each, str) for each in value.values()), path
            case kind:
                assert isinstance(value, {"string": str, "integer": int, "boolean": bool}[kind]), path

    check(register(report()), "TaskDefinition", "taskDefinition")


names = st.text("abcdefgh-_0123456789", min_size=1, max_size=8)
mappings = st.fixed_dictionaries(
    {"containerPort": st.integers(min_value=1, max_value=9999)}, optional={"protocol": st.sampled_from(["tcp", "udp"])}
)
checks = st.fixed_dictionaries(
    {"command": st.just(["CMD", "true"])},
    optional={"interval": st.integers(5, 300), "retries": st.integers(1, 10), "startPeriod": st.integers(0, 300)},
)
container_members = st.fixed_dictionaries(
    {"image": st.sampled_from(["busybox", f"{ECR}/a:1", "ghcr.io/a/b@sha256:ab"])},
    optional={
        "cpu": st.integers(0, 20),
        "memory": st.integers(64, 512),
        "memoryReservation": st.integers(1, 64),
        "portMappings": st.lists(mappings, max_size=2, unique_by=lambda each: each["containerPort"]),
        "healthCheck": checks,
        "environment": st.lists(st.fixed_dictionaries({"name": names, "value": st.text(max_size=5)}), max_size=2),
        "command": st.lists(st.text(max_size=5), max_size=2),
        "stopTimeout": st.integers(2, 120),
        "secrets": st.just([{"name": "S", "valueFrom": "/a/parameter"}]),
        "logConfiguration": st.just(logs()),
    },
)


@st.composite
def definitions(draw: st.DrawFn) -> Request:
    count = draw(st.integers(1, 4))
    containers = [{"name": f"c{number}", **draw(container_members)} for number in range(count)]
    for number in range(1, count):
        for mapping in containers[number].get("portMappings", ()):
            mapping["containerPort"] += number * 10000
        if draw(st.booleans()):
            containers[number]["dependsOn"] = [{"containerName": f"c{draw(st.integers(0, number - 1))}", "condition": "START"}]
    launch = draw(st.sampled_from(["none", "EC2", "FARGATE"]))
    request: Request = {"family": draw(names), "containerDefinitions": containers, "memory": "1 GB", "executionRoleArn": ROLE}
    if launch == "none":
        return request
    request["requiresCompatibilities"] = [launch]
    request["networkMode"] = "awsvpc" if launch == "FARGATE" else draw(st.sampled_from(["bridge", "host", "awsvpc"]))
    return {**request, "cpu": ".25 vCPU", "volumes": [{"name": "v"}], "tags": [{"key": "k", "value": "v"}]}


@given(definitions())
def test_what_is_answered_can_be_registered_again_and_stays_the_same(request_: Request) -> None:
    before = deepcopy(request_)
    answer = register(request_)
    assert request_ == before
    again = {name: value for name, value in answer.items() if name not in ("requiresAttributes", "compatibilities")}
    assert register(again) == answer
