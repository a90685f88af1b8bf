"""What the watch is told to do, as frozen values; daemon/config.py makes them from the TOML file."""

from typing import Any, Literal

import msgspec

from hinoban.base.clock import DAYS, HOURS, MINUTES, SECONDS


class RetryRule(msgspec.Struct, frozen=True, kw_only=True):
    """How failures to start are retried: exponential backoff with full jitter (docs/architecture.md, "Retries cannot duplicate").

    `attempts` counts the launch that was asked for as the first. Durations are seconds.
    """

    attempts: int = 6
    deadline: float = 20 * MINUTES
    base: float = 30 * SECONDS
    cap: float = 5 * MINUTES


CatchUp = Literal["none", "last", "all"]
"""Which of the runs that fell due while the engine was away are made up for: a midnight job must not start at nine unasked."""

OnOverlap = Literal["tell", "stop_newer", "stop_older"]
"""What is done about two runs of a family at once."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """One `[[policy]]`: `match` is an EventBridge event pattern over the envelope plus `hinoban.{tags,family,cluster,started_by}`; {} is everything.

    Both durations are seconds from the task's start. A later policy's value wins where several match.
    """

    match: dict[str, Any] = {}
    max_runtime: float | None = None
    stop_after: float | None = None
    retry: RetryRule | None = None
    catch_up: CatchUp | None = None
    overlap: OnOverlap | None = None
    keep: float | None = None
    """How long a task that ended is remembered, seconds; instead of `[watch.keep] tasks`."""


Level = Literal["page", "ticket", "digest"]
"""How loudly a matter is told: wakes somebody, waits for working hours, stands in the daily report only."""

LogTail = Literal["off", "masked", "full"]
"""Whether a failed task's last lines go out with its message: not at all, without what looks like a secret, as they are."""

PEOPLE: tuple[Level, ...] = ("page", "ticket")
ALL: tuple[Level, ...] = ("page", "ticket", "digest")


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """Where alerts are posted, and the secret that signs them."""

    url: str
    secret: str
    name: str = "webhook"
    format: Literal["hinoban", "cloudevents"] = "hinoban"
    levels: tuple[Level, ...] = ALL

    def __repr__(self) -> str:
        return f"Webhook(name={self.name!r})"  # never the secret, nor a URL that may hold one


class Slack(msgspec.Struct, frozen=True, kw_only=True):
    """Slack by an incoming webhook (`url`), or by a bot (`token` and `channel`), whose messages have a thread and are updated in place."""

    name: str = "slack"
    url: str | None = None
    token: str | None = None
    channel: str | None = None
    mention: str = ""
    """Put into pages only, in Slack's spelling: `<!here>`, `<!subteam^S012ABC>`, `<@U012ABC>`."""
    api: str = "https://slack.com/api"
    levels: tuple[Level, ...] = PEOPLE

    def __repr__(self) -> str:
        return f"Slack(name={self.name!r})"


class PagerDuty(msgspec.Struct, frozen=True, kw_only=True):
    """A PagerDuty service's integration (Events API v2)."""

    routing_key: str
    name: str = "pagerduty"
    url: str = "https://events.pagerduty.com"
    levels: tuple[Level, ...] = ("page",)

    def __repr__(self) -> str:
        return f"PagerDuty(name={self.name!r})"


class Sns(msgspec.Struct, frozen=True, kw_only=True):
    """A topic; `format`: the message as text for people, or the webhook's JSON for programs."""

    topic: str
    name: str = "sns"
    format: Literal["text", "json"] = "text"
    levels: tuple[Level, ...] = PEOPLE


class Email(msgspec.Struct, frozen=True, kw_only=True):
    """Who gets mails, and the mail server of `[smtp]` that takes them."""

    to: tuple[str, ...]
    host: str
    sender: str
    port: int = 587
    starttls: bool = True
    user: str | None = None
    password: str | None = None
    name: str = "email"
    levels: tuple[Level, ...] = PEOPLE

    def __repr__(self) -> str:
        return f"Email(name={self.name!r}, host={self.host!r}, port={self.port})"  # never the password


class Apprise(msgspec.Struct, frozen=True, kw_only=True):
    """Whatever Apprise knows, by its URLs."""

    urls: tuple[str, ...]
    name: str = "apprise"
    levels: tuple[Level, ...] = PEOPLE

    def __repr__(self) -> str:
        return f"Apprise(name={self.name!r})"


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A link under every message; `url` may name fields of the incident in braces (notify/links.py)."""

    text: str
    url: str


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """What matches goes to these channels."""

    match: dict[str, Any]
    channels: tuple[str, ...]


class Mute(msgspec.Struct, frozen=True, kw_only=True):
    """What matches is told to nobody before `until`, a moment; then it is told what was hidden."""

    match: dict[str, Any]
    until: float
    name: str


class DailyReport(msgspec.Struct, frozen=True, kw_only=True):
    """The one message a day: `at` is HH:MM in the zone of messages, `channels` who gets it."""

    at: str = "09:30"
    channels: tuple[str, ...] = ()


class DeadMan(msgspec.Struct, frozen=True, kw_only=True):
    """Who is pinged while the watch is well, and raises an alarm when the pings stay away. `every` is seconds."""

    url: str
    every: float = 1 * MINUTES

    def __repr__(self) -> str:
        return f"DeadMan(every={self.every!r})"  # the URL is the secret


class NotifyConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Who is told. `severity` says otherwise than the table of notify/levels.py for the detectors it names."""

    console: bool = True
    webhooks: tuple[Webhook, ...] = ()
    slack: tuple[Slack, ...] = ()
    pagerduty: tuple[PagerDuty, ...] = ()
    sns: tuple[Sns, ...] = ()
    email: tuple[Email, ...] = ()
    apprise: tuple[Apprise, ...] = ()
    links: tuple[Link, ...] = ()
    routes: tuple[Route, ...] = ()
    mutes: tuple[Mute, ...] = ()
    severity: dict[str, Level] = {}
    log_tail: LogTail = "masked"
    dead_after: float = 3 * DAYS
    daily: DailyReport | None = None
    dead_man: DeadMan | None = None


Lang = Literal["en", "ja"]
"""The language of what people read; AWS's own words, commands and keys are never translated."""


class Keep(msgspec.Struct, frozen=True, kw_only=True):
    """How long what is over is remembered, seconds from its end. Incidents stay for good, and whatever is open."""

    tasks: float = 1825 * DAYS
    events: float = 90 * DAYS
    """A task's whole timeline; afterwards its last event is left."""
    launches: float = 400 * DAYS
    slots: float = 92 * DAYS
    """Those that ended well; lost ones stay, as their incidents do."""
    messages: float = 30 * DAYS


class WatchConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the watch is told; the defaults are those of config.example.toml."""

    policies: tuple[Policy, ...] = ()
    retry: RetryRule = RetryRule()
    """Of launches by a schedule or by `hinoban run --retry`."""
    max_runtime: float = 24 * HOURS
    """Of tasks that no service owns."""
    hold: float = 3 * MINUTES
    hold_refusals: int = 2
    notify: NotifyConfig = NotifyConfig()
    tz: str = "UTC"
    lang: Lang = "en"
    log_lines: int = 20
    keep: Keep = Keep()
    metrics_port: int | None = None
    """Where Prometheus may read the measures without a signature, on 127.0.0.1; None: nowhere."""
