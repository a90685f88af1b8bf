"""The tables of hinoban.toml that say how failures are retried and what is done about a crash loop: checked, turned into the watch's values."""

from typing import Annotated, cast, get_args

import msgspec

from hinoban.base.errors import ConfigError
from hinoban.daemon.config_values import choice, duration
from hinoban.watch.config import Action, ExitRule, LoopAction, OnCrashLoop, RetryBudget, RetryRule

_GLOB_RULE = "As in AWS Batch's evaluateOnExit a * may only end the text."
_Launches = Annotated[int, msgspec.Meta(ge=0, le=100_000)]


class ExitTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule of `on_exit`."""

    action: str
    exit_code: str | list[str] | None = None
    reason: str | None = None
    container: str | None = None


class RetryTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`retry` of a policy; what it leaves out is as in RetryRule."""

    attempts: Annotated[int, msgspec.Meta(ge=1, le=100)] | None = None
    deadline: str | None = None
    base: str | None = None
    cap: str | None = None
    on_start_failure: bool = True
    on_exit: list[ExitTable] = []
    rotate: bool | list[str] = False
    fargate_spot_to_fargate: bool = False


class BudgetTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[watch.retry_budget]`."""

    per_family: _Launches = 10
    in_all: _Launches = 100
    window: str = "1h"


class CrashLoopTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`on_crash_loop` of a policy."""

    after: Annotated[int, msgspec.Meta(ge=2, le=50)] = 5
    action: str = "tell"


def retry_rule(path: str, given: RetryTable) -> RetryRule:
    """The rule; ConfigError names the path of what is wrong."""
    defaults = RetryRule()
    if isinstance(given.rotate, list) and not given.rotate:
        raise ConfigError(f"{path}.rotate", "names no subnet", "Write true for the request's own subnets, or their ids.")

    def seconds(name: str, text: str | None, default: float) -> float:
        return default if text is None else duration(f"{path}.{name}", text)

    return RetryRule(
        attempts=given.attempts or defaults.attempts,
        deadline=seconds("deadline", given.deadline, defaults.deadline),
        base=seconds("base", given.base, defaults.base),
        cap=seconds("cap", given.cap, defaults.cap),
        on_start_failure=given.on_start_failure,
        on_exit=tuple(_exit_rule(f"{path}.on_exit[{index}]", one) for index, one in enumerate(given.on_exit)),
        rotate=given.rotate if isinstance(given.rotate, bool) else tuple(given.rotate),
        fargate_spot_to_fargate=given.fargate_spot_to_fargate,
    )


def budget(path: str, given: BudgetTable) -> RetryBudget:
    """The budget; ConfigError names the path of what is wrong."""
    return RetryBudget(per_family=given.per_family, in_all=given.in_all, window=duration(f"{path}.window", given.window))


def crash_loop(path: str, given: CrashLoopTable) -> OnCrashLoop:
    """What is done about a crash loop; ConfigError names the path of what is wrong."""
    return OnCrashLoop(after=given.after, action=cast(LoopAction, choice(f"{path}.action", given.action, get_args(LoopAction))))


def _exit_rule(path: str, given: ExitTable) -> ExitRule:
    codes = (given.exit_code,) if isinstance(given.exit_code, str) else tuple(given.exit_code or ())
    for index, code in enumerate(codes):
        where = f"{path}.exit_code" + ("" if isinstance(given.exit_code, str) else f"[{index}]")
        _trailing(where, code)
        if not code.removesuffix("*").isdecimal() and code != "*":
            raise ConfigError(where, f"{code!r} is no exit code", 'Write e.g. "3", "1*" or ["75", "111"].')
    for name, text in (("reason", given.reason), ("container", given.container)):
        if text is not None:
            _trailing(f"{path}.{name}", text)
    action = choice(f"{path}.action", given.action.upper(), get_args(Action))
    return ExitRule(action=cast(Action, action), exit_code=codes, reason=given.reason, container=given.container)


def _trailing(path: str, text: str) -> None:
    if not text or "*" in text[:-1]:
        raise ConfigError(path, f"{text!r} is no pattern" if not text else f"{text!r} has a * that does not end it", _GLOB_RULE)
