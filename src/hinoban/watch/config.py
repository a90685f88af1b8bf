"""What the watch is told to do, as frozen values; daemon/config.py makes them from the TOML file."""

from typing import Any, Literal

import msgspec

from hinoban.base.clock import DAYS, HOURS, MINUTES, SECONDS

Action = Literal["RETRY", "EXIT"]
"""What a rule of `on_exit` says of an ended task: run it again, or leave it."""


class ExitRule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule on how a task ended, as AWS Batch's evaluateOnExit: every condition that is named must hold. A `*` stands at the end only."""

    action: Action
    exit_code: tuple[str, ...] = ()
    """Any of these; empty: not asked for."""
    reason: str | None = None
    container: str | None = None


class RetryRule(msgspec.Struct, frozen=True, kw_only=True):
    """How failures are retried: exponential backoff with full jitter (docs/retry.md).

    `attempts` counts the launch that was asked for as the first. Durations are seconds.
    """

    attempts: int = 6
    deadline: float = 20 * MINUTES
    base: float = 30 * SECONDS
    cap: float = 5 * MINUTES
    on_start_failure: bool = True
    on_exit: tuple[ExitRule, ...] = ()
    """The first that fits decides; where none does, an ended task is left alone."""
    rotate: bool | tuple[str, ...] = False
    """An attempt uses one subnet, in turn: of the request's own (True), or of these."""
    fargate_spot_to_fargate: bool = False


class RetryBudget(msgspec.Struct, frozen=True, kw_only=True):
    """How many retries may be launched within `window` seconds, of one family and in all."""

    per_family: int = 10
    in_all: int = 100
    window: float = 1 * HOURS


LoopAction = Literal["tell", "scale_to_zero", "rollback"]


class OnCrashLoop(msgspec.Struct, frozen=True, kw_only=True):
    """After how many ends a service is said to be in a crash loop, and what is done about it besides telling."""

    after: int = 5
    action: LoopAction = "tell"


Right = Literal["run_task", "stop_task", "update_service"]
"""What the watch may do besides watching."""

CatchUp = Literal["none", "last", "all"]
"""Which of the runs that fell due while the engine was away are made up for: a midnight job must not start at nine unasked."""

OnOverlap = Literal["tell", "stop_newer", "stop_older"]
"""What is done about two runs of a family at once."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """One `[[policy]]`: `match` is an EventBridge event pattern over the envelope plus `hinoban.{tags,family,cluster,started_by}`; {} is everything.

    `max_runtime` and `stop_after` are seconds from the task's start, `remind_after` from the warning. A later policy's value wins where several match.
    """

    match: dict[str, Any] = {}
    max_runtime: float | None = None
    remind_after: float | None = None
    stop_after: float | None = None
    stop_orphans: bool | None = None
    retry: RetryRule | None = None
    catch_up: CatchUp | None = None
    overlap: OnOverlap | None = None
    allow: tuple[Right, ...] = ()
    """What may be done about whom it matches, where the watch observes only."""
    on_crash_loop: OnCrashLoop | None = None
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


class Escalation(msgspec.Struct, frozen=True, kw_only=True):
    """What is open for `after` seconds at one of these levels, matches, and nobody has taken, is told to further channels."""

    after: float
    channels: tuple[str, ...]
    match: dict[str, Any] = {}
    levels: tuple[Level, ...] = ("page",)

    @property
    def key(self) -> str:
        """Names the step in the incident's row, over restarts and changes of the file."""
        return f"{self.after:g}s to {', '.join(self.channels)}"


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
    escalations: tuple[Escalation, ...] = ()
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
    retry_budget: RetryBudget = RetryBudget()
    max_runtime: float = 24 * HOURS
    """Of tasks that no service owns."""
    remind_after: float | None = None
    """From the warning of an overdue task to the first reminder, doubling from there; None: as long as its limit."""
    stop_orphans: bool = False
    """Whether tasks whose lease ran out are stopped."""
    stuck_after: float = 10 * MINUTES
    """How long a task may take to get to run."""
    hold: float = 3 * MINUTES
    hold_refusals: int = 2
    notify: NotifyConfig = NotifyConfig()
    tz: str = "UTC"
    lang: Lang = "en"
    log_lines: int = 20
    keep: Keep = Keep()
    metrics_port: int | None = None
    """Where Prometheus may read the measures without a signature, on 127.0.0.1; None: nowhere."""
