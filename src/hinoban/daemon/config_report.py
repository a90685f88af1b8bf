"""[notify.daily] and [notify.dead_man] of the configuration file, checked and turned into the watch's values."""

import re
from urllib.parse import urlsplit

import msgspec

from hinoban.base.errors import ConfigError
from hinoban.daemon.config_values import choice, duration
from hinoban.watch.config import DailyReport, DeadMan, NotifyConfig

OFF = "off"
_SOONEST = 10.0
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class DailyTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[notify.daily]`."""

    at: str = "09:30"
    channels: list[str] | None = None


class DeadManTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[notify.dead_man]`."""

    url: str
    every: str = "1m"


def daily_of(given: DailyTable | None, notify: NotifyConfig) -> DailyReport | None:
    """Who gets the report, and when. Unasked it goes out where somebody besides the console would read it."""
    readers = _readers(notify)
    if given is None:
        return DailyReport(channels=readers) if readers not in ((), ("console",)) else None
    if given.at == OFF:
        return None
    if re.fullmatch(r"(?:[01]\d|2[0-3]):[0-5]\d", given.at) is None:
        raise ConfigError("notify.daily.at", f"{given.at!r} is no time of day", 'Write e.g. "09:30", or "off".')
    if given.channels is None:
        return DailyReport(at=given.at, channels=readers)
    pagers = {one.name for one in notify.pagerduty}
    programs = (*(one.name for one in notify.webhooks), *(one.name for one in notify.sns if one.format == "json"))
    for index, name in enumerate(given.channels):
        path = f"notify.daily.channels[{index}]"
        if name in pagers:
            raise ConfigError(path, f"{name!r} is a PagerDuty, which wakes people", "Name a channel that is read: slack, email, sns.")
        choice(path, name, (*readers, *programs))
    return DailyReport(at=given.at, channels=tuple(dict.fromkeys(given.channels)))


def dead_man_of(given: DeadManTable) -> DeadMan:
    """Whom to ping."""
    try:
        parts = urlsplit(given.url)
    except ValueError as error:
        raise ConfigError("notify.dead_man.url", "is no URL", "Write e.g. https://hc-ping.com/YOUR-UUID") from error
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ConfigError("notify.dead_man.url", "is not an https URL", "Write e.g. https://hc-ping.com/YOUR-UUID")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ConfigError("notify.dead_man.url", "is http, and not of this machine", "Write https: who sees the URL can ping in our place.")
    every = duration("notify.dead_man.every", given.every)
    if every < _SOONEST:
        raise ConfigError("notify.dead_man.every", "is shorter than 10s", 'Write e.g. "1m", and tell the receiver the same.')
    return DeadMan(url=given.url, every=every)


def _readers(notify: NotifyConfig) -> tuple[str, ...]:
    """The channels that people read: no pagers, and nothing that only programs take."""
    console = ("console",) if notify.console else ()
    topics = (one.name for one in notify.sns if one.format == "text")
    mails, others = (one.name for one in notify.email), (one.name for one in notify.apprise)
    return (*console, *(one.name for one in notify.slack), *topics, *mails, *others)
