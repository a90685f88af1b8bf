"""One container as the supervisor knows it: its record on disk and how far it has come. Standard library only.

The record is a file of JSON lines: the mark (written before anything is spawned), the pid, the start, the end. It alone says
whether a key was run, so a key is never run twice whoever dies when.
"""

import json
import os
import stat
from typing import Any

from hinoban.engine.runtime.process.output import OutputFiles
from hinoban.engine.runtime.process.spawn import append

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class Container:
    """`started` and `end` are the messages told of it; `pid` is 0 unless it runs under this supervisor."""

    def __init__(self, directory: str, mark: dict[str, Any]) -> None:
        self.directory = directory
        self.mark = mark
        self.task: str = mark["task"]
        self.name: str = mark["name"]
        self.memory: int | None = mark["memory"]
        self.task_memory: int | None = mark["task_memory"]
        self.private: str = mark["private"]
        self.uid: int = mark["uid"]
        self.ports: list[tuple[str, int]] = [(protocol, port) for _, port, protocol in mark["ports"]]
        self.cgroup: str | None = mark["cgroup"]
        self.pid = 0
        self.pipe: int | None = None
        # While the child has not become its command: the pipe that tells, what it should become, and why it could not.
        self.exec_pipe: int | None = None
        self.argv: list[str] = []
        self.cwd: str | None = None
        self.failure: str | None = None
        self.output = OutputFiles(directory)
        self.started: dict[str, Any] | None = None
        self.end: dict[str, Any] | None = None
        self.leftover: tuple[int, int | None] | None = None
        self.kill_at: float | None = None
        self.over_memory = False
        self.killed_by_us = False
        # What the connected daemon was told so far.
        self.told_start = False
        self.told_cursor = 0
        self.told_end = False

    @property
    def key(self) -> tuple[str, str]:
        return self.task, self.name

    @property
    def record(self) -> str:
        return f"{self.directory}/record"

    def write_start(self, line: dict[str, Any]) -> None:
        """Put the start on disk, then remember it."""
        append(self.record, {"started": line})
        self.started = line

    def write_end(self, line: dict[str, Any]) -> None:
        """Put the end on disk, then remember it: it may be told only after this."""
        append(self.record, {"end": line})
        self.end = line


def create(root: str, mark: dict[str, Any]) -> Container:
    """A new container with its mark on disk."""
    directory = f"{root}/{mark['task']}/{mark['name']}"
    os.makedirs(directory, 0o700, exist_ok=True)
    append(f"{directory}/record", {"mark": mark})
    return Container(directory, mark)


def load(root: str) -> list[Container]:
    """Every container on disk; one whose mark was never finished never ran and was never told of, so it is cleared away."""
    found = []
    for task in os.listdir(root):
        for name in os.listdir(f"{root}/{task}"):
            directory = f"{root}/{task}/{name}"
            lines = _lines(f"{directory}/record")
            if not lines or "mark" not in lines[0]:
                delete_tree(directory)
                continue
            container = Container(directory, lines[0]["mark"])
            for line in lines[1:]:
                if "pid" in line:
                    container.leftover = (line["pid"], line["start"])
                container.started = line.get("started", container.started)
                container.end = line.get("end", container.end)
            found.append(container)
    return found


def _lines(path: str) -> list[dict[str, Any]]:
    lines = []
    try:
        with open(path, "rb") as file:
            for raw in file:
                if raw.endswith(b"\n"):
                    lines.append(json.loads(raw))
    except FileNotFoundError:
        return lines
    return lines


def delete_tree(path: str) -> None:
    """Remove a directory and what is in it, however deep, following no link; what is already gone is no error."""
    try:
        top = _opened(path, None)
    except FileNotFoundError:
        return
    try:
        while names := os.listdir(top):
            for name in names:
                if _is_directory(name, top):
                    _delete_raised(name, top)
                else:
                    os.unlink(name, dir_fd=top)
    finally:
        os.close(top)
    os.rmdir(path)


def _delete_raised(name: str, top: int) -> None:
    """Remove one directory of `top`; the directories in it are moved to `top`, so that no depth can exhaust us."""
    here = _opened(name, top)
    try:
        for inner in os.listdir(here):
            if _is_directory(inner, here):
                os.close(_opened(inner, here))  # opened only because that makes it ours to move
                os.rename(inner, os.urandom(16).hex(), src_dir_fd=here, dst_dir_fd=top)
            else:
                os.unlink(inner, dir_fd=here)
    finally:
        os.close(here)
    os.rmdir(name, dir_fd=top)


def _is_directory(name: str, parent: int) -> bool:
    return stat.S_ISDIR(os.lstat(name, dir_fd=parent).st_mode)


def _opened(name: str, parent: int | None) -> int:
    try:
        here = os.open(name, _DIRECTORY, dir_fd=parent)
    except PermissionError:
        # A container locked itself out of its own directory; root never comes here, so no link can lead us astray.
        os.chmod(name, 0o700, dir_fd=parent)
        here = os.open(name, _DIRECTORY, dir_fd=parent)
    if os.geteuid() != 0:
        # It may be closed to writing, and then nothing in it can be removed or moved.
        os.fchmod(here, 0o700)
    return here
