"""What happens to the containers of a supervisor: started, listened to, limited, ended, removed. Standard library only.

Whom to tell is the supervisor's (supervisor.py); what is on disk is container.py's.
"""

import contextlib
import logging
import os
import selectors
import signal
import time
from typing import Any, Protocol

from hinoban.engine.runtime.process import cgroups, procfs, sampling, wire
from hinoban.engine.runtime.process.container import Container, create, delete_tree, load
from hinoban.engine.runtime.process.output import Lines
from hinoban.engine.runtime.process.spawn import CannotStart, check_ports, explain, identity, spawn
from hinoban.engine.runtime.process.uids import Uids

_READ_BYTES = 256 << 10
_DRAIN_BYTES = 1 << 20
_LEAVE_TRIES, _LEAVE_SECONDS = 50, 0.02
_VANISHED = (
    "ContainerVanishedError: the supervisor of this container ended before it, so nobody can know its exit code; "
    "what was left of it was killed"
)
_NEVER_RAN = "CannotStartContainerError: the supervisor ended before the container's process was started; it never ran"

log = logging.getLogger("supervisor")


def _now() -> float:
    # This process keeps real time (architecture.md, "Seams for drills") and imports nothing of base.
    return round(time.time_ns() / 1e9, 3)


class Teller(Protocol):
    """Who hears of what happens; all three look at how far the daemon is told and add what is missing."""

    def tell(self, container: Container) -> None: ...

    def tell_lines(self, container: Container, lines: Lines, before: int) -> None: ...

    def flush(self) -> None: ...


class Containers:
    """All containers on disk, and the running ones by the pid of their first process. `reading` false lets what they print wait."""

    def __init__(self, selector: selectors.BaseSelector, teller: Teller, *, sampled: bool) -> None:
        self._selector = selector
        self._teller = teller
        self.all: dict[tuple[str, str], Container] = {}
        self.running: dict[int, Container] = {}
        self.reading = True
        self._uids = Uids()
        self._sample_at = 0.0
        self._root = f"{os.getcwd()}/{wire.CONTAINERS}"
        os.makedirs(self._root, 0o700, exist_ok=True)
        self._work = _work_directory()
        self.cgroups = None if sampled else cgroups.find(os.path.basename(self._work))

    def next_due(self) -> float | None:
        """When `timers` is to be called, on the monotonic clock."""
        due = [each.kill_at for each in self.running.values() if each.kill_at is not None]
        if self.running and self.cgroups is None:
            due.append(self._sample_at)
        return min(due) if due else None

    def timers(self, now: float) -> None:
        """Kill what was stopped long enough ago, and what is over its memory where nobody else does."""
        for container in list(self.running.values()):
            if container.kill_at is not None and container.kill_at <= now:
                container.kill_at = None
                container.killed_by_us = True
                self._kill(container)
        if self.running and self.cgroups is None and self._sample_at <= now:
            over, wait = sampling.measure(self.running.values())
            self._sample_at = time.monotonic() + wait
            for sampled in over:
                self.running[sampled.pid].over_memory = True
                self._kill(self.running[sampled.pid])

    def stop(self, container: Container, timeout: float) -> None:
        """SIGTERM to the first process now, as Docker does, and SIGKILL to all when the time is over."""
        self.began(container)
        procfs.kill(container.pid, signal.SIGTERM)
        kill_at = time.monotonic() + timeout
        container.kill_at = min(kill_at, container.kill_at or kill_at)

    def close(self) -> None:
        """Free what belongs to no container."""
        # What was killed last may take a moment to leave its cgroup.
        for _ in range(_LEAVE_TRIES):
            self.reap()
            if self.cgroups is None or self.cgroups.close():
                break
            time.sleep(_LEAVE_SECONDS)
        with contextlib.suppress(OSError):
            os.rmdir(self._work)

    def adopt(self) -> None:
        """Take over what an earlier supervisor left on disk: what still runs is killed, for nobody can learn its end any more."""
        for container in load(self._root):
            self.all[container.key] = container
            self._uids.take(container.task, container.uid)
            if container.end is None:
                self._bury(container)

    def _bury(self, container: Container) -> None:
        if container.leftover is None:
            container.write_end({"op": "start_failed", "at": _now(), "reason": _NEVER_RAN})
            return
        pid, start = container.leftover
        log.warning("%s/%s was left by a supervisor that died; killing pid %d", container.task, container.name, pid)
        same = start is not None and procfs.start_time(pid) == start
        if same:
            procfs.kill_group(pid)
        mark = f"{container.task}/{container.name}"
        for stray in procfs.all_pids():
            if stray != os.getpid() and procfs.marked(stray, mark):
                procfs.kill(stray)
        if container.cgroup and self.cgroups:
            for stray in self.cgroups.pids(container.cgroup):
                procfs.kill(stray)
        if container.started is None:
            container.write_start(self._start_line(container, container.mark["at"]))
        container.write_end({"op": "exited", "at": _now(), "code": None, "oom": False, "reason": _VANISHED})

    def start(self, message: dict[str, Any]) -> None:
        known = self.all.get((message["task"], message["name"]))
        if known is not None:
            known.told_start = known.told_end = False
            self._teller.tell(known)
            return
        uid = self._uids.take(message["task"])
        # What the container is given to know (environment, command) may be secret and is not kept on disk.
        mark = {name: value for name, value in message.items() if name not in ("env", "argv")}
        mark |= {"uid": uid, "private": f"{self._work}/{message['runtime_id']}", "cgroup": None, "at": _now()}
        error: str | None = None
        try:
            if self.cgroups:
                mark["cgroup"] = self.cgroups.make(message["task"], message["name"], message["memory"], message["task_memory"])
        except OSError as failure:
            error = f"CannotCreateContainerError: the memory cgroup cannot be made: {failure}"
        container = create(self._root, mark)
        self.all[container.key] = container
        try:
            if error:
                raise CannotStart(error)
            self._spawn(container, message)
        except (CannotStart, OSError) as failure:
            reason = str(failure) if isinstance(failure, CannotStart) else f"CannotStartContainerError: {failure}"
            self._free(container)
            container.write_end({"op": "start_failed", "at": _now(), "reason": reason})
            self._teller.tell(container)

    def _spawn(self, container: Container, spec: dict[str, Any]) -> None:
        mark = container.mark
        check_ports(mark["ports"], {port for each in self.running.values() for port in each.ports})
        who = identity(mark["user"], container.uid)
        os.mkdir(container.private, 0o700)
        if who is not None:
            os.chown(container.private, *who)
        container.argv, container.cwd = spec["argv"], spec["cwd"]
        container.pid, container.pipe, container.exec_pipe = spawn(
            spec, record=container.record, private=container.private, who=who, cgroup=container.cgroup
        )
        self.running[container.pid] = container
        self._selector.register(container.exec_pipe, selectors.EVENT_READ, lambda _pipe, _events: self.began(container))

    def began(self, container: Container) -> None:
        """The child has become its command, or says why it cannot; waits for it if it must."""
        if container.exec_pipe is None:
            return
        failure = os.read(container.exec_pipe, 65536)
        self._selector.unregister(container.exec_pipe)
        os.close(container.exec_pipe)
        container.exec_pipe = None
        if failure:
            container.failure = str(explain(container.argv, container.cwd, failure))
            return
        container.write_start(self._start_line(container, _now()))
        self.listen_to_pipes(container)
        self._teller.tell(container)
        self._teller.flush()

    @staticmethod
    def _start_line(container: Container, at: float) -> dict[str, Any]:
        return {"op": "started", "at": at, "runtime_id": container.mark["runtime_id"], "ports": container.mark["told_ports"]}

    def listen_to_pipes(self, *only: Container) -> None:
        """Read what containers print, unless the daemon is so far behind that they should wait."""
        for container in only or tuple(self.running.values()):
            if container.pipe is None:
                continue
            registered = container.pipe in self._selector.get_map()
            if self.reading and not registered:
                self._selector.register(container.pipe, selectors.EVENT_READ, lambda _pipe, _events, each=container: self._printed(each))
            elif registered and not self.reading:
                self._selector.unregister(container.pipe)

    def _printed(self, container: Container) -> None:
        if container.pipe is None:
            return
        try:
            data = os.read(container.pipe, _READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._close_pipe(container)
            return
        self._keep(container, data)
        self._teller.flush()

    def _keep(self, container: Container, data: bytes) -> None:
        before = container.output.end
        try:
            lines = container.output.feed(data, time.time_ns() // 1_000_000)
        except OSError:
            # A full disk loses lines, never containers.
            log.exception("output of %s/%s is lost", container.task, container.name)
            return
        self._teller.tell_lines(container, lines, before)

    def _close_pipe(self, container: Container) -> None:
        if container.pipe is not None:
            if container.pipe in self._selector.get_map():
                self._selector.unregister(container.pipe)
            os.close(container.pipe)
            container.pipe = None

    def reap(self) -> None:
        while (pid := self._zombie()) != 0:
            if (container := self.running.get(pid)) is not None:
                self._ended(container)
                self._teller.flush()
            else:
                os.waitpid(pid, 0)

    @staticmethod
    def _zombie(flags: int = os.WNOHANG) -> int:
        """A child that ended, not reaped yet, so that its pid still is its own; 0 where there is none."""
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | flags)
        except ChildProcessError:
            return 0
        return found.si_pid if found else 0

    def _ended(self, container: Container) -> None:
        self.began(container)
        at = _now()
        self._kill(container, main_is_gone=True)
        status = os.waitstatus_to_exitcode(os.waitpid(container.pid, 0)[1])
        drained = 0
        while container.pipe is not None and drained < _DRAIN_BYTES:
            try:
                data = os.read(container.pipe, _READ_BYTES)
            except BlockingIOError:
                break
            drained += len(data)
            if data:
                self._keep(container, data)
            else:
                self._close_pipe(container)
        self._close_pipe(container)
        del self.running[container.pid]
        try:
            container.output.finish(time.time_ns() // 1_000_000)
        except OSError:
            log.exception("the last line of %s/%s is lost", container.task, container.name)
        code = status if status >= 0 else 128 - status
        oom = code == 137 and not container.killed_by_us and (container.over_memory or self._oom_kills(container) > 0)
        self._free(container)
        if container.failure is not None:
            container.write_end({"op": "start_failed", "at": at, "reason": container.failure})
        else:
            container.write_end({"op": "exited", "at": at, "code": code, "oom": oom, "reason": None})
        self._teller.tell(container)

    def _oom_kills(self, container: Container) -> int:
        return self.cgroups.oom_kills(container.cgroup) if self.cgroups and container.cgroup else 0

    def _kill(self, container: Container, *, main_is_gone: bool = False) -> None:
        """SIGKILL everything of the container: its group, its cgroup, and the strays that were handed to us as subreaper."""
        procfs.kill_group(container.pid)
        strays = [] if main_is_gone else procfs.tree(container.pid)
        if self.cgroups and container.cgroup:
            strays += self.cgroups.pids(container.cgroup)
        mark = f"{container.task}/{container.name}"
        for orphan in procfs.children(os.getpid()):
            if orphan not in self.running and procfs.belongs(orphan, container.pid, mark):
                strays += procfs.tree(orphan)
        for stray in strays:
            procfs.kill(stray)

    def _free(self, container: Container) -> None:
        if self.cgroups and container.cgroup:
            self.cgroups.drop(container.cgroup)

    def remove(self, container: Container) -> None:
        self._free(container)
        self._delete(container.private)
        self._delete(container.directory)
        del self.all[container.key]
        self._uids.give_back(container.task)
        with contextlib.suppress(OSError):
            # The last container of its task takes the task's directory with it.
            os.rmdir(os.path.dirname(container.directory))

    @staticmethod
    def _delete(path: str) -> None:
        """What a container left must not end the others: a tree that cannot be removed stays, and the log names it."""
        try:
            delete_tree(path)
        except OSError:
            log.exception("%s cannot be removed and stays", path)

    def end_all(self) -> None:
        for container in self.running.values():
            container.killed_by_us = True
            self._kill(container)
        while self.running:
            pid = self._zombie(0)
            if (ended := self.running.get(pid)) is not None:
                self._ended(ended)
            else:
                os.waitpid(pid, 0)
        for container in self.all.values():
            self._delete(container.private)


def _work_directory() -> str:
    """Where the private directories lie: in the state directory, or as root in a place that the tasks' users may enter."""
    if os.geteuid() != 0:
        path = f"{os.getcwd()}/work"
        os.makedirs(path, 0o700, exist_ok=True)
        return path
    kept = "work"
    if os.path.islink(kept):
        path = os.readlink(kept)
        if os.path.isdir(path) and not os.path.islink(path) and os.stat(path).st_uid == 0:
            return path
        os.unlink(kept)
    path = f"/var/tmp/hinoban-{os.urandom(5).hex()}"
    os.mkdir(path, 0o711)
    os.chmod(path, 0o711)
    os.symlink(path, kept)
    return path
