"""The one configuration file, hinoban.toml: read, checked to the last key, turned into what each house is told.

config.example.toml is its documentation; a test reads it back through this module. An error names the path, what is wrong and
what is allowed.
"""

import difflib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, cast, get_args, get_type_hints
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from hinoban.base.clock import DAYS
from hinoban.base.errors import ConfigError
from hinoban.daemon.config_aws import Account, AwsConfig, AwsTable, Region, aws_config
from hinoban.daemon.config_notify import EscalateTable, MuteTable, Notify, RouteTable, Smtp, listed, notify_config
from hinoban.daemon.config_retry import BudgetTable, CrashLoopTable, RetryTable, budget, crash_loop, retry_rule
from hinoban.daemon.config_values import choice, duration, pattern
from hinoban.daemon.policy_fields import POLICY
from hinoban.engine.ecs.decide.capacity import Room, parse_room
from hinoban.engine.neighbours.mail import SmtpSettings
from hinoban.engine.runtime.images import ImageRule
from hinoban.watch.config import CatchUp, Keep, Lang, OnOverlap, Policy, Right, WatchConfig

_MESSAGES_LEAST = 4 * DAYS
RUNTIMES = ("auto", "docker", "process", "fake")
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class _Engine(_Strict, frozen=True):
    port: Port = 4566
    region: Region = "ap-northeast-1"
    account: Account = "123456789012"
    runtime: str = "auto"
    capacity: str | None = None
    forget_after: str = "1h"
    feed_keep: str = "7d"
    durability: str = "process"
    pull: str = "missing"


class _Image(_Strict, frozen=True):
    match: str
    use: str | None = None
    command: list[str] | None = None


class _Policy(_Strict, frozen=True):
    match: dict[str, Any] = {}
    max_runtime: str | None = None
    remind_after: str | None = None
    stop_after: str | None = None
    stop_orphans: bool | None = None
    retry: RetryTable | None = None
    catch_up: str | None = None
    overlap: str | None = None
    allow: list[str] = []
    on_crash_loop: CrashLoopTable | None = None
    keep: str | None = None


class _Keep(_Strict, frozen=True):
    tasks: str = "1825d"
    events: str = "90d"
    launches: str = "400d"
    slots: str = "92d"
    messages: str = "30d"


class _Watch(_Strict, frozen=True):
    tz: str | None = None
    lang: str = "en"
    max_runtime: str = "24h"
    remind_after: str | None = None
    stop_orphans: bool = False
    stuck_after: str = "10m"
    hold: str = "3m"
    hold_refusals: Annotated[int, msgspec.Meta(ge=0, le=100)] = 2
    log_lines: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 20
    retry_budget: BudgetTable = BudgetTable()
    keep: _Keep = _Keep()
    metrics_port: Annotated[int, msgspec.Meta(ge=1, le=65535)] | None = None


class _CloudTrail(_Strict, frozen=True):
    delay: str = "5s"


class _Events(_Strict, frozen=True):
    strict_resource_policies: bool = False


class _Smtp(_Strict, frozen=True):
    host: Annotated[str, msgspec.Meta(min_length=1)]
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 587
    starttls: bool = True
    user: str | None = None
    password: str | None = None
    sender: str = "hinoban@localhost"


class _File(_Strict, frozen=True):
    engine: _Engine = _Engine()
    image: list[_Image] = []
    policy: list[_Policy] = []
    notify: Notify = Notify()
    route: list[RouteTable] = []
    mute: list[MuteTable] = []
    escalate: list[EscalateTable] = []
    severity: dict[str, str] = {}
    watch: _Watch = _Watch()
    events: _Events = _Events()
    cloudtrail: _CloudTrail = _CloudTrail()
    smtp: _Smtp | None = None
    aws: AwsTable = AwsTable()


class EngineConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine is told. `room` None: what the machine has; `smtp` None: mails are not sent. Durations are seconds."""

    port: int
    region: str
    account: str
    runtime: str
    room: Room | None
    forget_after: float
    feed_keep: float
    durability: str
    pull: str
    images: tuple[ImageRule, ...]
    strict_resource_policies: bool
    trail_delay: float
    smtp: SmtpSettings | None


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration."""

    engine: EngineConfig
    watch: WatchConfig
    aws: AwsConfig


def load(path: Path | None) -> Config:
    """The configuration of a file, or the defaults where none is given; ConfigError for anything that is not right."""
    if path is None:
        return parse({})
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            str(path), f"cannot be read: {error.strerror}", "Give the path of a TOML file: hinoban up --config FILE"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), f"is not TOML: {error}", "Compare it with config.example.toml.") from error
    return parse(content)


def parse(content: dict[str, Any]) -> Config:
    """The configuration of a decoded file."""
    try:
        file = msgspec.convert(listed(content), _File)
    except msgspec.ValidationError as error:
        raise _readable(error) from error
    return Config(engine=_engine(file), watch=_watch(file), aws=aws_config(file.aws))


def _engine(file: _File) -> EngineConfig:
    given = file.engine
    return EngineConfig(
        port=given.port,
        region=given.region,
        account=given.account,
        runtime=choice("engine.runtime", given.runtime, RUNTIMES),
        room=None if given.capacity is None else room("engine.capacity", given.capacity),
        forget_after=duration("engine.forget_after", given.forget_after),
        feed_keep=duration("engine.feed_keep", given.feed_keep),
        durability=choice("engine.durability", given.durability, ("process", "power-loss")),
        pull=choice("engine.pull", given.pull, ("missing", "always")),
        images=tuple(_image(index, image) for index, image in enumerate(file.image)),
        strict_resource_policies=file.events.strict_resource_policies,
        trail_delay=duration("cloudtrail.delay", file.cloudtrail.delay),
        smtp=None if file.smtp is None else _smtp(file.smtp),
    )


def _smtp(given: _Smtp) -> SmtpSettings:
    if (given.user is None) is not (given.password is None):
        there, lacking = ("user", "password") if given.password is None else ("password", "user")
        raise ConfigError(f"smtp.{lacking}", f"is missing beside smtp.{there}", "Give both, or neither where the server asks for none.")
    if re.fullmatch(r"[^@\s]+@[^@\s]+", given.sender) is None:
        raise ConfigError("smtp.sender", f"{given.sender!r} is not a mail address", "Write e.g. hinoban@example.com")
    return SmtpSettings(**msgspec.structs.asdict(given))


def _image(index: int, image: _Image) -> ImageRule:
    if image.use is None and image.command is None:
        raise ConfigError(f"image[{index}]", "says neither what to use nor which command to run", "Give `use`, `command`, or both.")
    return ImageRule(match=image.match, use=image.use, command=None if image.command is None else tuple(image.command))


def _watch(file: _File) -> WatchConfig:
    tz = _zone(file.watch.tz)
    # Checked as [smtp] of the engine is: both are made of it.
    smtp = None if file.smtp is None else Smtp(**msgspec.structs.asdict(_smtp(file.smtp)))
    return WatchConfig(
        policies=tuple(_policy(index, policy) for index, policy in enumerate(file.policy)),
        max_runtime=duration("watch.max_runtime", file.watch.max_runtime),
        remind_after=_perhaps(file.watch.remind_after, "watch.remind_after"),
        stop_orphans=file.watch.stop_orphans,
        stuck_after=duration("watch.stuck_after", file.watch.stuck_after),
        hold=duration("watch.hold", file.watch.hold),
        hold_refusals=file.watch.hold_refusals,
        log_lines=file.watch.log_lines,
        retry_budget=budget("watch.retry_budget", file.watch.retry_budget),
        keep=_keep(file.watch.keep),
        metrics_port=file.watch.metrics_port,
        tz=tz,
        lang=cast(Lang, choice("watch.lang", file.watch.lang, get_args(Lang))),
        notify=notify_config(file.notify, file.route, file.mute, file.escalate, file.severity, smtp, tz),
    )


def _keep(given: _Keep) -> Keep:
    keep = Keep(**{name: duration(f"watch.keep.{name}", text) for name, text in msgspec.structs.asdict(given).items()})
    if keep.events > keep.tasks:
        raise ConfigError("watch.keep.events", "is longer than watch.keep.tasks, to which they belong", "Make it shorter.")
    if keep.messages < _MESSAGES_LEAST:
        raise ConfigError("watch.keep.messages", "is shorter than 4d: a message may wait for 3 days", "Make it longer.")
    return keep


def _policy(index: int, policy: _Policy) -> Policy:
    path = f"policy[{index}]"
    pattern(f"{path}.match", policy.match, POLICY, "policy")
    limit = _perhaps(policy.max_runtime, f"{path}.max_runtime")
    stop = _perhaps(policy.stop_after, f"{path}.stop_after")
    if stop is not None and limit is not None and stop < limit:
        raise ConfigError(
            f"{path}.stop_after", "is shorter than max_runtime, so a task would be stopped before anyone is told", "Make it longer."
        )
    return Policy(
        match=policy.match,
        max_runtime=limit,
        remind_after=_perhaps(policy.remind_after, f"{path}.remind_after"),
        stop_after=stop,
        stop_orphans=policy.stop_orphans,
        retry=None if policy.retry is None else retry_rule(f"{path}.retry", policy.retry),
        catch_up=cast(CatchUp | None, _one_of(policy.catch_up, f"{path}.catch_up", get_args(CatchUp))),
        overlap=cast(OnOverlap | None, _one_of(policy.overlap, f"{path}.overlap", get_args(OnOverlap))),
        allow=tuple(cast(Right, choice(f"{path}.allow", one, get_args(Right))) for one in policy.allow),
        on_crash_loop=None if policy.on_crash_loop is None else crash_loop(f"{path}.on_crash_loop", policy.on_crash_loop),
        keep=None if policy.keep is None else duration(f"{path}.keep", policy.keep),
    )


def _zone(name: str | None) -> str:
    if name is None:
        return local_zone()
    if name not in available_timezones():
        near = difflib.get_close_matches(name, available_timezones(), 1)
        raise ConfigError("watch.tz", f"{name!r} is no time zone", f"Did you mean {near[0]!r}?" if near else "Write e.g. Asia/Tokyo.")
    return name


def local_zone() -> str:
    """The machine's own zone by its IANA name; UTC where it has none."""
    try:
        named = Path("/etc/localtime").resolve().as_posix().partition("/zoneinfo/")[2]
        ZoneInfo(named)
    except (OSError, ValueError):
        return "UTC"
    return named or "UTC"


def _perhaps(text: str | None, path: str) -> float | None:
    return None if text is None else duration(path, text)


def _one_of(text: str | None, path: str, allowed: tuple[str, ...]) -> str | None:
    return None if text is None else choice(path, text, allowed)


def room(path: str, text: str) -> Room:
    """A capacity; ConfigError names the path."""
    try:
        return parse_room(text)
    except ValueError as error:
        raise ConfigError(path, str(error), "Correct it.") from error


_AT = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>[^`]*)`")


def _readable(error: msgspec.ValidationError) -> ConfigError:
    """msgspec's words as ours: the path, the rule, and a near miss by name."""
    text = str(error)
    found = _AT.search(text)
    path = found["path"] if found else ""
    text = text[: found.start()] if found else text
    if (unknown := _UNKNOWN.search(text)) is None:
        return ConfigError(path or "the file", text[0].lower() + text[1:], "config.example.toml shows every key with its allowed values.")
    allowed = _fields_at(path)
    near = difflib.get_close_matches(unknown["field"], allowed, 1)
    name = f"{path}.{unknown['field']}" if path else unknown["field"]
    return ConfigError(name, "is not a key Hinoban knows", f"Did you mean {near[0]!r}?" if near else f"Allowed here: {', '.join(allowed)}.")


def _fields_at(path: str) -> list[str]:
    """The keys that a table of the file may have."""
    here: type = _File
    for part in re.findall(r"[a-z_]+", path):
        hint = get_type_hints(here).get(part)
        candidates = [
            argument for argument in (hint, *get_args(hint)) if isinstance(argument, type) and issubclass(argument, msgspec.Struct)
        ]
        if candidates:
            here = candidates[0]
    return [field.encode_name for field in msgspec.structs.fields(here)]
