"""ARNs that we make, and the parts of any ARN."""

from msgspec import Struct


class Arn(Struct, frozen=True):
    """The six parts of an ARN; `resource` is all that follows the account and may hold colons and slashes."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"


def parse(arn: str) -> Arn:
    """The parts of `arn:partition:service:region:account:resource`; ValueError if it is not one."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or not parts[1] or not parts[2] or not parts[5]:
        raise ValueError(f"{arn!r} is not an ARN; it should be arn:partition:service:region:account:resource")
    return Arn(*parts[1:])


def is_arn(text: str) -> bool:
    """Whether the text means to be an ARN rather than a name."""
    return text.startswith("arn:")


def partition_of(region: str) -> str:
    """The partition a region is in."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def _ecs(region: str, account: str, resource: str) -> str:
    return f"arn:{partition_of(region)}:ecs:{region}:{account}:{resource}"


def cluster_arn(region: str, account: str, cluster: str) -> str:
    return _ecs(region, account, f"cluster/{cluster}")


def task_arn(region: str, account: str, cluster: str, task_id: str) -> str:
    """The long form, which every account has had since 2021."""
    return _ecs(region, account, f"task/{cluster}/{task_id}")


def container_arn(region: str, account: str, cluster: str, task_id: str, container_id: str) -> str:
    return _ecs(region, account, f"container/{cluster}/{task_id}/{container_id}")


def task_definition_arn(region: str, account: str, family: str, revision: int) -> str:
    return _ecs(region, account, f"task-definition/{family}:{revision}")


def log_group_arn(region: str, account: str, group: str) -> str:
    """Without the trailing `:*`, the form of `logGroupArn`; `arn` in DescribeLogGroups has it (facts/logs.md)."""
    return f"arn:{partition_of(region)}:logs:{region}:{account}:log-group:{group}"


def log_stream_arn(region: str, account: str, group: str, stream: str) -> str:
    return f"{log_group_arn(region, account, group)}:log-stream:{stream}"


def user_arn(account: str, user: str) -> str:
    return f"arn:aws:iam::{account}:user/{user}"
