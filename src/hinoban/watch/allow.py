"""What the watch may do besides watching, and the words for what it would have done. PURE.

On an endpoint that is not our own engine nothing is allowed unless somebody said so: it observes only.
"""

import shlex
from collections.abc import Collection, Mapping
from typing import Any, get_args

import msgspec

from hinoban.watch.config import Right, WatchConfig

EVERYTHING: frozenset[Right] = frozenset(get_args(Right))
NOTHING: frozenset[Right] = frozenset()
_WORDS: Mapping[Right, str] = {"run_task": "launched it again", "stop_task": "stopped it", "update_service": "changed the service"}


def by_policy(config: WatchConfig) -> list[Right]:
    """What policies allow about whom they match, where the watch may do nothing of itself."""
    return sorted({right for policy in config.policies for right in policy.allow})


def allowed(allow: Collection[str], policies_allow: Collection[str]) -> str:
    """What the watch may do about all, else about whom its policies match."""
    if allow:
        return f"may {', '.join(allow)}"
    return f"allowed by policy: {', '.join(policies_allow)}" if policies_allow else "OBSERVE ONLY: never launches, never stops"


def would_have(right: Right, allow: Collection[str], *, about: str = "", by_hand: str = "") -> str | None:
    """`Would have stopped it (over its limit of 24h): observes only, allow lacks stop_task. By hand: aws ...`; None where it is allowed."""
    if right in allow:
        return None
    what = f"Would have {_WORDS[right]}" + (f" ({about})" if about else "")
    return f"{what}: observes only, allow lacks {right}." + (f" By hand: {by_hand}" if by_hand else "")


def run_task_command(request: Mapping[str, Any], region: str) -> str:
    """`aws ecs run-task` of this very request, with its clientToken: as pasted it cannot start what the watch itself starts.

    Values of environment variables are not shown: where there are any, their names say what is to be filled in.
    """
    hidden: list[str] = []
    shown = {name: value for name, value in request.items() if name != "overrides"}
    if request.get("overrides"):
        shown["overrides"] = _without_values(request["overrides"], hidden)
    text = shlex.quote(msgspec.json.encode(shown).decode())
    fill_in = f"      (fill in {', '.join(dict.fromkeys(hidden))}: values are not shown)" if hidden else ""
    return f"aws ecs run-task --region {shlex.quote(region)} --cli-input-json {text}{fill_in}"


def stop_task_command(cluster: str, task_arn: str, region: str, reason: str) -> str:
    """`aws ecs stop-task`, as it is pasted."""
    named = {"--region": region, "--cluster": cluster, "--task": task_arn, "--reason": reason}
    return "aws ecs stop-task " + " ".join(f"{option} {shlex.quote(value)}" for option, value in named.items())


def update_service_command(request: Mapping[str, Any], region: str) -> str:
    """`aws ecs update-service`, as it is pasted."""
    options = {"--cluster": request["cluster"], "--service": request["service"]}
    options |= {"--desired-count": str(request["desiredCount"])} if "desiredCount" in request else {}
    options |= {"--task-definition": request["taskDefinition"]} if "taskDefinition" in request else {}
    words = " ".join(f"{option} {shlex.quote(value)}" for option, value in options.items())
    return f"aws ecs update-service --region {shlex.quote(region)} {words}"


def _without_values(overrides: Mapping[str, Any], hidden: list[str]) -> dict[str, Any]:
    containers = []
    for container in overrides.get("containerOverrides") or ():
        given = container.get("environment") or ()
        if isinstance(given, str):
            # Taken out of CloudTrail's record, the names too.
            hidden.append(f"the environment of {container.get('name')}")
            containers.append({**container, "environment": [{"name": "<NAME>", "value": "<VALUE>"}]})
            continue
        names = [str(variable.get("name")) for variable in given]
        hidden += names
        environment = {"environment": [{"name": name, "value": f"<{name}>"} for name in names]} if names else {}
        containers.append({**container, **environment})
    return {**overrides, **({"containerOverrides": containers} if containers else {})}
