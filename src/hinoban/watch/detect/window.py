"""Marks in time, for detectors that count: how many of a kind came within how long. Pure; neither order nor repetition matters."""

import msgspec

KEEP = 64
"""Marks are kept at most: far more than any detector counts to."""


class Mark(msgspec.Struct, frozen=True, order=True):
    """One event that counts: when it was, what names it, and what a message says of it."""

    at: float
    name: str
    words: tuple[str, ...] = ()


class Run(msgspec.Struct, frozen=True):
    """Marks that stand close together."""

    marks: tuple[Mark, ...]

    @property
    def last(self) -> Mark:
        return self.marks[-1]

    @property
    def span(self) -> float:
        return self.last.at - self.marks[0].at


def with_mark(marks: tuple[Mark, ...], new: Mark) -> tuple[Mark, ...]:
    """The marks with one more, oldest first; the same marks where it is known already or too old to be kept."""
    if any(mark.name == new.name for mark in marks):
        return marks
    return tuple(sorted((*marks, new))[-KEEP:])


def latest_run(marks: tuple[Mark, ...], count: int, seconds: float) -> Run | None:
    """The newest mark that is at least the `count`-th within `seconds`, with all the marks of the `seconds` before it."""
    for end in range(len(marks) - 1, count - 2, -1):
        if marks[end].at - marks[end - count + 1].at <= seconds:
            return Run(tuple(mark for mark in marks[: end + 1] if marks[end].at - mark.at <= seconds))
    return None
