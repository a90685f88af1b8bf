"""Following a refused launch through the watch's retries until its run has ended or nothing more is planned."""

import asyncio
from collections.abc import Callable
from typing import Any

from hinoban.base.units import format_duration, parse_iso
from hinoban.cli.connection import OnlineSource
from hinoban.cli.follow import NEVER_STARTED, Ended, Put, follow_task
from hinoban.cli.incidents import opened_at
from hinoban.cli.shell import Shell, print_line, say
from hinoban.cli.tasks import short

POLL_SECONDS = 1.0
PATIENCE_SECONDS = 30.0
PENDING = ("waiting", "launched", "running", "in doubt")


async def follow_retries(
    shell: Shell,
    source: OnlineSource,
    family: str,
    cluster: str,
    *,
    since: float,
    otherwise: Ended,
    put: Put = print_line,
    launched: Callable[[str], None],
) -> Ended:
    """How the retried run ended; `otherwise` where no retry came, or none is planned any more.

    `launched` hears of each task that the watch launches. The incident is the family's newest one opened since the launch. It is given half a
    minute to appear, and between two attempts.
    """
    try:
        return await _follow(shell, source, family, cluster, since, otherwise, put, launched)
    except asyncio.CancelledError:
        say(f"Left to the watch, which goes on retrying. See: hinoban why {family}")
        raise


async def _follow(
    shell: Shell, source: OnlineSource, family: str, cluster: str, since: float, ended: Ended, put: Put, launched: Callable[[str], None]
) -> Ended:
    told: set[tuple[int, str]] = set()
    followed: set[str] = set()
    last_news = shell.clock.now()
    while True:
        incident = await _incident(source, family, since)
        attempts = [one for one in incident.get("attempts", []) if int(one["number"]) > 1] if incident else []
        for attempt in attempts:
            number, arn, outcome = int(attempt["number"]), attempt["task"], attempt["outcome"]
            if arn and arn not in followed:
                followed.add(arn)
                launched(arn)
                say(f"Attempt {number}: task {short(arn)} was launched.")
                ended = await follow_task(shell, source, cluster, arn, put=put)
                last_news = shell.clock.now()
                if ended.code != NEVER_STARTED:
                    return ended
            elif (number, outcome) not in told and (words := _words(attempt, shell.clock.now())):
                told.add((number, outcome))
                last_news = shell.clock.now()
                say(f"Attempt {number}{words}")
        if any(attempt["outcome"] in PENDING and attempt["task"] not in followed for attempt in attempts):
            last_news = shell.clock.now()
        if (incident and incident["state"] == "resolved") or shell.clock.now() - last_news > PATIENCE_SECONDS:
            say(f"No further attempt is planned. See: hinoban why {family}")
            return ended
        await shell.pause(POLL_SECONDS)


def _words(attempt: dict[str, Any], now: float) -> str:
    if attempt["outcome"] == "waiting":
        return f" follows in {format_duration(parse_iso(attempt['at']) - now)}."
    if attempt["outcome"] == "refused":
        return f" was refused: {attempt['note']}" if attempt.get("note") else " was refused."
    return ""


async def _incident(source: OnlineSource, family: str, since: float) -> dict[str, Any] | None:
    answer = await source.get("incidents", {"limit": 50})
    found = [one for one in answer.get("incidents", []) if one["family"] == family and opened_at(one) >= since - 1]
    return max(found, key=lambda one: opened_at(one)) if found else None
