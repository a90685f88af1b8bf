"""A next step where no daemon is: AWS's own command in the place of each of Hinoban's, and none where none is about. PURE."""

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from hinoban.watch.allow import run_task_command, stop_task_command
from hinoban.watch.commands import COMMAND
from hinoban.watch.model import task_id_of

_GAP = re.compile(r" {3,}")
"""Between two ways of a step."""
_LEADS = re.compile(r"(?:,? then)?:? *$")
_LABEL = re.compile(r"(?:or|else|then|or for good|or keep|\d+\.)?[:.]? *")
"""What is left of a way without its command, and says nothing alone."""
_REMARK = re.compile(r" \([^)]*\)")


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the task or run that the step is about. `request`: RunTask's parameters that run it once more; `log`: its group and
    stream; `again`: the options by which a one-off reading reads the same account."""

    region: str
    cluster: str = ""
    task_arn: str | None = None
    request: Mapping[str, Any] | None = None
    log: tuple[str, str] | None = None
    again: str = "--one-off"


def needs_log(step: str) -> bool:
    """Whether the step reads what a task wrote."""
    return any(found[1].startswith("logs ") for found in COMMAND.finditer(step))


def in_aws_words(step: str, about: About) -> str:
    """The step with commands that work without a daemon; a way that has none is told without a command."""
    ways = (_way(one, about) for one in _GAP.split(step))
    return "      ".join(way for way in ways if way)


def _way(text: str, about: About) -> str:
    found = COMMAND.search(text)
    if found is None:
        return text
    instead = _instead(shlex.split(found[1]), about)
    before, after = text[: found.start()], _REMARK.sub("", text[found.end() :], count=1)
    if instead is not None:
        return f"{before}{instead}{after}"
    before = _LEADS.sub("", before)
    return "" if _LABEL.fullmatch(before) else f"{before}{after}"


def _instead(words: Sequence[str], about: About) -> str | None:
    what = "run" if words[0] == "retry" or list(words[:2]) == ["schedules", "run"] else words[0]
    if what == "run":
        return None if about.request is None else run_task_command(about.request, about.region)
    if what in ("why", "schedules"):
        return f"hinoban {shlex.join(words)} {about.again}"
    if what == "logs" and about.log is not None:
        group, stream = about.log
        named = {"--region": about.region, "--log-group-name": group, "--log-stream-name": stream}
        return f"aws logs get-log-events {_options(named)} --query 'events[].message' --output text"
    if what in ("history", "ps") and about.cluster:
        named = {"--region": about.region, "--cluster": about.cluster} | _narrowed(words)
        return f"aws ecs list-tasks {_options(named)}" + (" --desired-status STOPPED" if what == "history" else "")
    if what == "stop" and about.task_arn is not None and task_id_of(about.task_arn).startswith(words[1]):
        reason = words[words.index("--reason") + 1] if "--reason" in words else "by hand"
        return stop_task_command(about.cluster, about.task_arn, about.region, reason)
    return None


def _narrowed(words: Sequence[str]) -> dict[str, str]:
    options = {"--family": "--family", "--service": "--service-name"}
    return {options[word]: words[place + 1] for place, word in enumerate(words) if word in options}


def _options(named: Mapping[str, str]) -> str:
    return " ".join(f"{option} {shlex.quote(value)}" for option, value in named.items())
