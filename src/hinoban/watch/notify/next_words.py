"""What to do next about an incident: the catalogue's step, or a better one where the history knows what has changed. Pure."""

import re
from zoneinfo import ZoneInfo

from hinoban.base.units import local
from hinoban.watch.explain.language import either, spoken
from hinoban.watch.model import Incident
from hinoban.watch.notify.background import Background
from hinoban.watch.notify.wording import day_time, not_retried, short_task

_THEN_RETRY = re.compile(r" {3}(?:then|その後に再実行): hinoban retry \S+(?: {3}\([^)]*\))?")
_RETRY, _RUN = re.compile(r"(?:再実行: )?hinoban retry \S+"), re.compile(r"hinoban run \S+ --retry")
_AGAIN = 2
"""Once is chance."""


def next_step(incident: Incident) -> str:
    """The next step; nothing once it is over. The report of a mute is over as it is told, and what it hid may not be."""
    if incident.state == "resolved" and incident.finding.detector != "mute_ended":
        return nothing_now()
    finding, step = incident.finding, incident.finding.explanation.next
    owner, _, service = str(finding.facts.get("group") or "").partition(":")
    if owner == "service":
        # Its service starts its tasks itself: what helps it is another definition.
        deploy = f"aws ecs update-service --cluster {finding.cluster} --service {service} --task-definition {finding.family}"
        return _RETRY.sub(either(deploy, f"反映: {deploy}"), _THEN_RETRY.sub("", step))
    if finding.facts.get("input"):
        return _RUN.sub(f"hinoban retry {incident.id}", step)  # `run` would leave out its overrides
    return step


def nothing_now() -> str:
    """That nobody need do anything."""
    return either("Nothing now.", "対応不要。")


def next_line(incident: Incident, background: Background, zone: ZoneInfo) -> str:
    """The next step as `why` tells it, and why Hinoban did nothing by itself."""
    over = incident.state == "resolved"
    step, overdue = next_step(incident), incident.finding.detector == "overdue"
    quiet = over or (not overdue and (incident.done or len(incident.attempts) > 1))
    seen = day_time(background.as_of, zone)
    if not background.live and not over:
        if any(one.outcome == "waiting" for one in incident.attempts):
            return either(
                f"No daemon runs: the retry waits for `hinoban up` (as last seen {seen}).",
                f"デーモン停止中。再試行は `hinoban up` を待っている({seen} 時点)。",
            )
        if overdue:
            return either(
                f"No daemon runs; this is as last seen {seen}. See what became of it: hinoban up",
                f"デーモン停止中。{seen} 時点の状態。その後を確認: hinoban up",
            )
    if over:
        step += _of_nights(incident, background, zone)
    else:
        step = _of_change(incident, background) or step
    if overdue and not over and "stop_at" not in incident.finding.facts:
        step += f"   {either('or keep', '続けるなら')}: hinoban incidents ack {incident.id} --for 24h"
    return step if quiet else f"{step}      {not_retried(incident.finding)}".rstrip()


def _of_nights(incident: Incident, background: Background, zone: ZoneInfo) -> str:
    """What keeps a schedule from needing retries, where it has needed them again and again for want of capacity."""
    retried, total = background.retried or (0, 0)
    if retried < _AGAIN or incident.finding.explanation.code != "no_capacity":
        return ""
    minute = local(incident.finding.facts["due_at"], zone).strftime(":%M")
    if spoken() == "ja":
        return f"直近 {total} 回のうち {retried} 回で再試行が必要だった。ターゲットに別のゾーンのサブネットを加えるか、{minute} を避ける。"
    return f" {retried} of the last {total} runs needed a retry: add a subnet in another zone to the target, or move it off {minute}."


def _of_change(incident: Incident, background: Background) -> str | None:
    """The step that follows from what is different since the last good run: back to that revision, or a look at the names that changed."""
    finding, ja = incident.finding, spoken() == "ja"
    owner, _, service = str(finding.facts.get("group") or "").partition(":")
    if finding.explanation.code == "image_missing" and owner == "service" and background.good_revision is not None:
        back = f"{finding.family}:{background.good_revision}"
        command = f"aws ecs update-service --cluster {finding.cluster} --service {service} --task-definition {back}"
        return f"イメージを push するか、元のリビジョンに戻す: {command}" if ja else f"Push it, or: {command}"
    if finding.detector == "failed_exit" and owner != "service" and background.changed_names:
        names, command = ", ".join(background.changed_names), f"hinoban retry {short_task(finding.task_arn)}"
        if ja:
            return f"{names} を確認し、再実行: {command} (上書き設定は同じ。他の実行がある間は拒否)"
        return f"Look at {names}, then: {command} (same overrides; refuses while another run lives)"
    return None
