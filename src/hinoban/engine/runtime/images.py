"""The image map: which image (and command) to run here instead of one that nobody here can pull. PURE: the engine applies it."""

import re
from collections.abc import Sequence
from fnmatch import translate
from functools import lru_cache

import msgspec


class ImageRule(msgspec.Struct, frozen=True, kw_only=True):
    """One `[[image]]` of the configuration: images that match the glob `match` run as `use`, with `command` in place of theirs.

    The glob (`*`, `?`, `[...]`; `*` also passes `/`) must match the whole name as the definition spells it, letter case included.
    """

    match: str
    use: str | None = None
    command: tuple[str, ...] | None = None


class Resolved(msgspec.Struct, frozen=True):
    """What is run: the image, and the command where the map gives one (None: the definition's own entry point and command)."""

    image: str
    command: tuple[str, ...] | None


@lru_cache(maxsize=256)
def _pattern(glob: str) -> re.Pattern[str]:
    return re.compile(translate(glob))


def resolve(image: str, rules: Sequence[ImageRule]) -> Resolved:
    """The first rule that matches decides; without one the image runs as it is."""
    for rule in rules:
        if _pattern(rule.match).match(image):
            return Resolved(rule.use or image, rule.command)
    return Resolved(image, None)
