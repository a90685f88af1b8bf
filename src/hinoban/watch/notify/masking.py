"""Takes out of log lines what looks like a secret or names a person, before they leave for a chat. Pure.

It errs on the side of taking out: a line is a hint what to look at, and the whole line stays where it was written. What has no shape
(a password in the middle of a sentence) it cannot know: `log_tail = "off"` is for programs that print such things.
"""

import re
from collections.abc import Sequence

from hinoban.base.text import one_line
from hinoban.watch.config import LogTail

MASK = "***"
LINES_MOST = 10
_LINE_MOST = 300

_SECRET_NAME = (
    r"[\w.-]*(?:passw(?:or)?d|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential|signature|session)[\w.-]*"
)
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    # A key's own block, should a line hold it.
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*", re.DOTALL), MASK),
    # https://user:password@host, postgres://user:password@host
    (re.compile(r"(?P<kept>\b[a-zA-Z][a-zA-Z0-9+.-]*://)[^\s/@]+@"), rf"\g<kept>{MASK}@"),
    # Authorization: Bearer ..., "Basic ..."
    (re.compile(r"(?P<kept>\b(?:bearer|basic)\s+)[\w.~+/=-]{6,}", re.IGNORECASE), rf"\g<kept>{MASK}"),
    # password=..., "apiKey": "...", AWS_SECRET_ACCESS_KEY: ..., --token ...; a quoted value up to its quote.
    (
        re.compile(
            rf"(?P<kept>(?<![\w.-])[\"']?(?:--)?{_SECRET_NAME}[\"']?\s*(?:[=:]\s*|(?<=n|d|y)\s+(?=[\"']?[\w+/=-]{{12,}})))"
            r"(?:\"(?:[^\"\\]|\\.)*\"?|'(?:[^'\\]|\\.)*'?|[^\s,;&\"'}\])]+)",
            re.IGNORECASE,
        ),
        rf"\g<kept>{MASK}",
    ),
    # A person's address; its domain often says which system it is about.
    (re.compile(r"[\w.+%-]+@(?P<kept>[\w-]+(?:\.[\w-]+)+)"), rf"{MASK}@\g<kept>"),
    # Keys that say themselves what they are: AWS, Slack, GitHub, Stripe, JWT.
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b"), MASK),
    (re.compile(r"\b(?:xox[a-z]-|gh[opusr]_|github_pat_|sk_(?:live|test)_|rk_(?:live|test)_)[\w-]{8,}"), MASK),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?"), MASK),
)
_LONG = re.compile(r"[A-Za-z0-9_+/=-]{24,}")
_TASK_ID = re.compile(r"[0-9a-f]{32}")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def masked(line: str) -> str:
    """`line` with secrets, addresses and long random-looking words masked. Masking twice changes nothing."""
    for rule, instead in _RULES:
        line = rule.sub(instead, line)
    return _LONG.sub(lambda found: MASK if _random_looking(found[0]) else found[0], line)


def log_tail(lines: Sequence[str], mode: LogTail) -> tuple[str, ...]:
    """The last lines as they may leave: none, masked, or as they are; each on one line and not too long."""
    if mode == "off":
        return ()
    last = [one_line(line.rstrip("\n")) for line in lines if line.strip()][-LINES_MOST:]
    # Masked before it is cut: half a key may not look like one.
    shown = [masked(line) for line in last] if mode == "masked" else last
    return tuple(line if len(line) <= _LINE_MOST else line[: _LINE_MOST - 1] + "…" for line in shown)


def _random_looking(word: str) -> bool:
    """A part of 16 or more letters and digits mixed, but no task's id (32 hexadecimal digits) or UUID; or the shape of an AWS secret key."""
    if _UUID.fullmatch(word):
        return False
    if len(word) == 40 and re.fullmatch(r"[A-Za-z0-9/+]+", word) and all(re.search(kind, word) for kind in ("[a-z]", "[A-Z]", "[0-9]")):
        return True
    parts = [part for part in re.split(r"[-_/]", word) if len(part) >= 16 and not _TASK_ID.fullmatch(part)]
    return any(re.search("[0-9]", part) and re.search("[A-Za-z]", part) for part in parts)
