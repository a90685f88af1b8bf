"""What /proc says of processes: who they are, who their children are, how much memory they hold. Standard library only."""

import os
import signal

PAGE = os.sysconf("SC_PAGE_SIZE")
MARKER = "HINOBAN_CONTAINER"


def _read(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(1 << 20) or b""
    except OSError:
        return b""


def _stat(pid: int) -> list[bytes]:
    """The fields of /proc/PID/stat behind the name, the state first; empty when there is no such process."""
    text = _read(f"/proc/{pid}/stat")
    return text[text.rindex(b")") + 2 :].split() if b")" in text else []


def start_time(pid: int) -> int | None:
    """When the process began, in clock ticks since boot: with the pid it names a process for good. None: gone or a zombie."""
    fields = _stat(pid)
    return int(fields[19]) if fields and fields[0] not in (b"Z", b"X") else None


def children(pid: int) -> list[int]:
    """The direct children of a process."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for thread in threads:
        found += [int(child) for child in _read(f"/proc/{pid}/task/{thread}/children").split()]
    return found


def tree(pid: int) -> list[int]:
    """The process and all that descend from it."""
    found = [pid]
    for each in found:
        found += children(each)
    return found


def rss(pid: int) -> int:
    """Resident bytes, shared pages counted in full."""
    fields = _read(f"/proc/{pid}/statm").split()
    return int(fields[1]) * PAGE if fields else 0


def pss(pid: int) -> int:
    """Resident bytes, shared pages counted by share; the resident bytes where the kernel does not say."""
    for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    return rss(pid)


def belongs(pid: int, main: int, mark: str) -> bool:
    """Whether a process is of the container whose first process is (or was) `main`: by session, else by the mark in its environment."""
    fields = _stat(pid)
    if not fields or fields[0] in (b"Z", b"X"):
        return False
    return int(fields[3]) == main or marked(pid, mark)


def marked(pid: int, mark: str) -> bool:
    """Whether a process carries the mark of a container in its environment."""
    return f"{MARKER}={mark}".encode() in _read(f"/proc/{pid}/environ").split(b"\0")


def all_pids() -> list[int]:
    """Every process there is."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal; a process that is gone is no error."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def kill_group(pid: int) -> None:
    """SIGKILL to a whole process group; one that is gone is no error."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
