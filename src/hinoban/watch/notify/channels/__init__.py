"""What carries messages. A channel is added here and in docs/checklists/channel.md."""

from collections.abc import Callable
from typing import TextIO

from hinoban.base.clock import Clock
from hinoban.watch.config import WatchConfig
from hinoban.watch.notify.channels.channel import Channel, DeliveryFailed
from hinoban.watch.notify.channels.console import Console
from hinoban.watch.notify.channels.webhook import WebhookChannel

CHANNELS: dict[str, Callable[[WatchConfig, Clock, TextIO], list[Channel]]] = {
    "console": lambda config, clock, stream: [Console(stream, config.tz)] if config.notify.console else [],
    "webhook": lambda config, clock, stream: [WebhookChannel(hook, clock) for hook in config.notify.webhooks],
}


def channels_of(config: WatchConfig, clock: Clock, stream: TextIO) -> list[Channel]:
    """Every channel that the configuration asks for."""
    return [channel for make in CHANNELS.values() for channel in make(config, clock, stream)]


__all__ = ["CHANNELS", "Channel", "Console", "DeliveryFailed", "WebhookChannel", "channels_of"]
