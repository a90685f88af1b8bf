"""Detectors delivery_failed and policy_mismatch: what the engine says of the targets of its rules and schedules. Pure."""

from typing import Any

from hinoban.watch.model import DeliveryNews, Detector, Explanation, Finding

FAILED, MISMATCH, UNSENT = "NOT DELIVERED", "POLICY MISMATCH", "MAIL NOT SENT"


def subject_of(news: DeliveryNews) -> str:
    """One target, one incident; a mismatch beside it has its own."""
    kind = "mismatch" if news.what in ("mismatch", "covered") else "delivery"
    return f"{kind}:{news.arn}#{news.target_id}"


def end_of(news: DeliveryNews) -> str:
    """How an incident ends with news that are no finding."""
    return "A policy covers it now." if news.what == "covered" else "It is delivered again."


def delivery(news: DeliveryNews) -> Finding | None:
    """A finding for what could not be delivered, or was against the words of a policy; None for a target that is well again."""
    detail = news.detail
    target = str((detail.get("target") or {}).get("arn") or "")
    if news.what == "failed":
        event = detail.get("event") or {}
        matched = f"matched an event ({event['detail-type']})" if event.get("detail-type") else "was due"
        cause = f"The {detail.get('kind', 'rule')} {news.name} {matched} and could not deliver it: {detail.get('why')}."
        # AWS's own words, where they say more than the reason.
        message = detail.get("message")
        said = (f"{detail.get('code')}: {message}",) if message and message != detail.get("why") else (str(detail.get("code")),)
        following = f"Repair: {detail['repair']}" if detail.get("repair") else f"Look at the target: hinoban rules {news.name}"
        return _finding(news, "delivery_failed", FAILED, "delivery_failed", cause, said, following, {"target": target})
    if news.what == "mismatch":
        cause = (
            f"Events are delivered, but by IAM's rules the policy {detail.get('policy')} does not cover them: "
            f"it allows {_short(str(detail.get('allows')))}, they need {_short(str(detail.get('needs')))}."
        )
        following = (
            f"Repair: {detail.get('repair')}" if detail.get("repair") else f"Print what it needs: hinoban rules {news.name} --policy"
        )
        return _finding(news, "policy_mismatch", MISMATCH, "policy_mismatch", cause, (), following, {"target": target})
    if news.what == "unsent":
        cause = f"The mail of topic {news.name} to {news.target_id} was not sent: {detail.get('why')}."
        server = detail.get("server")
        following = (
            f"Look at the log of the mail server {server}, and at [smtp] in the configuration"
            if server
            else "Name a mail server: [smtp] in the configuration (config.example.toml shows it)"
        )
        return _finding(news, "delivery_failed", UNSENT, "mail_unsent", cause, (), following, {})
    return None


def _short(arn: str) -> str:
    """`…/ECSStatus/*:*`: as much of a log group's ARN as tells it from its neighbours."""
    name = arn.rpartition(":log-group:")[2] or arn
    bare = next((name.removesuffix(end) for end in ("/*:*", "/*", ":*") if name.endswith(end)), name)
    head, slash, _ = bare.rpartition("/")
    return f"…{slash}{name[len(head) + 1 :]}" if head else name


def _finding(
    news: DeliveryNews,
    detector: Detector,
    verdict: str,
    code: str,
    cause: str,
    said: tuple[str, ...],
    following: str,
    facts: dict[str, Any],
) -> Finding:
    return Finding(
        detector=detector,
        subject=subject_of(news),
        at=news.at,
        account=news.account,
        region=news.region,
        cluster="",
        family=news.name,
        revision=None,
        verdict=verdict,
        explanation=Explanation(code=code, cause=cause, next=following, said=said, retryable=False),
        facts={"rule": news.name, "arn": news.arn, "target_id": news.target_id, **facts, "attempts": news.detail.get("attempts")},
    )
