"""[notify.*], [[route]], [[mute]], [severity]: each mistake is named with its path and the way out, and no secret is quoted."""

from typing import Any

import pytest

from hinoban.base.errors import ConfigError
from hinoban.daemon import config

SECRET = "s3cret-0123456789"
SMTP = {"host": "smtp.example.com", "sender": "h@example.com"}
BOT = {"token": f"xoxb-{SECRET}", "channel": "#batch"}


def refused(content: dict[str, Any]) -> tuple[str, str, str]:
    with pytest.raises(ConfigError) as caught:
        config.parse(content)
    assert SECRET not in str(caught.value)
    return caught.value.what, caught.value.why, caught.value.todo


def notify(**tables: Any) -> dict[str, Any]:
    return {"notify": tables}


@pytest.mark.parametrize(
    "content, path, said",
    [
        (notify(slack={"url": f"https://h.test/{SECRET}", **BOT}), "notify.slack[0]", "needs either url"),
        (notify(slack={**BOT, "api": "slack-gov.com"}), "notify.slack[0].api", "is not an http or https URL"),
        (notify(slack={}), "notify.slack[0]", "needs either url"),
        (notify(slack={"token": BOT["token"]}), "notify.slack[0].channel", "is missing beside token"),
        (notify(slack={"url": "https://h.test/x", "channel": "#a"}), "notify.slack[0].channel", "stands beside"),
        (notify(slack={**BOT, "token": SECRET}), "notify.slack[0].token", "is no bot token"),
        (notify(slack={**BOT, "mention": "@here"}), "notify.slack[0].mention", "Slack's spelling"),
        (notify(slack={**BOT, "tokn": "x"}), "notify.slack[0].tokn", "is not a key Hinoban knows"),
        (notify(slack={**BOT, "severity": ["pages"]}), "notify.slack[0].severity[0]", "must be one of page, ticket, digest"),
        (notify(pagerduty=[{"routing_key": SECRET}]), "notify.pagerduty[0].routing_key", "32 letters and digits"),
        (notify(sns=[{"topic": "alarms"}]), "notify.sns[0].topic", "is not an ARN"),
        (notify(sns=[{"topic": "arn:aws:sqs:us-east-1:1:q"}]), "notify.sns[0].topic", "is not the ARN of an SNS topic"),
        (notify(email={"to": ["a@example.com"]}), "notify.email[0]", "has no mail server"),
        ({**notify(email={"to": ["a@b, c@d"]}), "smtp": SMTP}, "notify.email[0].to[0]", "is not a mail address"),
        (notify(apprise=[{"urls": [SECRET]}]), "notify.apprise[0].urls[0]", "is no Apprise URL"),
        (notify(webhook=[{"url": "https://a.test", "secret": "x" * 16, "format": "xml"}]), "notify.webhook[0].format", "must be one of"),
        (notify(slack=BOT, apprise=[{"urls": ["a://b"], "name": "slack"}]), "notify.apprise[0].name", "is taken by another channel"),
        (notify(slack={**BOT, "name": "mute x"}), "notify.slack[0].name", "is no name"),
        (notify(log_tail="mask"), "notify.log_tail", "must be one of off, masked, full"),
        (notify(link=[{"text": "R", "url": "https://w.test/{famly}"}]), "notify.link[0].url", "must be one of"),
        (notify(link=[{"text": "R", "url": "https://w.test/{family"}]), "notify.link[0].url", "has braces that do not fit"),
        (notify(link=[{"text": "R", "url": "javascript:{family}"}]), "notify.link[0].url", "is not an http or https URL"),
        ({"route": [{"channels": ["slak"]}], **notify(slack=BOT)}, "route[0].channels[0]", "must be one of console, slack"),
        ({"route": [{"channels": [], "match": {"hinoban": {"famly": ["x"]}}}]}, "route[0].match.hinoban.famly", "the route would never"),
        ({"route": [{"channels": [], "match": {"hinoban": {"family": "x"}}}]}, "route[0].match.hinoban.family", ""),
        ({"mute": [{"match": {}, "name": "a"}]}, "mute[0]", "until"),
        ({"mute": [{"match": {}, "name": "a", "until": "tomorrow"}]}, "mute[0].until", "is no date and time"),
        ({"mute": [{"match": {"detial": ["x"]}, "name": "a", "until": "2026-12-01T09:00:00Z"}]}, "mute[0].match.detial", "the mute would"),
        ({"mute": [{"match": {}, "name": "a", "until": "2026-12-01T09:00:00Z"}] * 2}, "mute[1].name", "is taken by another mute"),
        (
            {"escalate": [{"after": "15m", "channels": ["bos"]}], **notify(slack=BOT)},
            "escalate[0].channels[0]",
            "must be one of console, slack",
        ),
        ({"escalate": [{"after": "soon", "channels": ["console"]}]}, "escalate[0].after", "is not a duration"),
        ({"escalate": [{"after": "0s", "channels": ["console"]}]}, "escalate[0].after", "is no time at all"),
        ({"escalate": [{"after": "1m", "channels": []}]}, "escalate[0].channels", "length >= 1"),
        ({"escalate": [{"after": "1m", "channels": ["console"], "severity": ["loud"]}]}, "escalate[0].severity[0]", "must be one of page"),
        (
            {"escalate": [{"after": "1m", "channels": ["console"], "match": {"hinoban": {"famly": ["x"]}}}]},
            "escalate[0].match.hinoban.famly",
            "the escalation would never",
        ),
        (notify(daily={"at": "9:30"}), "notify.daily.at", "is no time of day"),
        (notify(daily={"at": "24:00"}), "notify.daily.at", "is no time of day"),
        (notify(daily={"channels": ["slack"]}), "notify.daily.channels[0]", "must be one of console"),
        (notify(pagerduty=[{"routing_key": "0" * 32}], daily={"channels": ["pagerduty"]}), "notify.daily.channels[0]", "wakes people"),
        (notify(daily={"att": "09:30"}), "notify.daily.att", "is not a key"),
        (notify(dead_man={"url": "http://hc.test/x"}), "notify.dead_man.url", "is http, and not of this machine"),
        (notify(dead_man={"url": "hc.test"}), "notify.dead_man.url", "is not an https URL"),
        (notify(dead_man={"url": "https://[::1"}), "notify.dead_man.url", "is no URL"),
        (notify(dead_man={"url": "https://hc.test/x", "every": "1s"}), "notify.dead_man.every", "is shorter than 10s"),
        ({"severity": {"overdu": "page"}}, "severity", "must be one of"),
        ({"severity": {"overdue": "loud"}}, "severity.overdue", "must be one of page, ticket, digest"),
    ],
)
def test_a_mistake_is_named_with_its_path(content: dict[str, Any], path: str, said: str) -> None:
    what, why, todo = refused(content)
    assert (what, said in why, bool(todo)) == (path, True, True), why


def test_a_table_stands_for_a_list_of_one() -> None:
    assert config.parse(notify(slack=BOT)) == config.parse(notify(slack=[BOT]))


def test_a_mutes_end_without_an_offset_is_in_the_zone_of_messages() -> None:
    for until in ("2026-12-01T09:00:00", "2026-12-01T09:00:00+09:00"):
        given = config.parse({"watch": {"tz": "Asia/Tokyo"}, "mute": [{"name": "a", "match": {}, "until": until}]})
        assert given.watch.notify.mutes[0].until == 1_796_083_200.0


def test_what_is_printed_of_a_configuration_holds_no_secret() -> None:
    content = notify(
        slack=[BOT, {"name": "hook", "url": f"https://h.test/{SECRET}"}],
        pagerduty=[{"routing_key": "0123456789abcdef" * 2}],
        apprise=[{"urls": [f"tgram://{SECRET}/1"]}],
        email={"to": ["a@example.com"]},
        webhook=[{"url": f"https://h.test/{SECRET}", "secret": SECRET}],
    )
    shown = repr(config.parse(content | {"smtp": {**SMTP, "user": "h", "password": SECRET}}))
    assert SECRET not in shown
    assert "0123456789abcdef" not in shown


HOOK = {"url": "https://a.test", "secret": "x" * 16}


@pytest.mark.parametrize(
    ("content", "channels"),
    [
        ({}, None),
        (notify(webhook=[HOOK]), None),
        (notify(slack=BOT), ("console", "slack")),
        (notify(slack=BOT, console=False), ("slack",)),
        (notify(slack=BOT, daily={"at": "off"}), None),
        (notify(daily={}), ("console",)),
        (notify(slack=BOT, webhook=[HOOK], daily={"channels": ["webhook", "slack"]}), ("webhook", "slack")),
    ],
)
def test_who_gets_the_daily_report(content: dict[str, Any], channels: tuple[str, ...] | None) -> None:
    """Unasked, people who read something besides the console."""
    daily = config.parse(content).watch.notify.daily
    assert (daily.channels if daily is not None else None) == channels


def test_a_ping_goes_to_https_or_to_this_machine() -> None:
    for url in ("https://hc-ping.com/x", "http://127.0.0.1:8000/ping/x"):
        dead_man = config.parse(notify(dead_man={"url": url, "every": "90s"})).watch.notify.dead_man
        assert dead_man is not None and (dead_man.url, dead_man.every) == (url, 90.0)
