"""Explains why RunTask launched nothing, or less than was asked for: reasons in failures[] and thrown errors (facts/ecs.md §3.2, §3.3)."""

from collections.abc import Mapping, Sequence

from hinoban.watch.config import Lang
from hinoban.watch.explain.catalogue import find
from hinoban.watch.explain.filling import facts_of_launch
from hinoban.watch.explain.stop import explained, unknown
from hinoban.watch.model import Explanation, Launch, LaunchFailure

_LIST: Mapping[Lang, str] = {
    "en": "Look at what runs: aws ecs list-tasks --cluster {cluster}",
    "ja": "動いているタスクを確認: aws ecs list-tasks --cluster {cluster}",
}


def explain_launch_failure(reasons: Sequence[LaunchFailure], launch: Launch) -> Explanation:
    """Why tasks of this launch were refused. Of several reasons the first that may pass decides: one good instance is enough."""
    said = said_of_failures(reasons)
    facts = facts_of_launch(launch)
    matches = [match for failure in reasons if (match := find("launch_failure", failure.reason)) is not None]
    match = next((one for one in matches if one.entry.retryable), matches[0] if matches else None)
    return unknown(said, _LIST, facts) if match is None else explained(match, said, facts)


def explain_launch_error(code: str, message: str, launch: Launch) -> Explanation:
    """Why the call itself was refused with this error."""
    said = (f"RunTask {code}: {message}" if message else f"RunTask {code}",)
    facts = facts_of_launch(launch)
    match = find("launch_error", message, error_code=code)
    return unknown(said, _LIST, facts) if match is None else explained(match, said, facts)


def said_of_failures(reasons: Sequence[LaunchFailure]) -> tuple[str, ...]:
    """AWS's own words, equal ones once: `RunTask failures[0]: ...`, with the instance and the detail where AWS names them."""
    seen: dict[str, tuple[int, int]] = {}
    for index, failure in enumerate(reasons):
        words = failure.reason
        if failure.detail:
            words += f" · {failure.detail}"
        if failure.arn:
            words += f" ({failure.arn})"
        first, count = seen.get(words, (index, 0))
        seen[words] = (first, count + 1)
    return tuple(
        f"RunTask failures[{first}]: {words}" + (f" (and {count - 1} more of it)" if count > 1 else "")
        for words, (first, count) in seen.items()
    )
