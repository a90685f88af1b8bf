"""Who is told, in the configuration file: [notify.*], [[route]], [[mute]], [[escalate]] and [severity], checked and turned into the watch's values."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, cast, get_args
from zoneinfo import ZoneInfo

import msgspec

from hinoban.aws import arns
from hinoban.base.errors import ConfigError
from hinoban.daemon.config_report import DailyTable, DeadManTable, daily_of, dead_man_of
from hinoban.daemon.config_values import choice, duration, pattern
from hinoban.daemon.policy_fields import ENVELOPE
from hinoban.watch.config import (
    Apprise,
    Email,
    Escalation,
    Level,
    Link,
    LogTail,
    Mute,
    NotifyConfig,
    PagerDuty,
    Route,
    Slack,
    Sns,
    Webhook,
)
from hinoban.watch.model import Detector
from hinoban.watch.notify.links import FIELDS, named
from hinoban.watch.notify.routes import WORDS

Text = Annotated[str, msgspec.Meta(min_length=1)]
LEVELS = get_args(Level)
VIEW = {**dict.fromkeys(ENVELOPE), "detail": dict.fromkeys(("taskArn", "group", "startedBy")), "hinoban": dict.fromkeys(WORDS)}
"""What the `match` of a route or a mute may name (watch/notify/routes.py)."""
_KINDS = ("webhook", "slack", "pagerduty", "sns", "email", "apprise")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,63}")


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class _Webhook(_Strict, frozen=True):
    url: str
    secret: str
    name: str = "webhook"
    format: str = "hinoban"
    severity: list[str] | None = None


class _Slack(_Strict, frozen=True):
    name: str = "slack"
    url: str | None = None
    token: str | None = None
    channel: str | None = None
    mention: str = ""
    api: str = "https://slack.com/api"
    severity: list[str] | None = None


class _PagerDuty(_Strict, frozen=True):
    routing_key: str
    name: str = "pagerduty"
    url: str = "https://events.pagerduty.com"
    severity: list[str] | None = None


class _Sns(_Strict, frozen=True):
    topic: str
    name: str = "sns"
    format: str = "text"
    severity: list[str] | None = None


class _Email(_Strict, frozen=True):
    to: Annotated[list[str], msgspec.Meta(min_length=1)]
    name: str = "email"
    severity: list[str] | None = None


class _Apprise(_Strict, frozen=True):
    urls: Annotated[list[Text], msgspec.Meta(min_length=1)]
    name: str = "apprise"
    severity: list[str] | None = None


class _Link(_Strict, frozen=True):
    text: Text
    url: str


class Notify(_Strict, frozen=True):
    """`[notify]`."""

    console: bool = True
    log_tail: str = "masked"
    webhook: list[_Webhook] = []
    slack: list[_Slack] = []
    pagerduty: list[_PagerDuty] = []
    sns: list[_Sns] = []
    email: list[_Email] = []
    apprise: list[_Apprise] = []
    link: list[_Link] = []
    daily: DailyTable | None = None
    dead_man: DeadManTable | None = None


class RouteTable(_Strict, frozen=True):
    """`[[route]]`."""

    channels: list[str]
    match: dict[str, Any] = {}


class MuteTable(_Strict, frozen=True):
    """`[[mute]]`."""

    match: dict[str, Any]
    until: Any
    name: Text


class EscalateTable(_Strict, frozen=True):
    """`[[escalate]]`."""

    after: str
    channels: Annotated[list[str], msgspec.Meta(min_length=1)]
    match: dict[str, Any] = {}
    severity: list[str] | None = None


class Smtp(msgspec.Struct, frozen=True, kw_only=True):
    """The mail server of `[smtp]`, as mails need it."""

    host: str
    port: int
    starttls: bool
    user: str | None
    password: str | None
    sender: str


def listed(content: dict[str, Any]) -> dict[str, Any]:
    """`[notify.slack]`, where there is one only, as the first of `[[notify.slack]]`; so for every kind of channel."""
    notify = content.get("notify")
    if not isinstance(notify, dict):
        return content
    single = {kind: [notify[kind]] for kind in _KINDS if isinstance(notify.get(kind), dict)}
    return content | {"notify": notify | single}


def notify_config(
    given: Notify,
    routes: Sequence[RouteTable],
    mutes: Sequence[MuteTable],
    escalations: Sequence[EscalateTable],
    severity: dict[str, str],
    smtp: Smtp | None,
    tz: str,
) -> NotifyConfig:
    """The watch's values; ConfigError for anything that is not right."""
    _names(given)
    made = NotifyConfig(
        console=given.console,
        webhooks=tuple(_webhook(f"notify.webhook[{index}]", one) for index, one in enumerate(given.webhook)),
        slack=tuple(_slack(f"notify.slack[{index}]", one) for index, one in enumerate(given.slack)),
        pagerduty=tuple(_pagerduty(f"notify.pagerduty[{index}]", one) for index, one in enumerate(given.pagerduty)),
        sns=tuple(_sns(f"notify.sns[{index}]", one) for index, one in enumerate(given.sns)),
        email=tuple(_email(f"notify.email[{index}]", one, smtp) for index, one in enumerate(given.email)),
        apprise=tuple(_apprise(f"notify.apprise[{index}]", one) for index, one in enumerate(given.apprise)),
        links=tuple(_link(f"notify.link[{index}]", one) for index, one in enumerate(given.link)),
        severity={_detector(name): _level(f"severity.{name}", level) for name, level in severity.items()},
        log_tail=cast(LogTail, choice("notify.log_tail", given.log_tail, get_args(LogTail))),
        dead_man=None if given.dead_man is None else dead_man_of(given.dead_man),
    )
    known = ("console", *_channels(given))
    return msgspec.structs.replace(
        made,
        routes=tuple(_route(f"route[{index}]", one, known) for index, one in enumerate(routes)),
        mutes=_mutes(mutes, tz),
        escalations=tuple(_escalation(f"escalate[{index}]", one, known) for index, one in enumerate(escalations)),
        daily=daily_of(given.daily, made),
    )


def _channels(given: Notify) -> list[str]:
    return [one.name for _, some in _lists(given) for one in some]


def _lists(given: Notify) -> list[tuple[str, Sequence[Any]]]:
    return [(kind, getattr(given, kind)) for kind in _KINDS]


def _names(given: Notify) -> None:
    """Each with a name of its own: by it the outbox knows which message is whose."""
    taken = {"console"}
    for kind, some in _lists(given):
        for index, one in enumerate(some):
            path = f"notify.{kind}[{index}].name"
            if _NAME.fullmatch(one.name) is None:
                raise ConfigError(path, f"{one.name!r} is no name", "Use letters, digits, dots, dashes and underscores.")
            if one.name in taken:
                raise ConfigError(path, f"{one.name!r} is taken by another channel", "Give each channel its own name.")
            taken.add(one.name)


def _webhook(path: str, hook: _Webhook) -> Webhook:
    if not re.match(r"https?://[^/\s]+", hook.url):
        raise ConfigError(f"{path}.url", "is not an http or https URL", "Write e.g. https://hooks.example.com/hinoban")
    if len(hook.secret) < 16:
        raise ConfigError(f"{path}.secret", "is shorter than 16 characters", "Make one: openssl rand -hex 32")
    format_ = choice(f"{path}.format", hook.format, ("hinoban", "cloudevents"))
    made = Webhook(url=hook.url, secret=hook.secret, name=hook.name, format=cast(Any, format_))
    return msgspec.structs.replace(made, levels=_levels(path, hook.severity, made.levels))


def _slack(path: str, given: _Slack) -> Slack:
    if (given.url is None) is (given.token is None):
        raise ConfigError(path, "needs either url (an incoming webhook) or token and channel (a bot)", "docs/channels.md sets up both.")
    if given.url is not None and not re.match(r"https?://[^/\s]+/\S+", given.url):
        raise ConfigError(f"{path}.url", "is no webhook's URL", "Write e.g. https://hooks.slack.com/services/...")
    if (given.token is None) is not (given.channel is None):
        lacking, there = ("channel", "token") if given.channel is None else ("channel", "a webhook's url, which has its own")
        todo = "Give the channel's id or #name." if given.channel is None else "Leave it out."
        raise ConfigError(f"{path}.{lacking}", f"{'is missing' if given.channel is None else 'stands'} beside {there}", todo)
    if given.token is not None and not given.token.startswith("xoxb-"):
        raise ConfigError(f"{path}.token", "is no bot token", "It begins with xoxb-: the app's page, OAuth & Permissions.")
    if given.mention and re.fullmatch(r"<(?:!here|!channel|!everyone|!subteam\^\w+|@\w+)>", given.mention) is None:
        raise ConfigError(f"{path}.mention", "is not in Slack's spelling", "Write <!here>, <!channel>, <@U012ABC> or <!subteam^S012ABC>.")
    if not re.match(r"https?://[^/\s]+", given.api):
        raise ConfigError(f"{path}.api", "is not an http or https URL", "Leave it out, or write https://slack-gov.com/api")
    api = given.api.rstrip("/")
    made = Slack(name=given.name, url=given.url, token=given.token, channel=given.channel, mention=given.mention, api=api)
    return msgspec.structs.replace(made, levels=_levels(path, given.severity, made.levels))


def _pagerduty(path: str, given: _PagerDuty) -> PagerDuty:
    if re.fullmatch(r"[A-Za-z0-9]{32}", given.routing_key) is None:
        raise ConfigError(
            f"{path}.routing_key", "is not 32 letters and digits", "Take the integration key of an Events API v2 integration."
        )
    if not re.match(r"https?://[^/\s]+", given.url):
        raise ConfigError(f"{path}.url", "is not an http or https URL", "Leave it out, or write https://events.eu.pagerduty.com")
    made = PagerDuty(routing_key=given.routing_key, name=given.name, url=given.url.rstrip("/"))
    return msgspec.structs.replace(made, levels=_levels(path, given.severity, made.levels))


def _sns(path: str, given: _Sns) -> Sns:
    try:
        arn = arns.parse(given.topic)
    except ValueError as error:
        raise ConfigError(f"{path}.topic", str(error), "Give the topic's ARN.") from error
    if arn.service != "sns" or not arn.region or re.fullmatch(r"[\w-]+(?:\.fifo)?", arn.resource) is None:
        raise ConfigError(f"{path}.topic", f"{given.topic!r} is not the ARN of an SNS topic", "Write arn:aws:sns:REGION:ACCOUNT:NAME.")
    made = Sns(topic=given.topic, name=given.name, format=cast(Any, choice(f"{path}.format", given.format, ("text", "json"))))
    return msgspec.structs.replace(made, levels=_levels(path, given.severity, made.levels))


def _email(path: str, given: _Email, smtp: Smtp | None) -> Email:
    if smtp is None:
        raise ConfigError(path, "has no mail server", "Name one in [smtp].")
    for index, address in enumerate(given.to):
        if re.fullmatch(r"[^@\s,<>]+@[^@\s,<>]+", address) is None:
            raise ConfigError(f"{path}.to[{index}]", f"{address!r} is not a mail address", "Write e.g. on-call@example.com")
    made = Email(to=tuple(dict.fromkeys(given.to)), name=given.name, **msgspec.structs.asdict(smtp))
    return msgspec.structs.replace(made, levels=_levels(path, given.severity, made.levels))


def _apprise(path: str, given: _Apprise) -> Apprise:
    for index, url in enumerate(given.urls):
        if re.match(r"[a-z][a-z0-9+.-]*://\S", url, re.IGNORECASE) is None:
            raise ConfigError(f"{path}.urls[{index}]", "is no Apprise URL", "Write e.g. tgram://TOKEN/CHAT; docs/channels.md says more.")
    made = Apprise(urls=tuple(given.urls), name=given.name)
    return msgspec.structs.replace(made, levels=_levels(path, given.severity, made.levels))


def _link(path: str, given: _Link) -> Link:
    try:
        fields = named(given.url)
    except ValueError as error:
        raise ConfigError(f"{path}.url", f"has braces that do not fit: {error}", "Write e.g. https://wiki.example.com/{family}") from error
    for field in fields:
        choice(f"{path}.url", field, FIELDS)
    if not re.match(r"https?://[^/\s{]+", given.url):
        raise ConfigError(f"{path}.url", "is not an http or https URL", "Write e.g. https://wiki.example.com/{family}")
    return Link(text=given.text, url=given.url)


def _route(path: str, given: RouteTable, known: tuple[str, ...]) -> Route:
    pattern(f"{path}.match", given.match, VIEW, "route")
    for index, name in enumerate(given.channels):
        choice(f"{path}.channels[{index}]", name, known)
    return Route(match=given.match, channels=tuple(given.channels))


def _escalation(path: str, given: EscalateTable, known: tuple[str, ...]) -> Escalation:
    pattern(f"{path}.match", given.match, VIEW, "escalation")
    for index, name in enumerate(given.channels):
        choice(f"{path}.channels[{index}]", name, known)
    after = duration(f"{path}.after", given.after)
    if after <= 0:
        raise ConfigError(f"{path}.after", "is no time at all", "Name those channels in a [[route]] to tell them at once.")
    made = Escalation(after=after, channels=tuple(given.channels), match=given.match)
    return msgspec.structs.replace(made, levels=_levels(path, given.severity, made.levels))


def _mutes(given: Sequence[MuteTable], tz: str) -> tuple[Mute, ...]:
    names = [one.name for one in given]
    made = []
    for index, one in enumerate(given):
        path = f"mute[{index}]"
        if one.name in names[:index]:
            raise ConfigError(f"{path}.name", f"{one.name!r} is taken by another mute", "Give each mute its own name.")
        pattern(f"{path}.match", one.match, VIEW, "mute")
        made.append(Mute(match=one.match, until=_moment(f"{path}.until", one.until, tz), name=one.name))
    return tuple(made)


def _moment(path: str, given: Any, tz: str) -> float:
    """A TOML date and time, or its text; without an offset in the zone of messages."""
    try:
        moment = given if isinstance(given, datetime) else datetime.fromisoformat(given)
        return round((moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(tz))).timestamp(), 3)
    except (TypeError, ValueError) as error:
        raise ConfigError(path, f"{given!r} is no date and time", "Write e.g. 2026-12-01T09:00:00+09:00") from error


def _levels(path: str, given: list[str] | None, default: tuple[Level, ...]) -> tuple[Level, ...]:
    if given is None:
        return default
    return tuple(_level(f"{path}.severity[{index}]", level) for index, level in enumerate(given))


def _level(path: str, text: str) -> Level:
    return cast(Level, choice(path, text, LEVELS))


def _detector(name: str) -> str:
    return choice("severity", name, get_args(Detector))
