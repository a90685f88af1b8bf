"""`wildcard`: `*` is any run of characters, `\\*` and `\\\\` stand for themselves (facts/eventbridge.md §4.2)."""

from collections.abc import Sequence

from hinoban.aws.event_patterns.errors import Broken, Place

TOO_COMPLEX = "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a wildcard character"
MOST_PLACES = 10
"""How complex a wildcard may be. AWS publishes neither measure nor number (facts/eventbridge.md §4.4, §11): it was seen to refuse
`*:*:*:*:*:event-bus/*` (12 by ours) and to take `/Users/*/dir/dir/dir/dir/dir/doc.txt` (7). UNCONFIRMED in between."""
_STAR = 2


def parse(text: str, place: Place) -> tuple[str, ...]:
    """The literal runs between the wildcards, in order; one run: no wildcard at all. Positions count bytes of the quoted text."""
    runs = [""]
    position = 1
    signs = iter(text)
    starred = False
    for sign in signs:
        here = position
        position += len(sign.encode("utf-8", "surrogatepass"))
        if sign == "*":
            if starred:
                raise Broken(f"Consecutive wildcard characters at pos {here - 1}", place)
            runs.append("")
        elif sign == "\\":
            escaped = next(signs, "")
            if escaped not in ("*", "\\"):
                raise Broken(f"Invalid escape character at pos {here}", place)
            position += 1
            runs[-1] += escaped
        else:
            runs[-1] += sign
        starred = sign == "*"
    return tuple(runs)


def matches(runs: Sequence[str], text: str) -> bool:
    """Whether the text is the runs with anything in between. Greedy from the left, so its cost is bounded by the text's length."""
    first, last = runs[0], runs[-1]
    if len(runs) == 1:
        return text == first
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for run in runs[1:-1]:
        found = text.find(run, at, end)
        if found < 0:
            return False
        at = found + len(run)
    return True


def check_complexity(wildcards: Sequence[tuple[str, ...]]) -> None:
    """Refuse a wildcard whose places one input could be at in too great a number; Broken tells no place, as AWS tells none."""
    if any(_places(runs) > MOST_PLACES for runs in wildcards):
        raise Broken(TOO_COMPLEX, None)


def _places(runs: tuple[str, ...]) -> int:
    """Every star once reached stays open; behind each, its run may be begun as often as the run repeats its own beginning."""
    return sum(_STAR + _repeats(run[:-1]) for run in runs[1:])


def _repeats(run: str) -> int:
    """In how many places of `run` one can be at once: the longest chain of beginnings that are also endings, less the plain one."""
    borders = [0] * len(run)
    chain = [1] * len(run)
    for index in range(1, len(run)):
        length = borders[index - 1]
        while length and run[index] != run[length]:
            length = borders[length - 1]
        borders[index] = length + 1 if run[index] == run[length] else 0
        if borders[index]:
            chain[index] = chain[borders[index] - 1] + 1
    return max(chain, default=1) - 1
