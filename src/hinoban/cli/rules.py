"""`rules`: what each rule looks for and found, what could not be delivered and why, and the policy that a rule's targets need."""

import difflib
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
import typer

from hinoban.aws import arns
from hinoban.base.errors import HinobanError
from hinoban.base.text import one_line
from hinoban.base.units import local_day_time, parse_iso
from hinoban.cli.connection import OnlineSource, Target
from hinoban.cli.shell import (
    Format,
    OutputOption,
    PortOption,
    Shell,
    StateOption,
    labelled,
    print_json,
    print_line,
    print_table,
    say,
    shell_of,
    with_daemon,
)

HEAD = ("RULE", "STATE", "LOOKS FOR", "MATCHED", "TARGET", "DELIVERED", "FAILED")
LOOKS_FOR = HEAD.index("LOOKS FOR")
SCHEDULE_HEAD = ("SCHEDULE", "DELIVERED", "FAILED")
BLIND = (
    "sees only events of services, but schedules start standalone tasks here: one that does not start or fails makes no such event, "
    "and nobody is told."
)
_KINDS = {
    ("logs", "log-group"): "log group",
    ("sns", ""): "SNS topic",
    ("sqs", ""): "SQS queue",
    ("ecs", "cluster"): "ECS cluster",
    ("events", "event-bus"): "bus",
    ("events", "api-destination"): "API destination",
    ("lambda", "function"): "Lambda function",
    ("states", "stateMachine"): "state machine",
}
_WITH_POLICY = ("logs", "sns", "sqs")

Row = dict[str, Any]


def rules(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="A rule (NAME, or BUS/NAME) or a schedule (NAME, or GROUP/NAME): all about it.")
    ] = None,
    policy: Annotated[bool, typer.Option("--policy", help="Print only the resource policy that the rule's targets need, as JSON.")] = False,
    target: Annotated[str | None, typer.Option("--target", help="With --policy: the Id of the one target that is meant.")] = None,
    region: Annotated[str | None, typer.Option("--region", help="Only rules of this region.")] = None,
    output: OutputOption = Format.TABLE,
    port: PortOption = None,
    state: StateOption = None,
) -> None:
    """List the rules: matched, delivered, failed and why; marks those that cannot see scheduled tasks fail."""
    shell = shell_of(ctx)

    async def work(source: OnlineSource) -> None:
        answer = _of_region(await source.get("rules"), region)
        everything = marked(answer)
        found = named(everything, name) if name is not None else everything
        if policy:
            print_json(policy_of(found["rules"] if name is not None else [], target))
        elif output is Format.JSON:
            print_json(found)
        elif name is not None:
            for line in details(found, _zone()):
                print_line(one_line(line))
        else:
            _print_list(found, shell)

    with_daemon(ctx, Target(port, state), output, work)


def marked(answer: Row) -> Row:
    """The answer, with `sees_only_services` on each rule: it can only see services while something here starts standalone tasks.

    `pattern_that_sees_tasks` is the pattern to use then, else null."""
    from hinoban.aws.event_patterns.sight import PATTERN_THAT_SEES_TASKS, sees_only_services

    schedules = answer.get("schedules", [])
    started = [target["arn"] for rule in answer["rules"] for target in rule["targets"]] + [one["target"] for one in schedules]
    tasks = any(_service(arn) == "ecs" for arn in started)
    found = [rule | {"sees_only_services": tasks and sees_only_services(rule["pattern"] or "")} for rule in answer["rules"]]
    pattern = PATTERN_THAT_SEES_TASKS if any(rule["sees_only_services"] for rule in found) else None
    return {"rules": found, "schedules": schedules, "pattern_that_sees_tasks": pattern}


def named(answer: Row, name: str) -> Row:
    """The rules and schedules of that name; HinobanError names the near ones where there is none."""
    kinds = ("rules", "schedules")
    found = {kind: [one for one in answer[kind] if name in (one["name"], label(one), one["arn"])] for kind in kinds}
    if not any(found.values()):
        known = list(dict.fromkeys(label(one) for kind in kinds for one in answer[kind]))
        raise unknown("rule or schedule", name, known, "hinoban rules")
    pattern = answer["pattern_that_sees_tasks"] if any(rule["sees_only_services"] for rule in found["rules"]) else None
    return found | {"pattern_that_sees_tasks": pattern}


def unknown(kind: str, name: str, known: list[str], command: str) -> HinobanError:
    """What is told of a name that nothing has."""
    near = difflib.get_close_matches(name, known, 3, 0.5) or [one for one in known if name.lower() in one.lower()][:3]
    why = f"near to it: {', '.join(near)}" if near else f"{len(known)} are known, none with a name near to it" if known else "there is none"
    return HinobanError(f"No {kind} {name}", why, f"See them with: {command}", exit_code=2)


def policy_of(found: list[Row], target_id: str | None) -> Row:
    """The resource policy that targets of the rules need: of all log groups at once, else of the one topic or queue."""
    from hinoban.aws.iam_match import needed

    if not found:
        raise HinobanError("No rule is named", "--policy is about one rule's targets", "Write: hinoban rules NAME --policy", exit_code=2)
    every = [(rule, target) for rule in found for target in rule["targets"] if target_id in (None, target["id"])]
    in_need = [(rule, target) for rule, target in every if _service(target["arn"]) in _WITH_POLICY]
    groups = [pair for pair in in_need if _service(pair[1]["arn"]) == "logs"]
    meant = groups if groups or len(in_need) != 1 else in_need
    name = label(found[0])
    if not in_need:
        raise _no_policy(name, [target for _, target in every], found, target_id)
    for _, target in in_need if target_id is None else ():
        if groups and _service(target["arn"]) != "logs":
            say(f"{place(target['arn'])} has a policy of its own: hinoban rules {name} --policy --target {target['id']}")
    if not meant:
        ids = ", ".join(target["id"] for _, target in in_need)
        why = f"each of the targets {ids} has a policy of its own"
        raise HinobanError(
            f"{name} needs several policies", why, f"Name one: hinoban rules {name} --policy --target {in_need[0][1]['id']}", exit_code=2
        )
    account = arns.parse(found[0]["arn"]).account
    return _merged([needed(target["arn"], rule_arn=rule["arn"], account=account) for rule, target in meant])


def _no_policy(name: str, targets: list[Row], found: list[Row], target_id: str | None) -> HinobanError:
    if not targets:
        ids = ", ".join(target["id"] for rule in found for target in rule["targets"])
        why = f"its targets are {ids}" if ids else "it has no targets"
        return HinobanError(f"No target {target_id} of {name}" if ids else f"{name} needs no policy", why, f"See: hinoban rules {name}")
    why = f"{', '.join(place(target['arn']) for target in targets)}: EventBridge reaches such a target by the role it names"
    return HinobanError(f"{name} needs no resource policy", why, f"See: hinoban rules {name}")


def _merged(documents: list[Row]) -> Row:
    """One document of several: statements that differ by their resource alone become one, because a Sid may stand only once."""
    statements: list[Row] = []
    for statement in (one for document in documents for one in document["Statement"]):
        same = next((one for one in statements if one | {"Resource": None} == statement | {"Resource": None}), None)
        if same is None:
            statements.append(dict(statement))
        else:
            both = [*([same["Resource"]] if isinstance(same["Resource"], str) else same["Resource"]), statement["Resource"]]
            same["Resource"] = list(dict.fromkeys(both)) if len(set(both)) > 1 else both[0]
    return documents[0] | {"Statement": statements}


def details(found: Row, zone: ZoneInfo) -> list[str]:
    """All that is known of the named rules and schedules, a line each fact."""
    lines: list[str] = []
    for rule in found["rules"]:
        failed = _failures(rule)
        lines.append(
            " · ".join((rule["name"], rule["region"], f"bus {rule['bus']}", rule["state"], f"matched {rule['matched']}"))
            + (f" · {failed} failed" if failed else "")
        )
        lines.append(labelled("Looks", looks_for(rule)))
        lines += [labelled("Pattern", rule["pattern"])] if rule["pattern"] else []
        lines += [labelled("Schedule", f"{rule['schedule']} UTC")] if rule["schedule"] else []
        for target in rule["targets"]:
            lines.append(labelled("Target", f"{target['id']} · {place(target['arn'])} · {_counted(target)}"))
            lines += _failure(target, zone)
        lines += [labelled("Target", "none: what it matches goes nowhere")] if not rule["targets"] else []
        if rule["sees_only_services"]:
            lines += [
                labelled("Blind", f"It {BLIND} This pattern would see them; refused launches only while a trail logs:"),
                _pattern(found),
            ]
    for one in found["schedules"]:
        lines.append(" · ".join((label(one), one["region"], "schedule", _counted(one))))
        lines += [labelled("Target", place(one["target"])), *_failure(one, zone)]
    return lines


def label(one: Row) -> str:
    """A rule as BUS/NAME, on the default bus as NAME; a schedule as GROUP/NAME."""
    if "group" in one:
        return f"{one['group']}/{one['name']}"
    return one["name"] if one["bus"] == "default" else f"{one['bus']}/{one['name']}"


def looks_for(rule: Row) -> str:
    """In few words: the schedule, or the source and detail-type of the pattern."""
    words = []
    if rule["schedule"]:
        from hinoban.aws import schedules

        expression = schedules.parse(rule["schedule"], dialect="rule")
        words.append(schedules.words(expression) + ("" if rule["schedule"].startswith("rate(") else " UTC"))
    if rule["pattern"]:
        words.append(_gist(rule["pattern"]))
    return " and ".join(words) or "nothing"


def _gist(text: str) -> str:
    """A pattern's source and detail-type, else the fields that it names."""
    try:
        pattern = msgspec.json.decode(text)
    except msgspec.DecodeError:  # AWS takes a pattern with more behind it (facts/eventbridge.md §4.4).
        return " ".join(text.split())
    source, kind = (_values(pattern.get(name)) for name in ("source", "detail-type"))
    return ": ".join(found for found in (source, kind) if found) or f"events by {', '.join(pattern)}"


def place(arn: str) -> str:
    """`log group /aws/events/x`, `SNS topic alerts`; the ARN where its kind is unknown."""
    try:
        parsed = arns.parse(arn)
    except ValueError:
        return arn
    resource = parsed.resource.removesuffix(":*")
    for (service, prefix), kind in _KINDS.items():
        if parsed.service == service and resource.startswith(prefix):
            return f"{kind} {resource[len(prefix) :].lstrip(':/') if service != 'logs' else resource.partition(':')[2]}"
    return arn


def _print_list(found: Row, shell: Shell) -> None:
    if not found["rules"] and not found["schedules"]:
        say("No rules.")
        return
    regions = {one["region"] for kind in ("rules", "schedules") for one in found[kind]}
    if found["rules"]:
        rows = [row for rule in found["rules"] for row in _rows(rule, len(regions) > 1)]
        print_table(HEAD, rows, shell.environ, cut=LOOKS_FOR)
    if found["schedules"]:
        rows = [(_label(one, len(regions) > 1), str(one["delivered"]), str(one["failed"])) for one in found["schedules"]]
        print_table(SCHEDULE_HEAD, rows, shell.environ)
    for line in _notes(found, _zone()):
        print_line(one_line(line))


def _rows(rule: Row, with_region: bool) -> list[tuple[str, ...]]:
    """A row for each target; the rule itself is named in the first."""
    targets = [(place(one["arn"]), str(one["delivered"]), str(one["failed"])) for one in rule["targets"]] or [("none", "-", "-")]
    first = (_label(rule, with_region), rule["state"], looks_for(rule), str(rule["matched"]))
    return [(*(first if index == 0 else ("",) * len(first)), *target) for index, target in enumerate(targets)]


def _notes(found: Row, zone: ZoneInfo) -> list[str]:
    """What went wrong, and what cannot go right, below the table."""
    lines: list[str] = []
    for rule in found["rules"]:
        for target in rule["targets"]:
            lines += _note(label(rule), target, target["arn"], zone)
    for one in found["schedules"]:
        lines += _note(label(one), one, one["target"], zone)
    blind = [label(rule) for rule in found["rules"] if rule["sees_only_services"]]
    if blind:
        lines += [
            *(f"{name} {BLIND}" for name in blind),
            "  This pattern would see them; refused launches only while a trail logs:",
            f"  {_pattern(found)}",
        ]
    return lines


def _note(name: str, counted: Row, arn: str, zone: ZoneInfo) -> list[str]:
    failure = counted["last_failure"]
    if failure is None:
        return []
    when = local_day_time(parse_iso(failure["at"]), zone)
    well = "" if counted["failing"] else " It is delivered again."
    lines = [f"{name}: {counted['failed']} failed to {place(arn)}, the last {when}: {failure['why']}.{well}"]
    return lines + ([f"  Repair: {failure['repair']}"] if failure["repair"] and counted["failing"] else [])


def _failure(counted: Row, zone: ZoneInfo) -> list[str]:
    failure = counted["last_failure"]
    if failure is None:
        return []
    well = "" if counted["failing"] else " It is delivered again."
    lines = [labelled("Failed", f"{local_day_time(parse_iso(failure['at']), zone)}: {failure['why']}.{well}")]
    message = failure["message"] if failure["message"] != failure["why"] else ""
    lines.append(labelled("Said", ": ".join(text for text in (failure["code"], message) if text)))
    return lines + ([labelled("Next", failure["repair"])] if failure["repair"] and counted["failing"] else [])


def _failures(rule: Row) -> int:
    return sum(int(target["failed"]) for target in rule["targets"])


def _counted(one: Row) -> str:
    return f"{one['delivered']} delivered, {one['failed']} failed"


def _pattern(found: Row) -> str:
    return msgspec.json.encode(found["pattern_that_sees_tasks"]).decode()


def _label(one: Row, with_region: bool) -> str:
    return f"{label(one)} ({one['region']})" if with_region else label(one)


def _values(matchers: Any) -> str:
    """A field's matchers in words: `aws.ecs, aws.s3`, `prefix aws.`."""
    found = [one if isinstance(one, str) else _matcher(one) for one in matchers or ()]
    return ", ".join(found)


def _matcher(matcher: Any) -> str:
    if not isinstance(matcher, dict):
        return msgspec.json.encode(matcher).decode()
    return " ".join(f"{name} {value if isinstance(value, str) else msgspec.json.encode(value).decode()}" for name, value in matcher.items())


def _service(arn: str) -> str:
    try:
        return arns.parse(arn).service
    except ValueError:
        return ""


def _of_region(answer: Row, region: str | None) -> Row:
    if region is None:
        return answer
    return {kind: [one for one in answer.get(kind, []) if one["region"] == region] for kind in ("rules", "schedules")}


def _zone() -> ZoneInfo:
    from hinoban.daemon.config import local_zone

    return ZoneInfo(local_zone())
