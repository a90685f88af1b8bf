"""What a measurement gives, and how it is printed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_HEADINGS = ("measurement", "ours", "compared with", "ratio", "target", "")


@dataclass(frozen=True)
class Figure:
    """One line of the table. `ratio` is None where nothing is compared; `target` is (">=" or "<=", limit), None where none was set."""

    name: str
    ours: str
    peer: str = ""
    ratio: float | None = None
    target: tuple[Literal[">=", "<="], float] | None = None
    note: str = ""
    no_result: bool = False

    @property
    def missed(self) -> bool:
        """Whether its target was not reached, or nothing could be said of it."""
        if self.no_result:
            return True
        if self.target is None or self.ratio is None:
            return False
        sign, limit = self.target
        return self.ratio < limit if sign == ">=" else self.ratio > limit

    def cells(self) -> tuple[str, ...]:
        """The table's columns."""
        ratio = f"{self.ratio:.2f}×" if self.ratio is not None else ""
        target = f"{self.target[0]} {self.target[1]:g}×" if self.target else ""
        said = "FAIL" if self.no_result else ("MISS" if self.missed else "PASS") if self.target and self.ratio is not None else ""
        return self.name, self.ours, self.peer, ratio, target, said


def skipped(name: str, why: str) -> Figure:
    """The line of a measurement that this machine cannot make."""
    return Figure(name, f"skipped: {why}")


def failed(name: str, why: str) -> Figure:
    """The line of a measurement that gave no figure, because an answer was wrong or something did not end in time."""
    return Figure(name, "no result", note=why[:400], no_result=True)


def table(figures: Sequence[Figure]) -> str:
    """The figures as columns, each one's note below it."""
    rows = [_HEADINGS, *(figure.cells() for figure in figures)]
    compared = [row for row in rows if row[2] or row[3]] or rows
    widths = [max(len(row[column]) for row in (compared if column == 1 else rows)) for column in range(len(_HEADINGS))]
    lines = []
    for row, note in zip(rows, ("", *(figure.note for figure in figures)), strict=True):
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if note:
            lines.append(f"    {note}")
    return "\n".join(lines)
