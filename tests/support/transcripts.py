"""A transcript as it stands in the specification, held against what is printed: the words are fixed, `<names>` stand for what may differ."""

import re
from collections.abc import Sequence
from textwrap import dedent

_SHAPES = {
    "inc": r"inc-[0-9a-z]+",
    "id": r"[0-9a-f]{8}",
    "time": r"\d\d:\d\d:\d\d",
    "minute": r"\d\d:\d\d",
    "second": r"\d\d",
    "seconds": r"\d+",
    "count": r"\d+",
    "space": r" +",
}
"""What a placeholder takes, by its name without digits: `<inc>`, `<time2>`. A name that is given twice is the same text both times."""
_PLACEHOLDER = re.compile(r"<(\w+)>")


def pattern(line: str, known: dict[str, str]) -> re.Pattern[str]:
    """One line of a transcript as an expression; what `known` names is that text."""
    parts, seen, at = [], set[str](), 0
    for found in _PLACEHOLDER.finditer(line):
        name, shape = found[1], _SHAPES.get(found[1].rstrip("0123456789"))
        if shape is None:
            continue
        parts.append(re.escape(line[at : found.start()]))
        value = re.escape(known[name]) if name in known else f"(?P={name})" if name in seen else f"(?P<{name}>{shape})"
        parts.append(value)
        seen.add(name)
        at = found.end()
    return re.compile("".join(parts) + re.escape(line[at:]))


def reproduces(printed: Sequence[str], transcript: str) -> None:
    """Every line of the transcript is printed, in this order and no other; each differing line is shown beside what was expected."""
    wanted = dedent(transcript).strip("\n").splitlines()
    known: dict[str, str] = {}
    wrong = []
    for number in range(max(len(wanted), len(printed))):
        expected = wanted[number] if number < len(wanted) else "(no such line)"
        line = printed[number] if number < len(printed) else "(no such line)"
        found = pattern(expected, known).fullmatch(line)
        if found is None:
            wrong.append(f"expected  {expected}\n  printed {line}")
        else:
            known |= found.groupdict()
    assert not wrong, "\n".join(["", *wrong, "", "All that was printed:", *printed])
