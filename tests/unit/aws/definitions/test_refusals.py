"""Registration refused: one case for each of AWS's texts."""

from typing import Any

import pytest

from hinoban.aws.definitions.register import normalise, refusals
from hinoban.aws.errors import AwsError

ROLE = "arn:aws:iam::123456789012:role/ecsTaskExecutionRole"
ECR = "123456789012.dkr.ecr.ap-northeast-1.amazonaws.com"
Request = dict[str, Any]


def register(request: Request) -> dict[str, Any]:
    return normalise(request, account="123456789012", region="ap-northeast-1")


def logs(prefix: str = "ecs") -> dict[str, Any]:
    options = {"awslogs-group": "/ecs/report", "awslogs-region": "ap-northeast-1", "awslogs-stream-prefix": prefix}
    return {"logDriver": "awslogs", "options": options}


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


def fargate_container(**members: Any) -> Request:
    return fargate(containerDefinitions=[{"name": "job", "image": "busybox", **members}])


def ec2(*containers: dict[str, Any], **members: Any) -> Request:
    """A definition without launch type or network mode; each container has what it must have."""
    filled = [{"name": f"c{number}", "image": "busybox", "memory": 64, **each} for number, each in enumerate(containers)]
    return {"family": "job", "containerDefinitions": filled, **members}


def one(**members: Any) -> Request:
    return ec2(members)


DOCS = " See the Amazon ECS documentation for the valid values."
CASES: list[tuple[Request, str]] = [
    # the task
    (ec2({}, family=""), "Family can not be blank."),
    (ec2({}, family="a b"), "Family contains invalid characters."),
    (ec2({}, family="a" * 256), "Family contains invalid characters."),
    (ec2(), "Container list cannot be empty."),
    (ec2(*[{}] * 11), "Too many containers."),
    (ec2({}, inferenceAccelerators=[{"deviceName": "d", "deviceType": "eia1.medium"}]), "Unsupported field 'inferenceAccelerators'"),
    (ec2({}, cpu="many"), "Invalid 'cpu' setting for task."),
    (ec2({}, cpu="127"), "Invalid 'cpu' setting for task."),
    (ec2({}, cpu="196609"), "Invalid 'cpu' setting for task."),
    (ec2({}, memory="much"), "Invalid 'memory' setting for task."),
    (fargate(cpu="many"), "Invalid 'cpu' setting for task."),
    (fargate(memory="0"), "Invalid 'memory' setting for task."),
    (fargate(ephemeralStorage={"sizeInGiB": 20}), "EphemeralStorage size should be at least 21"),
    (fargate(ephemeralStorage={"sizeInGiB": 201}), "EphemeralStorage size should be at most 200"),
    (
        ec2({}, requiresCompatibilities=["EC2"], ephemeralStorage={"sizeInGiB": 30}),
        "Tasks using the EC2 launch type do not support EphemeralStorage",
    ),
    (ec2({}, placementConstraints=[{"type": "memberOf", "expression": "x"}] * 11), "The maximum number of placement constraints is 10."),
    (ec2({}, placementConstraints=[{"type": "memberOf"}]), "Invalid expression in a placement constraint."),
    # Fargate
    (fargate(networkMode="bridge"), "Fargate only supports network mode ‘awsvpc’."),
    (fargate(networkMode=None), "Fargate only supports network mode ‘awsvpc’."),
    (fargate(cpu=None), "Fargate requires that 'cpu' be defined at the task level."),
    (fargate(memory=None), "Fargate requires that 'memory' be defined at the task level."),
    (fargate(memory="4 GB"), "No Fargate configuration exists for given values: 256 CPU, 4096 memory." + DOCS),
    (
        fargate(runtimePlatform={"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}),
        "No Fargate configuration exists for given values: 256 CPU, 512 memory." + DOCS,
    ),
    (fargate_container(image=f"{ECR}/job:1"), "Fargate requires task definition to have execution role ARN to support ECR images."),
    (fargate(ipcMode="task"), "Fargate compatible task definitions do not support ipcMode"),
    (
        fargate(pidMode="host"),
        "Tasks using the Fargate launch type do not support pidMode 'host'. The supported value for pidMode is 'task'.",
    ),
    (
        fargate(placementConstraints=[{"type": "memberOf", "expression": "x"}]),
        "Fargate compatible task definitions do not support constraints",
    ),
    (fargate(volumes=[{"name": "v", "host": {"sourcePath": "/"}}]), "Fargate compatible task definitions do not support sourcePath"),
    (
        fargate(volumes=[{"name": "v", "dockerVolumeConfiguration": {"scope": "task"}}]),
        "Fargate compatible task definitions do not support dockerVolumeConfiguration",
    ),
    (fargate_container(privileged=True), "Fargate requires that the 'privileged' setting be 'false'"),
    (
        fargate_container(linuxParameters={"devices": [{"hostPath": "/dev/x"}]}),
        "Fargate compatible task definitions do not support devices",
    ),
    (fargate_container(linuxParameters={"maxSwap": 0}), "Fargate compatible task definitions do not support maxSwap"),
    (fargate_container(linuxParameters={"sharedMemorySize": 64}), "Fargate compatible task definitions do not support sharedMemorySize"),
    (fargate_container(linuxParameters={"swappiness": 60}), "Fargate compatible task definitions do not support swappiness"),
    (
        fargate_container(linuxParameters={"tmpfs": [{"containerPath": "/t", "size": 1}]}),
        "Fargate compatible task definitions do not support tmpfs",
    ),
    (
        fargate_container(linuxParameters={"capabilities": {"add": ["SYS_PTRACE", "NET_ADMIN"]}}),
        "Fargate compatible task definitions do not support capabilities.add",
    ),
    (
        fargate_container(resourceRequirements=[{"type": "GPU", "value": "1"}]),
        "Fargate compatible task definitions do not support gpu",
    ),
    (fargate_container(dnsSearchDomains=["x"]), "Fargate compatible task definitions do not support dnsSearchDomains"),
    (fargate_container(dockerSecurityOptions=["x"]), "Fargate compatible task definitions do not support dockerSecurityOptions"),
    # containers
    (one(name=""), "Container.name should not be null or empty."),
    (one(name="a b"), "Container.name contains invalid characters."),
    (one(image=""), "Container.image should not be null or empty."),
    (one(image="a b"), "Container.image contains invalid characters"),
    (ec2({"name": "a"}, {"name": "a"}), "Container names must be unique within a task definition"),
    (one(essential=False), "Task definition doesn't have any essential container"),
    (one(cpu=-1), "Invalid 'cpu' setting for container 'c0'."),
    (one(memory=0), "Invalid 'memory' setting for container 'c0'."),
    (one(memoryReservation=0), "Invalid 'memoryReservation' setting for container 'c0'."),
    (
        one(memory=None),
        "Invalid setting for container 'c0'. At least one of 'memory' or 'memoryReservation' must be specified.",
    ),
    (
        one(memoryReservation=65),
        "Invalid setting for container 'c0'. 'memory' must be greater than or equal to 'memoryReservation'",
    ),
    (fargate_container(memory=513), "The 'memory' setting for container 'job' is greater than for the task"),
    (
        ec2({"cpu": 100}, {"cpu": 101}, cpu="200"),
        "The sum of all container 'cpu' values cannot be greater than the task-level 'cpu' value",
    ),
    (one(startTimeout=1), "Granular start timeout on container 'c0' must be at least 2 seconds."),
    (one(stopTimeout=1), "Granular stop timeout on container 'c0' must be at least 2 seconds."),
    (
        fargate_container(stopTimeout=121),
        "Tasks using the Fargate launch type must have a container stop timeout of less than 120 seconds.",
    ),
    (
        fargate_container(startTimeout=121),
        "Tasks using the Fargate launch type must have a container start timeout of less than 120 seconds.",
    ),
    (
        one(restartPolicy={"enabled": True, "restartAttemptPeriod": 59}),
        "the 'restartAttemptPeriod' setting for container 'c0' must be between 60 and 1800",
    ),
    (
        one(restartPolicy={"enabled": True, "ignoredExitCodes": list(range(51))}),
        "the 'ignoredExitCodes' setting for container 'c0' must have at most 50 values",
    ),
    (one(healthCheck={"command": []}), "The health check command of container 'c0' must not be empty."),
    *[
        (
            one(healthCheck={"command": ["CMD", "x"], member: value}),
            f"The health check {member} of container 'c0' must be between {low} and {high}.",
        )
        for member, low, high in (("interval", 5, 300), ("timeout", 2, 60), ("retries", 1, 10), ("startPeriod", 0, 300))
        for value in (low - 1, high + 1)
    ],
    (one(ulimits=[{"name": "nofile", "softLimit": 2, "hardLimit": 1}]), "Soft limit exceeds hard limit for ulimit nofile"),
    (
        one(environmentFiles=[{"type": "s3", "value": "arn:aws:s3:::b/f.env"}] * 11),
        "The maximum number of environment files was exceeded. Specify ten or less and try again",
    ),
    (one(environmentFiles=[{"type": "s3", "value": "s3://b/f.env"}]), "Invalid arn syntax"),
    (
        one(secrets=[{"name": "A", "valueFrom": "a"}]),
        "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.",
    ),
    # the network
    (
        ec2({"hostname": "h"}, networkMode="awsvpc"),
        "hostname is not supported on container when networkMode=awsvpc",
    ),
    (ec2({"dnsServers": ["1.1.1.1"]}, networkMode="awsvpc"), "DNS servers are not supported on container when networkMode=awsvpc"),
    (
        ec2({"extraHosts": [{"hostname": "h", "ipAddress": "1.1.1.1"}]}, networkMode="awsvpc"),
        "Extra hosts are not supported on container when networkMode=awsvpc",
    ),
    (ec2({"disableNetworking": True}, networkMode="awsvpc"), "Disable Networking is not supported on container when networkMode=awsvpc"),
    *[
        (
            ec2({"portMappings": [{"containerPort": 80, "hostPort": 81}]}, networkMode=mode),
            f"When networkMode={mode}, the host ports and container ports in port mappings must match.",
        )
        for mode in ("awsvpc", "host")
    ],
    (ec2({"portMappings": [{"containerPort": 80}]}, networkMode="none"), "Port mappings are not supported when networkMode=none"),
    (ec2({"portMappings": [{"containerPort": 80}] * 2}, networkMode="awsvpc"), "container port is used multiple times in task"),
    (
        ec2(
            {"portMappings": [{"containerPortRange": "80-90"}]},
            {"portMappings": [{"containerPort": 85}]},
            networkMode="host",
        ),
        "container port is used multiple times in task",
    ),
    (
        one(portMappings=[{"containerPortRange": "80-90"}, {"containerPortRange": "90-95"}]),
        "container port is used multiple times in task",
    ),
    (
        one(portMappings=[{"containerPort": 80, "name": "http"}, {"containerPort": 81, "name": "http"}]),
        "port mapping name is already used",
    ),
    (one(portMappings=[{"containerPort": 80, "containerPortRange": "80-90"}]), "cannot specify both single port and port range"),
    *[
        (one(portMappings=[{"containerPortRange": text}]), "Invalid 'containerPortRange' setting")
        for text in ("90-80", "80", "0-9", "1-65536", "a-b", "")
    ],
    (
        one(portMappings=[{"containerPortRange": f"{port}-{port + 1}"} for port in range(1000, 1202, 2)]),
        "The maximum number of container port ranges is 100.",
    ),
    (one(portMappings=[{"containerPort": 0}]), "Invalid 'containerPort' setting for container 'c0'"),
    (one(portMappings=[{}]), "Invalid 'containerPort' setting for container 'c0'"),
    (one(portMappings=[{"containerPort": 1, "hostPort": 65536}]), "Invalid 'hostPort' setting for container 'c0'"),
    (one(portMappings=[{"containerPort": 1, "name": "HTTP"}]), "Invalid 'name' setting for a port mapping of container 'c0'"),
    # logs
    (
        fargate_container(logConfiguration={"logDriver": "json-file"}),
        "json-file is not a valid log driver. Must be one of [awslogs, splunk, awsfirelens]",
    ),
    (one(logConfiguration={"logDriver": "awslogs"}), "Log driver awslogs requires options: awslogs-region, awslogs-group"),
    (
        one(logConfiguration={"logDriver": "awslogs", "options": {"awslogs-region": "x"}}),
        "Log driver awslogs requires options: awslogs-group",
    ),
    (
        fargate_container(logConfiguration=logs("")),
        "Fargate requires log configuration options to include awslogs-stream-prefix",
    ),
    (
        fargate_container(logConfiguration=logs()),
        "Fargate requires task definition to have execution role ARN to support log driver awslogs.",
    ),
    (
        one(logConfiguration={"logDriver": "awsfirelens"}),
        "When awsfirelens log driver is specified in log configuration, a firelens configuration object must be specified",
    ),
    # dependencies
    (
        one(dependsOn=[{"containerName": "x", "condition": "START"}]),
        "Cannot depend on container + 'x' because it does not exist",
    ),
    *[
        (
            ec2({"dependsOn": [{"containerName": "c1", "condition": condition}]}, {}),
            "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container",
        )
        for condition in ("SUCCESS", "COMPLETE")
    ],
    (
        ec2({"dependsOn": [{"containerName": "c1", "condition": "HEALTHY"}]}, {}),
        "A dependency container with HEALTHY condition must have health check configured",
    ),
    (
        ec2(*({"dependsOn": [{"containerName": f"c{(number + 1) % 3}", "condition": "START"}]} for number in range(3))),
        "Container dependencies should not have a cycle",
    ),
    (one(dependsOn=[{"containerName": "c0", "condition": "START"}]), "Container dependencies should not have a cycle"),
    (ec2({"links": ["c1"]}, {"links": ["c0:zero"]}), "Container links should not have a cycle"),
    (one(links=["db"]), "Invalid 'links' setting. Unknown container: 'db'"),
    (ec2({"links": ["c1"]}, {}, networkMode="awsvpc"), "Links are not supported when networkMode=awsvpc"),
    (one(volumesFrom=[{"sourceContainer": "x"}]), "Invalid 'volumesFrom' setting. Unknown container: 'x'"),
    (one(mountPoints=[{"sourceVolume": "v", "containerPath": "/v"}]), "Unknown volume 'v'"),
    (ec2({}, volumes=[{"name": "v", "configuredAtLaunch": True}]), "Volumes [v] are not referenced by any of the containers"),
]


def without_absent(value: Any) -> Any:
    """Members set to None stand for absent ones."""
    if isinstance(value, dict):
        return {name: without_absent(each) for name, each in value.items() if each is not None}
    return [without_absent(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("request_", "message"), CASES, ids=[f"{number}-{text[:40]}" for number, (_, text) in enumerate(CASES)])
def test_a_fault_is_refused_in_its_own_words(request_: Request, message: str) -> None:
    with pytest.raises(AwsError) as caught:
        register(without_absent(request_))
    assert (caught.value.code, caught.value.status, caught.value.message) == ("ClientException", 400, message)
    assert next(refusals(without_absent(request_))).message == message
    assert all(each.code == "ClientException" for each in refusals(without_absent(request_)))


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ([{"key": str(number)} for number in range(51)], "The number of tags exceeds the maximum of 50."),
        ([{"key": ""}], "Tag keys must have 1 to 128 characters and tag values 0 to 256."),
        ([{"key": "k" * 129}], "Tag keys must have 1 to 128 characters and tag values 0 to 256."),
        ([{"key": "k", "value": "v" * 257}], "Tag keys must have 1 to 128 characters and tag values 0 to 256."),
        (
            [{"key": "author", "value": "bot[1]"}],
            "Some tags contain invalid characters. Valid characters: UTF-8 letters, spaces, numbers and _ . / = + - : @.",
        ),
        ([{"key": "aws:x"}], "Tag keys may not start with the reserved prefix aws:."),
        ([{"key": "a"}, {"key": "a"}], "Tag keys must be unique."),
    ],
)
def test_bad_tags_are_refused(tags: list[dict[str, str]], message: str) -> None:
    with pytest.raises(AwsError) as caught:
        register(ec2({}, tags=tags))
    assert (caught.value.code, caught.value.message) == ("InvalidParameterException", message)


def test_more_than_64_kib_are_refused_with_the_length() -> None:
    def sized(length: int) -> Request:
        return one(environment=[{"name": "A", "value": "x" * length}])

    with pytest.raises(AwsError, match=r"Actual length: '\d{6}'. Max allowed length is '65536' bytes.$") as first:
        register(sized(100_000))
    beyond = int(first.value.message.split("'")[1]) - 65536
    register(sized(100_000 - beyond))
    with pytest.raises(AwsError, match="Actual length: '65537'"):
        register(sized(100_000 - beyond + 1))


def test_a_linter_sees_every_fault() -> None:
    faults = [each.message for each in refusals(fargate(cpu="128", executionRoleArn=ROLE, ipcMode="host", pidMode="task"))]
    assert faults == [
        "No Fargate configuration exists for given values: 128 CPU, 512 memory." + DOCS,
        "Fargate compatible task definitions do not support ipcMode",
    ]
