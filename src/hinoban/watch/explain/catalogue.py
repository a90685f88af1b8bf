"""The catalogue of reasons: loads the data in `reasons/*.toml` once, and finds the entry that a text of AWS belongs to.

The data files are the table of facts/ecs.md §§2-3; the order of files and entries is the order of precedence.
"""

import functools
import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any, Literal

import msgspec

from hinoban.watch.config import Lang

Place = Literal[
    "stop_reason",
    "container_reason",
    "stop_code",
    "exit",
    "exits",
    "launch_failure",
    "launch_error",
    "service_action",
    "deployment",
    "finding",
]
"""Where AWS says it: a task's stoppedReason or stopCode, a container's reason or exit code, RunTask's failures[] or error, a service's
action, a deployment's reason. `finding`: AWS does not say it, a detector concludes it; the text is the code."""

Class = Literal[
    "capacity",
    "network",
    "permission",
    "definition",
    "program",
    "memory",
    "user",
    "scheduler",
    "spot",
    "host",
    "platform",
    "throttling",
    "unknown",
]

FILES = ("stops", "resources", "pulls", "containers", "exits", "launches", "services", "tasks")

NETWORK_MARKERS = (
    "dial tcp",
    "dial udp",
    "i/o timeout",
    "tls handshake timeout",
    "connection timed out",
    "client.timeout exceeded while awaiting headers",
    "request canceled while waiting for connection",
    "signal: killed",
    "context deadline exceeded",
)
"""Words inside any message that mean the network (facts/ecs.md §2.3)."""

_REMEMBERED = 2048
"""Answers kept: every detector asks of every ended task, and nearly all tasks end in the same few words."""

_QUOTES = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One language's words about an entry; `{names}` in them are filled from what is known."""

    cause: str
    next: str


class Entry(msgspec.Struct, frozen=True, kw_only=True, rename={"kind": "class"}, forbid_unknown_fields=True):
    """One reason. `match` holds `kind:text` rules, any of which suffices; `error_code` and `marker` are further conditions."""

    code: str
    where: tuple[Place, ...]
    kind: Class
    retryable: bool
    source: str
    en: Text
    ja: Text
    match: tuple[str, ...] = ()
    match_prefix: str | None = None
    """A regular expression that the text must match besides, given once for a whole file."""
    marker: Literal["network"] | None = None
    """The text must hold one of NETWORK_MARKERS besides."""
    error_code: tuple[str, ...] = ()
    stop_code: tuple[str, ...] = ("*",)
    """The stop codes beside which a stop reason counts. `*` is every code but UserInitiated, whose reason is the caller's own text."""
    vague: bool = False
    """Counts only when nothing else explains the stop."""

    def text(self, lang: Lang) -> Text:
        """The words in `lang`."""
        return self.ja if lang == "ja" else self.en


class Match(msgspec.Struct, frozen=True):
    """An entry and the names that its regular expression took out of the text."""

    entry: Entry
    names: dict[str, str]


def normalise(text: str) -> str:
    """Typographic quotes made plain: real messages mix both (facts/ecs.md §2.2)."""
    return text.translate(_QUOTES).strip()


@functools.cache
def entries() -> tuple[Entry, ...]:
    """Every entry, in order of precedence."""
    folder = resources.files(__package__) / "reasons"
    found: list[Entry] = []
    for name in FILES:
        found.extend(parse(tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))))
    return tuple(found)


def parse(document: Mapping[str, Any]) -> list[Entry]:
    """The entries of one file; what stands at its top is every entry's default."""
    defaults = {key: value for key, value in document.items() if key != "entry"}
    return [msgspec.convert({**defaults, **entry}, Entry) for entry in document["entry"]]


@functools.lru_cache(maxsize=_REMEMBERED)
def find(place: Place, text: str, *, error_code: str | None = None, vague: bool = False) -> Match | None:
    """The first entry for `text` said at `place`, or None."""
    return next((match for entry in _at(place, vague) if (match := _matches(entry, text, error_code)) is not None), None)


@functools.lru_cache(maxsize=_REMEMBERED)
def find_stop(text: str, stop_code: str | None, kinds: frozenset[Class]) -> Match | None:
    """The first entry of these classes for a task's stoppedReason beside `stop_code`."""
    for entry in _at("stop_reason", False):
        beside = stop_code in entry.stop_code or ("*" in entry.stop_code and stop_code != "UserInitiated")
        if entry.kind in kinds and beside and (match := _matches(entry, text, None)) is not None:
            return match
    return None


@functools.cache
def kind_of(code: str) -> Class:
    """The class of the entry `code`; `unknown` of a code that is in no entry."""
    return next((entry.kind for entry in entries() if entry.code == code), "unknown")


@functools.cache
def codes_of(name: str) -> frozenset[str]:
    """The codes that a name stands for: its own, or all of a class; none where it is neither. What no entry explains is `unknown`."""
    found = {entry.code for entry in entries() if name in (entry.code, entry.kind)}
    return frozenset(found | {"unknown"} if name == "unknown" else found)


@functools.cache
def _at(place: Place, vague: bool) -> tuple[Entry, ...]:
    return tuple(entry for entry in entries() if place in entry.where and entry.vague == vague)


def _matches(entry: Entry, text: str, error_code: str | None) -> Match | None:
    if entry.error_code and error_code not in entry.error_code:
        return None
    plain = normalise(text)
    if entry.match_prefix is not None and not _regex(entry.match_prefix).search(plain):
        return None
    if entry.marker == "network" and not any(marker in plain.lower() for marker in NETWORK_MARKERS):
        return None
    if not entry.match:
        return Match(entry, {})
    return next((Match(entry, names) for rule in entry.match if (names := _rule(rule, plain)) is not None), None)


def _rule(rule: str, text: str) -> dict[str, str] | None:
    kind, _, wanted = rule.partition(":")
    if kind == "regex":
        found = _regex(wanted).search(text)
        return None if found is None else {name: value for name, value in found.groupdict().items() if value}
    lower, wanted = text.lower(), wanted.lower()
    held = {"equals": lower == wanted, "prefix": lower.startswith(wanted), "contains": wanted in lower}
    return {} if held[kind] else None


@functools.cache
def _regex(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)
