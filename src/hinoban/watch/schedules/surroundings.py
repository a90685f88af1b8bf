"""Asks whether what schedules need to start a run is there: definitions, clusters and, where wanted, roles and secrets.

Metadata only: the value of a secret or parameter is never asked for.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from hinoban.aws import arns
from hinoban.aws.errors import AwsError
from hinoban.watch.schedules.asking import Asker, Failed, each
from hinoban.watch.schedules.model import Definition, Presence, Schedule, Surroundings

_CLUSTERS_AT_ONCE = 100
_PARAMETERS_AT_ONCE = 50
# IAM is one for all regions of a partition, and signed for in this one.
_IAM_REGIONS = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
_NO_DEFINITION = ("ClientException",)
_NO_ROLE = ("NoSuchEntity", "NoSuchEntityException")
_NO_SECRET = ("ResourceNotFoundException",)


async def surroundings(schedules: Iterable[Schedule], asker: Asker, *, roles: bool, secrets: bool) -> Surroundings:
    """Of the enabled schedules of the asker's region; what could not be asked is left out, its problem kept."""
    enabled = [schedule for schedule in schedules if schedule.enabled and schedule.region == asker.region]
    definitions = await _definitions(enabled, asker)
    return Surroundings(
        definitions=definitions,
        clusters=await _clusters(sorted({schedule.cluster for schedule in enabled}), asker),
        roles=await _roles(_roles_of(enabled, definitions), asker) if roles else {},
        secrets=await _secrets(sorted({one for definition in definitions.values() for one in definition.secrets}), asker)
        if secrets
        else {},
    )


def joined(parts: Sequence[Surroundings]) -> Surroundings:
    """Those of several regions as one."""
    return Surroundings(
        definitions={key: value for part in parts for key, value in part.definitions.items()},
        clusters={key: value for part in parts for key, value in part.clusters.items()},
        roles={key: value for part in parts for key, value in part.roles.items()},
        secrets={key: value for part in parts for key, value in part.secrets.items()},
    )


async def _definitions(schedules: Sequence[Schedule], asker: Asker) -> dict[tuple[str, str], Definition]:
    """Each reference once, and of pinned ones that are not ACTIVE the family too: is there a revision to go over to?"""
    found: dict[tuple[str, str], Definition] = {}

    async def one(name: str) -> None:
        try:
            answer = await asker.ask("ecs", "DescribeTaskDefinition", {"taskDefinition": name}, about=name, expect=_NO_DEFINITION)
        except AwsError as error:
            # facts/ecs.md §3.3. The code says many things (`Account is blocked`); only this text says that there is no such definition.
            if not error.message.startswith("Unable to describe task definition"):
                asker.keep("ecs", "DescribeTaskDefinition", name, error)
                return
            found[asker.region, name] = Definition(status=None)
            return
        found[asker.region, name] = _definition(answer["taskDefinition"])

    await each(sorted({schedule.job for schedule in schedules}), one)
    pinned = {schedule.family for schedule in schedules if (known := found.get((asker.region, schedule.job))) and known.status != "ACTIVE"}
    await each(sorted(family for family in pinned if (asker.region, family) not in found), one)
    return found


def _definition(definition: dict[str, Any]) -> Definition:
    containers = definition.get("containerDefinitions") or []
    named = [secret["valueFrom"] for container in containers for secret in container.get("secrets") or ()]
    named += [one["credentialsParameter"] for container in containers if (one := container.get("repositoryCredentials"))]
    given = (definition.get("taskRoleArn"), definition.get("executionRoleArn"))
    return Definition(
        status=definition.get("status"),
        revision=definition.get("revision"),
        roles=tuple(dict.fromkeys(role for role in given if role)),
        secrets=tuple(dict.fromkeys(named)),
    )


async def _clusters(names: Sequence[str], asker: Asker) -> dict[tuple[str, str], str | None]:
    found: dict[tuple[str, str], str | None] = {}

    async def some(batch: Sequence[str]) -> None:
        answer = await asker.ask("ecs", "DescribeClusters", {"clusters": list(batch)}, about=", ".join(batch[:3]))
        for cluster in answer.get("clusters") or ():
            found[asker.region, cluster["clusterName"]] = cluster.get("status")
        for failure in answer.get("failures") or ():
            # An unknown cluster is no error: 200 with a failure MISSING (facts/ecs.md §12).
            if failure.get("reason") == "MISSING":
                found.setdefault((asker.region, str(failure.get("arn")).rpartition("/")[2]), None)

    await each(_batches(names, _CLUSTERS_AT_ONCE), some)
    return found


def _roles_of(schedules: Sequence[Schedule], definitions: dict[tuple[str, str], Definition]) -> list[str]:
    """ARNs of the roles in the schedules' own accounts; others cannot be asked for."""
    wanted: set[str] = set()
    for schedule in schedules:
        definition = definitions.get((schedule.region, schedule.job))
        for role in (schedule.role, *(definition.roles if definition else ())):
            if role and arns.is_arn(role) and f"::{schedule.account}:role/" in role:
                wanted.add(role)
    return sorted(wanted)


async def _roles(wanted: Sequence[str], asker: Asker) -> dict[str, Presence]:
    """An account without any role says nothing about one that is missing: an engine of one machine that never made roles."""
    asker = asker.elsewhere(_IAM_REGIONS[arns.partition_of(asker.region)])
    if not wanted or not await _any_role(asker):
        return {}
    found: dict[str, Presence] = {}

    async def one(role: str) -> None:
        name = role.rpartition("/")[2]
        try:
            await asker.ask("iam", "GetRole", {"RoleName": name}, about=name, expect=_NO_ROLE)
        except AwsError:
            found[role] = "missing"
            return
        found[role] = "there"

    await each(wanted, one)
    return found


async def _any_role(asker: Asker) -> bool:
    try:
        return bool((await asker.ask("iam", "ListRoles", {"MaxItems": 1})).get("Roles"))
    except Failed:
        return False


async def _secrets(wanted: Sequence[str], asker: Asker) -> dict[tuple[str, str], Presence]:
    found: dict[tuple[str, str], Presence] = {}

    async def one(secret: str) -> None:
        # arn:aws:secretsmanager:R:A:secret:NAME-SUFFIX, behind which a JSON key, a stage and a version may stand.
        parts = secret.split(":")
        try:
            where = asker.elsewhere(parts[3])
            answer = await where.ask(
                "secretsmanager", "DescribeSecret", {"SecretId": ":".join(parts[:7])}, about=parts[6], expect=_NO_SECRET
            )
        except AwsError:
            found[asker.region, secret] = "missing"
            return
        found[asker.region, secret] = "deleted" if answer.get("DeletedDate") else "there"

    async def parameters(batch: Sequence[str]) -> None:
        names = sorted({name for one in batch for name in _parameter_names(one)})
        question = {"ParameterFilters": [{"Key": "Name", "Option": "Equals", "Values": names}], "MaxResults": 50}
        there = {item["Name"] async for item in asker.pages("ssm", "DescribeParameters", question, "Parameters")}
        for parameter in batch:
            found[asker.region, parameter] = "there" if there.intersection(_parameter_names(parameter)) else "missing"

    await each([secret for secret in wanted if _is_secret(secret)], one)
    own = [parameter for parameter in wanted if _is_parameter(parameter, asker.region)]
    # Half as many at once: an ARN may stand for two names.
    await each(_batches(own, _PARAMETERS_AT_ONCE // 2), parameters)
    return found


def _is_secret(value_from: str) -> bool:
    return value_from.startswith("arn:") and ":secretsmanager:" in value_from and value_from.count(":") >= 6


def _is_parameter(value_from: str, region: str) -> bool:
    """A parameter of this region, by name or ARN; secretsmanager names cannot be written without an ARN."""
    return not value_from.startswith("arn:") or f":ssm:{region}:" in value_from


def _parameter_names(value_from: str) -> tuple[str, ...]:
    """`parameter/a` in an ARN stands for `a` and for `/a`."""
    if not value_from.startswith("arn:"):
        return (value_from,)
    name = value_from.partition(":parameter/")[2]
    return (f"/{name}",) if "/" in name else (name, f"/{name}")


def _batches(items: Sequence[str], size: int) -> list[Sequence[str]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
