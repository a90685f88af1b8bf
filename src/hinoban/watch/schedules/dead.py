"""Why a schedule's next run cannot start, said before it fails to. PURE: only what was asked and answered counts; the unknown is no reason."""

from hinoban.aws import arns
from hinoban.watch.schedules.model import Dead, Schedule, Surroundings, Thing

_INACTIVE = "RunTask InvalidParameterException: TaskDefinition is inactive"
_NO_DEFINITION = "RunTask ClientException: TaskDefinition not found."
_NO_CLUSTER = "RunTask ClusterNotFoundException: Cluster not found."
_OLD_CLUSTER = "RunTask ClusterNotFoundException: The referenced cluster was inactive."


def why_dead(schedule: Schedule, around: Surroundings) -> tuple[Dead, ...]:
    """What an enabled schedule lacks, the gravest first: its definition, its cluster, roles, secrets. None of a disabled one."""
    if not schedule.enabled:
        return ()
    return (*_definition(schedule, around), *_cluster(schedule, around), *_roles(schedule, around), *_secrets(schedule, around))


def _dead(schedule: Schedule, thing: Thing, name: str, why: str, repair: str, said: str | None = None) -> Dead:
    return Dead(key=schedule.key, thing=thing, name=name, why=why, said=said, repair=repair)


def _definition(schedule: Schedule, around: Surroundings) -> list[Dead]:
    known = around.definitions.get((schedule.region, schedule.job))
    if known is None or known.status == "ACTIVE":
        return []
    said = _NO_DEFINITION if known.status is None else _INACTIVE if known.status == "INACTIVE" else None
    if schedule.revision is None:
        why = f"family {schedule.family} has no ACTIVE revision"
        repair = f"Register one: aws ecs register-task-definition --region {schedule.region} --cli-input-json file://{schedule.family}.json"
        return [_dead(schedule, "definition", schedule.job, why, repair, said)]
    state = "does not exist" if known.status is None else f"is {known.status}"
    family = around.definitions.get((schedule.region, schedule.family))
    newest = family is not None and family.status == "ACTIVE" and family.revision is not None
    also = f" (the newest ACTIVE one is :{family.revision})" if family is not None and newest else ""
    repair = f"Let the target name the family, no revision: {unpin(schedule)}"
    if family is not None and not newest:
        also = f", and family {schedule.family} has no ACTIVE revision"
        repair = f"Register {schedule.family} again, then let the target name the family: {unpin(schedule)}"
    return [_dead(schedule, "definition", schedule.job, f"pinned to {schedule.job}, which {state}{also}", repair, said)]


def _cluster(schedule: Schedule, around: Surroundings) -> list[Dead]:
    place = (schedule.region, schedule.cluster)
    if place not in around.clusters or (status := around.clusters[place]) not in (None, "INACTIVE"):
        return []
    repair = f"Create it: aws ecs create-cluster --region {schedule.region} --cluster-name {schedule.cluster}"
    if status is None:
        return [_dead(schedule, "cluster", schedule.cluster, f"cluster {schedule.cluster} does not exist", repair, _NO_CLUSTER)]
    return [_dead(schedule, "cluster", schedule.cluster, f"cluster {schedule.cluster} was deleted", repair, _OLD_CLUSTER)]


def _roles(schedule: Schedule, around: Surroundings) -> list[Dead]:
    definition = around.definitions.get((schedule.region, schedule.job))
    found = []
    for arn in dict.fromkeys([schedule.role, *(definition.roles if definition else ())]):
        if arn is None or around.roles.get(arn) != "missing":
            continue
        name = arn.rpartition("/")[2]
        whose = "the target" if arn == schedule.role else f"task definition {schedule.job}"
        repair = f"Create role {name}, or put another into {whose}. Which exist: aws iam list-roles --query 'Roles[].RoleName'"
        found.append(_dead(schedule, "role", name, f"role {name} does not exist ({whose} names it)", repair))
    return found


def _secrets(schedule: Schedule, around: Surroundings) -> list[Dead]:
    definition = around.definitions.get((schedule.region, schedule.job))
    found = []
    for secret in definition.secrets if definition else ():
        state = around.secrets.get((schedule.region, secret))
        if state not in ("missing", "deleted"):
            continue
        name, store = _secret_name(secret)
        what = "does not exist" if state == "missing" else "is scheduled for deletion"
        if state == "deleted":
            repair = f"Keep it: aws secretsmanager restore-secret --secret-id {name}"
        elif store == "parameter":
            repair = (
                f"Create it: aws ssm put-parameter --region {schedule.region} --type SecureString --name {name} --value file:///dev/stdin"
            )
        else:
            repair = f"Create it: aws secretsmanager create-secret --name {name} --secret-string file:///dev/stdin"
        found.append(_dead(schedule, "secret", name, f"{store} {name} {what} (task definition {schedule.job} needs it)", repair))
    return found


def _secret_name(value_from: str) -> tuple[str, str]:
    """(name, `secret` or `parameter`) of a valueFrom. The six characters that Secrets Manager adds to a name are not part of it."""
    if not arns.is_arn(value_from):
        return value_from, "parameter"
    kind, _, name = arns.parse(value_from).resource.partition("/" if ":ssm:" in value_from else ":")
    if kind == "parameter":
        return (f"/{name}" if "/" in name else name), "parameter"
    name = name.partition(":")[0]
    stem, _, suffix = name.rpartition("-")
    return (stem if stem and len(suffix) == 6 else name), "secret"


def unpin(schedule: Schedule) -> str:
    """One command, to be pasted, that takes the revision out of the target and leaves all else as it is. It prints no value of Input."""
    edit = f"""sed 's#task-definition/{schedule.job}"#task-definition/{schedule.family}"#'"""
    where = f"--region {schedule.region}"
    if schedule.kind == "rule":
        read = f"aws events list-targets-by-rule {where} --rule {schedule.name} --query Targets --output json | {edit}"
        return f"""aws events put-targets {where} --rule {schedule.name} --targets "$({read})\""""
    # UpdateSchedule replaces the whole: what it has must be said again (facts/eventbridge.md §8.1).
    kept = ",".join(f"{member}:{member}" for member in schedule.members)
    read = f"aws scheduler get-schedule {where} --group-name {schedule.group} --name {schedule.name} --query '{{{kept}}}' --output json"
    return f"""aws scheduler update-schedule {where} --cli-input-json "$({read} | {edit})\""""
