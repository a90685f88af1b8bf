"""Explains why a task stopped, in the decision order of facts/ecs.md §2.4. Pure: a task's detail in, an Explanation out."""

from collections.abc import Mapping, Sequence
from typing import Any

from hinoban.watch.config import Lang
from hinoban.watch.explain.catalogue import Class, Match, find, find_stop
from hinoban.watch.explain.exits import KILLED, TERMINATED, Container, containers_of, culprits
from hinoban.watch.explain.filling import facts_of_task, fill, with_names
from hinoban.watch.explain.images import tags_advice
from hinoban.watch.explain.language import spoken
from hinoban.watch.explain.memory import memory_advice
from hinoban.watch.model import Explanation

_OUTSIDE: frozenset[Class] = frozenset({"user", "scheduler", "spot", "host"})
_HEALTH = ("elb_health_check_failed", "container_health_check_failed")
_NO_SUCH_IMAGE = ("image_missing", "image_check_exists")
_PATTERNED_CODES = ("UserInitiated", "ServiceSchedulerInitiated", "SpotInterruption", "TerminationNotice", "InfrastructureHealth")

UNKNOWN_CODE = "unknown"


def explain_stop(detail: Mapping[str, Any]) -> Explanation:
    """Why the task of this detail (an event's, or DescribeTasks' with ISO times) stopped. Never raises, whatever the texts are."""
    match, container = _decide(detail)
    facts = facts_of_task(detail, container)
    said = said_of_stop(detail)
    if match is None:
        return unknown(said, _LOOK, facts)
    if match.entry.kind == "memory":
        facts |= memory_advice(detail, container or {}, spoken())
    if match.entry.code in _NO_SUCH_IMAGE:
        facts["tags"] = tags_advice(facts["image"], facts["definition"])
    if match.entry.code == "exit_several":
        facts["exits"] = ", ".join(f"{one.get('name')} exit {one['exitCode']}" for one in culprits(detail))
    return explained(match, said, facts)


_DESCRIBE = "aws ecs describe-tasks --cluster {cluster} --tasks {task_id}"
_LOOK: Mapping[Lang, str] = {
    "en": f"Look at the task while ECS remembers it (one hour): {_DESCRIBE}",
    "ja": f"ECS が覚えているうち(1 時間)にタスクを確認: {_DESCRIBE}",
}
_UNKNOWN: Mapping[Lang, tuple[str, str]] = {
    "en": ("Unknown to Hinoban: AWS says ", "nothing"),
    "ja": ("Hinoban の知らない理由。AWS の応答: ", "なし"),
}


def explained(match: Match, said: tuple[str, ...], facts: dict[str, Any]) -> Explanation:
    """An entry's words in the language that is spoken, filled with what is known."""
    lang = spoken()
    text, merged = match.entry.text(lang), with_names(facts, match.names)
    return Explanation(
        code=match.entry.code,
        cause=fill(text.cause, merged, lang),
        next=fill(text.next, merged, lang),
        said=said,
        retryable=match.entry.retryable,
    )


def unknown(said: Sequence[str], then: Mapping[Lang, str], facts: Mapping[str, Any]) -> Explanation:
    """The honest answer for words that are in no entry; never retried."""
    lang = spoken()
    cause, nothing = _UNKNOWN[lang]
    cause += " · ".join(said) or nothing
    return Explanation(code=UNKNOWN_CODE, cause=cause, next=fill(then[lang], facts, lang), said=tuple(said), retryable=False)


def said_of_stop(detail: Mapping[str, Any]) -> tuple[str, ...]:
    """AWS's own words: the stoppedReason, then each container's reason or exit code."""
    reason = str(detail.get("stoppedReason") or "")
    said = [reason] if reason else []
    everyone = containers_of(detail)
    to_blame = [id(one) for one in culprits(detail)]
    ender = next((one for one in everyone if id(one) in to_blame or one.get("exitCode") == 0), None)
    for one in everyone:
        name, own, code = one.get("name") or "container", str(one.get("reason") or ""), one.get("exitCode")
        if own and own != reason:
            said.append(f"{name}: {own}")
        elif isinstance(code, int):
            stopped = code in (KILLED, TERMINATED) and id(one) not in to_blame and ender is not None and ender is not one
            said.append(f"{name} exit {code}" + (f" (stopped because {ender.get('name')} ended)" if stopped and ender else ""))
    return tuple(said)


def _decide(detail: Mapping[str, Any]) -> tuple[Match | None, Container | None]:
    reason, stop_code = str(detail.get("stoppedReason") or ""), detail.get("stopCode")
    everyone = containers_of(detail)
    # 1. Spot, host, maintenance, user, scheduler.
    if match := find_stop(reason, stop_code, _OUTSIDE) or _health(reason, stop_code):
        return match, None
    if stop_code in _PATTERNED_CODES and (match := find("stop_code", str(stop_code))):
        return match, None
    # 2. A failure to start; 3. memory; then what else a container says. One that ended by memory has started.
    reasons = [(one, str(one.get("reason") or "")) for one in everyone]
    for one, text in reasons:
        if (match := find("container_reason", text)) and match.entry.kind == "memory":
            return match, one
    if match := find("stop_reason", reason):
        blamed = next((one for one, text in reasons if text), everyone[0] if everyone else None)
        return match, blamed
    for one, text in reasons:
        if text and (match := find("container_reason", text)):
            return match, one
    # 4. Exit codes, 6. the normal end.
    if found := _by_exit(detail):
        return found
    # 5. What is left says little.
    for one, text in reasons:
        if text and (match := find("container_reason", text, vague=True)):
            return match, one
    return find("stop_reason", reason, vague=True), None


def _health(reason: str, stop_code: Any) -> Match | None:
    match = find_stop(reason, stop_code, frozenset({"program"}))
    return match if match and match.entry.code in _HEALTH else None


def _by_exit(detail: Mapping[str, Any]) -> tuple[Match | None, Container | None] | None:
    to_blame = culprits(detail)
    if len(to_blame) > 1:
        return find("exits", "several"), to_blame[0]
    if to_blame:
        return find("exit", f"exit {to_blame[0]['exitCode']}"), to_blame[0]
    if any(one.get("exitCode") == 0 for one in containers_of(detail)):
        return find("exit", "exit 0"), None
    return None
