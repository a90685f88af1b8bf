"""Following a refused launch through the watch's retries until its run has ended or nothing more is planned."""

from typing import Any

from hinoban.cli.connection import OnlineSource
from hinoban.cli.follow import NEVER_STARTED, follow_task
from hinoban.cli.incidents import opened_at
from hinoban.cli.shell import Shell, say

POLL_SECONDS = 1.0
PATIENCE_SECONDS = 30.0
PENDING = ("waiting", "launched", "running", "in doubt")


async def follow_retries(shell: Shell, source: OnlineSource, family: str, cluster: str, *, since: float, otherwise: int) -> int:
    """The exit code of the retried run; `otherwise` where no retry came, or none is planned any more.

    The incident is the family's newest one opened since the launch. It is given half a minute to appear, and between two attempts.
    """
    told: set[int] = set()
    followed: set[str] = set()
    last_news = shell.clock.now()
    code = otherwise
    while True:
        incident = await _incident(source, family, since)
        attempts = incident.get("attempts", []) if incident else []
        for attempt in attempts:
            number, arn = int(attempt["number"]), attempt["task"]
            if number > 1 and arn and arn not in followed:
                followed.add(arn)
                say(f"Attempt {number}: task {arn.rpartition('/')[2][:8]}")
                code = await follow_task(shell, source, cluster, arn)
                last_news = shell.clock.now()
                if code != NEVER_STARTED:
                    return code
            elif number not in told and attempt["outcome"] == "refused":
                told.add(number)
                last_news = shell.clock.now()
                say(f"Attempt {number}: refused")
        if any(attempt["outcome"] in PENDING and attempt["task"] not in followed for attempt in attempts):
            last_news = shell.clock.now()
        if (incident and incident["state"] == "resolved") or shell.clock.now() - last_news > PATIENCE_SECONDS:
            say(f"No further attempt is planned. See: hinoban why {family}")
            return code
        await shell.pause(POLL_SECONDS)


async def _incident(source: OnlineSource, family: str, since: float) -> dict[str, Any] | None:
    answer = await source.get("incidents", {"limit": 50})
    found = [one for one in answer.get("incidents", []) if one["family"] == family and opened_at(one) >= since - 1]
    return max(found, key=lambda one: opened_at(one)) if found else None
