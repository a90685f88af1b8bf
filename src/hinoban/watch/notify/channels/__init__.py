"""What carries messages. A channel is added here and in docs/checklists/channel.md."""

from collections.abc import Callable
from typing import TextIO

import msgspec

from hinoban.aws.client import Client
from hinoban.base.clock import Clock
from hinoban.watch.config import WatchConfig
from hinoban.watch.notify.channels.apprise_ import AppriseChannel
from hinoban.watch.notify.channels.channel import Channel, DeliveryFailed
from hinoban.watch.notify.channels.console import Console
from hinoban.watch.notify.channels.email import EmailChannel
from hinoban.watch.notify.channels.keep import Keep, MemoryKeep, StoredKeep
from hinoban.watch.notify.channels.pagerduty import PagerDutyChannel
from hinoban.watch.notify.channels.slack import SlackChannel
from hinoban.watch.notify.channels.sns import SnsChannel
from hinoban.watch.notify.channels.webhook import WebhookChannel


class Means(msgspec.Struct, frozen=True, kw_only=True):
    """What channels work with: the clock, the console's stream, their memory, and the AWS that topics are in."""

    clock: Clock
    stream: TextIO
    keep: Keep
    client: Client | None


def _sns(config: WatchConfig, means: Means) -> list[Channel]:
    if config.notify.sns and means.client is None:
        raise ValueError("notify.sns needs a client")
    return [SnsChannel(one, means.client, means.keep, tz=config.tz, links=config.notify.links) for one in config.notify.sns if means.client]


CHANNELS: dict[str, Callable[[WatchConfig, Means], list[Channel]]] = {
    "console": lambda config, means: [Console(means.stream, config.tz)] if config.notify.console else [],
    "webhook": lambda config, means: [WebhookChannel(one, means.clock) for one in config.notify.webhooks],
    "slack": lambda config, means: [
        SlackChannel(one, means.keep, tz=config.tz, links=config.notify.links, severity=config.notify.severity)
        for one in config.notify.slack
    ],
    "pagerduty": lambda config, means: [
        PagerDutyChannel(one, means.keep, tz=config.tz, links=config.notify.links) for one in config.notify.pagerduty
    ],
    "sns": _sns,
    "email": lambda config, means: [
        EmailChannel(one, means.clock, means.keep, tz=config.tz, links=config.notify.links) for one in config.notify.email
    ],
    "apprise": lambda config, means: [
        AppriseChannel(one, means.keep, tz=config.tz, links=config.notify.links) for one in config.notify.apprise
    ],
}


def channels_of(
    config: WatchConfig, clock: Clock, stream: TextIO, *, keep: Keep | None = None, client: Client | None = None
) -> list[Channel]:
    """Every channel that the configuration asks for. Topics need a client; without `keep` channels remember until the process ends."""
    means = Means(clock=clock, stream=stream, keep=keep or MemoryKeep(), client=client)
    return [channel for make in CHANNELS.values() for channel in make(config, means)]


__all__ = [
    "CHANNELS",
    "AppriseChannel",
    "Channel",
    "Console",
    "DeliveryFailed",
    "EmailChannel",
    "Keep",
    "MemoryKeep",
    "PagerDutyChannel",
    "SlackChannel",
    "SnsChannel",
    "StoredKeep",
    "WebhookChannel",
    "channels_of",
]
