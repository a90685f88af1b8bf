"""Words of others (a task's output, a name, a reason) made fit for a line on a person's terminal."""

import re

# What a terminal obeys instead of printing: C0 but the tab, DEL, C1; and the marks that turn the direction of what follows.
_OBEYED = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def one_line(text: str) -> str:
    """`text` without line breaks, and with what a terminal would obey spelt out (`\\x1b[2J`): no word is lost, none is a command."""
    if text.isprintable():
        return text
    return _OBEYED.sub(_spelt, " ".join(text.splitlines()))


def _spelt(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
