"""How a task that ended stands: whether it did what it was launched for, and the word that its scheduled run keeps of it. Pure."""

from hinoban.watch.history.store import exit_code_of
from hinoban.watch.model import Finding, TaskChange


def ended_well(change: TaskChange, finding: Finding | None) -> bool:
    """Whether a task did what it was launched for."""
    by_itself = change.finished and finding is None and change.detail.get("stopCode") == "EssentialContainerExited"
    return by_itself and exit_code_of(change.detail) == 0


def standing(change: TaskChange, finding: Finding | None, well: bool) -> str:
    """How a task stands, for its slot."""
    if not change.finished:
        return "running" if change.detail.get("lastStatus") == "RUNNING" else "launched"
    return "exit 0" if well else finding.verdict.lower() if finding is not None else "stopped"
