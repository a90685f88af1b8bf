"""Memory limits kept by the kernel, where a memory cgroup can be written: `hinoban/<engine>/<task>/<container>`, version 1 or 2.

Standard library only. Where `find` answers None, the supervisor samples instead (sampling.py).
"""

import os

_ROOTS = (("/sys/fs/cgroup/memory", False), ("/sys/fs/cgroup", True))


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def find(engine: str) -> "Cgroups | None":
    """The place for our cgroups, made if it can be; None where the kernel has none for us."""
    for root, unified in _ROOTS:
        if unified and "memory" not in _read(f"{root}/cgroup.controllers").split():
            continue
        if not unified and not os.path.exists(f"{root}/memory.limit_in_bytes"):
            continue
        base = f"{root}/hinoban/{engine}"
        try:
            os.makedirs(base, exist_ok=True)
            if unified:
                for parent in (root, f"{root}/hinoban", base):
                    _write(f"{parent}/cgroup.subtree_control", "+memory")
        except OSError:
            continue
        if os.access(f"{base}/cgroup.procs", os.W_OK):
            return Cgroups(base, unified=unified)
    return None


def usable() -> bool:
    """Whether `find` would answer a place, without making one."""
    return any(
        os.access(root, os.W_OK)
        and (os.path.exists(f"{root}/memory.limit_in_bytes") if not unified else "memory" in _read(f"{root}/cgroup.controllers").split())
        for root, unified in _ROOTS
    )


class Cgroups:
    """One directory per task with its limit, and in it one per container with its own."""

    def __init__(self, base: str, *, unified: bool) -> None:
        self._base = base
        self._unified = unified

    def make(self, task: str, name: str, memory: int | None, task_memory: int | None) -> str:
        """The directory of a new container; limits in bytes. OSError where the kernel refuses."""
        parent, path = f"{self._base}/{task}", f"{self._base}/{task}/{name}"
        if not os.path.isdir(parent):
            os.mkdir(parent)
            if self._unified:
                _write(f"{parent}/cgroup.subtree_control", "+memory")
            self._limit(parent, task_memory)
        os.makedirs(path, exist_ok=True)
        self._limit(path, memory)
        return path

    def _limit(self, path: str, limit: int | None) -> None:
        if limit is None:
            return
        if self._unified:
            _write(f"{path}/memory.max", str(limit))
            if os.path.exists(f"{path}/memory.swap.max"):
                _write(f"{path}/memory.swap.max", "0")
            return
        _write(f"{path}/memory.limit_in_bytes", str(limit))
        if os.path.exists(f"{path}/memory.memsw.limit_in_bytes"):
            _write(f"{path}/memory.memsw.limit_in_bytes", str(limit))

    def oom_kills(self, path: str) -> int:
        """How many processes of this container the kernel killed for memory."""
        text = _read(f"{path}/memory.events" if self._unified else f"{path}/memory.oom_control")
        return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("oom_kill ")), 0)

    def pids(self, path: str) -> list[int]:
        """Every process of the container, also those that left its session."""
        return [int(pid) for pid in _read(f"{path}/cgroup.procs").split()]

    def drop(self, path: str) -> None:
        """Remove a container's directory, and the task's when it was the last; one that is still busy is left for the next time."""
        for each in (path, os.path.dirname(path)):
            try:
                os.rmdir(each)
            except OSError:
                return

    def close(self) -> bool:
        """Remove the engine's own directory, and ours when it was the last; False while a process is still in one."""
        try:
            for task in list(os.scandir(self._base)):
                if task.is_dir():
                    for container in list(os.scandir(task.path)):
                        if container.is_dir():
                            os.rmdir(container.path)
                    os.rmdir(task.path)
        except OSError:
            return False
        self.drop(self._base)
        return True
