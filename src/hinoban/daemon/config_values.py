"""Values of the configuration that several of its tables have; a bad one is an error that names its path."""

import difflib

from hinoban.aws.event_patterns import BadPattern, Names, compile_pattern, unknown_name
from hinoban.base.errors import ConfigError
from hinoban.base.units import parse_duration


def duration(path: str, text: str) -> float:
    """Seconds; ConfigError names the path."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ConfigError(path, str(error), "Correct it.") from error


def choice(path: str, text: str, allowed: tuple[str, ...]) -> str:
    """One of the allowed words; ConfigError names them."""
    if text not in allowed:
        near = difflib.get_close_matches(text, allowed, 1)
        raise ConfigError(
            path, f"must be one of {', '.join(allowed)}, not {text!r}", f"Did you mean {near[0]!r}?" if near else "Choose one."
        )
    return text


def pattern(path: str, match: dict[str, object], known: Names, what: str) -> None:
    """ConfigError where `match` is no event pattern, or names a field that no event has, so that `what` would never apply."""
    try:
        compile_pattern(match, path)
    except BadPattern as error:
        where, _, why = str(error).partition(": ")
        raise ConfigError(where, why, "config.example.toml shows a pattern.") from error
    if (unknown := unknown_name(match, known, path)) is not None:
        raise ConfigError(unknown.path, f"is a field that no event has, so the {what} would never apply", unknown.todo)
