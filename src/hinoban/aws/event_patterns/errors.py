"""What can be wrong with a pattern: AWS's reasons (facts/eventbridge.md §4.4), told with a place in a text or with a path in a document."""

from hinoban.aws.errors import AwsError

Place = int | str
"""Where a node stands: an offset into the pattern's text, or the path in a document that had no text."""


class BadPattern(ValueError):
    """The pattern breaks the language's rules; the text names the path and the reason."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class Broken(Exception):
    """A rule of the language is broken at `place`; None where AWS names no place. Never leaves the package.

    `twice`: AWS's compiler wraps errors of some lists' members, and tells their place twice.
    """

    def __init__(self, reason: str, place: Place | None, *, twice: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.place = place
        self.twice = twice


def invalid_event_pattern(broken: Broken, text: str) -> AwsError:
    """The API's error, with AWS's text and the line that says where in the pattern it is."""
    message = f"Event pattern is not valid. Reason: {broken.reason}"
    if isinstance(broken.place, int):
        line = text.count("\n", 0, broken.place) + 1
        column = broken.place - (text.rfind("\n", 0, broken.place) + 1) + 1
        message += f'\n at [Source: (String)"{text}"; line: {line}, column: {column}]' * (2 if broken.twice else 1)
    return AwsError("InvalidEventPatternException", message)
