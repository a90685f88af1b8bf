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


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """Where alerts are posted, and the secret that signs them."""

    url: str
    secret: str
    name: str = "webhook"

    def __repr__(self) -> str:
        return f"Webhook(name={self.name!r})"  # never the secret, nor a URL that may hold one


class NotifyConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Who is told."""

    console: bool = True
    webhooks: tuple[Webhook, ...] = ()
    dead_after: float = 3 * DAYS


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
    log_lines: int = 20
