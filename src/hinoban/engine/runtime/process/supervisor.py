"""The helper process that holds the containers of one state directory and outlives the daemon. Standard library only, to start
fast and stay small: it spawns, holds the pipes, keeps memory limits and stop timers, and writes each end to disk before telling it.

Started by launch.py. It ends by itself when nothing runs, no daemon is connected and a grace time has passed.
"""

import contextlib
import ctypes
import fcntl
import logging
import os
import resource
import selectors
import signal
import socket
import sys
import time
from typing import Any

from hinoban.engine.runtime.process import cgroups, procfs, sampling, wire
from hinoban.engine.runtime.process.connection import Connection
from hinoban.engine.runtime.process.container import Container, create, delete_tree, load
from hinoban.engine.runtime.process.spawn import CannotStart, check_ports, explain, identity, spawn
from hinoban.engine.runtime.process.uids import Uids

_PR_SET_CHILD_SUBREAPER = 36
_READ_BYTES = 256 << 10
_DRAIN_BYTES = 1 << 20
_LOG_BYTES = 1 << 20
_VANISHED = (
    "ContainerVanishedError: the supervisor of this container ended before it, so nobody can know its exit code; "
    "what was left of it was killed"
)
_NEVER_RAN = "CannotStartContainerError: the supervisor ended before the container's process was started; it never ran"

log = logging.getLogger("supervisor")


def _now() -> float:
    # This process keeps real time (architecture.md, "Seams for drills") and imports nothing of base.
    return round(time.time_ns() / 1e9, 3)


class Supervisor:
    """One loop over the listening socket, the daemon, the containers' pipes, SIGCHLD and the timers. The current directory is
    its state directory."""

    def __init__(self, grace: float, sampled: bool) -> None:
        self._grace = grace
        self._idle_since = time.monotonic()
        self._finished = False
        self._selector = selectors.DefaultSelector()
        self._connection: Connection | None = None
        self._containers: dict[tuple[str, str], Container] = {}
        self._running: dict[int, Container] = {}
        self._uids = Uids()
        self._sample_at = 0.0
        self._reading = True
        self._root = f"{os.getcwd()}/{wire.CONTAINERS}"
        os.makedirs(self._root, 0o700, exist_ok=True)
        self._work = _work_directory()
        self._cgroups = None if sampled else cgroups.find(os.path.basename(self._work))

    # Life

    def adopt(self) -> None:
        """Take over what an earlier supervisor left on disk: what still runs is killed, for nobody can learn its end any more."""
        for container in load(self._root):
            self._containers[container.key] = container
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
        if container.cgroup and self._cgroups:
            for stray in self._cgroups.pids(container.cgroup):
                procfs.kill(stray)
        if container.started is None:
            container.write_start(self._start_line(container, container.mark["at"]))
        container.write_end({"op": "exited", "at": _now(), "code": None, "oom": False, "reason": _VANISHED})

    def listen(self) -> None:
        """Open the socket, mode 0600; bound by its relative name, for a path may be longer than 108 bytes."""
        if os.path.lexists(wire.SOCKET):
            os.unlink(wire.SOCKET)
        listener = socket.socket(socket.AF_UNIX)
        os.umask(0o077)
        listener.bind(wire.SOCKET)
        listener.listen(16)
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            # A Ctrl-C or a logout is for the daemon; who wants us gone says `shutdown`.
            signal.signal(number, signal.SIG_IGN)
        self._selector.register(wake_read, selectors.EVENT_READ, self._woken)

    def run(self) -> None:
        """Until nothing is left to do."""
        while not self._finished:
            for key, events in self._selector.select(self._pause()):
                key.data(key.fileobj, events)
            self._reap()
            self._timers()
        if self._cgroups:
            self._cgroups.close()
        with contextlib.suppress(OSError):
            os.rmdir(self._work)

    def _pause(self) -> float | None:
        now = time.monotonic()
        due = [each.kill_at for each in self._running.values() if each.kill_at is not None]
        if self._running and self._cgroups is None:
            due.append(self._sample_at)
        if not self._running and self._connection is None:
            due.append(self._idle_since + self._grace)
        return max(0.0, min(due) - now) if due else None

    def _timers(self) -> None:
        now = time.monotonic()
        for container in list(self._running.values()):
            if container.kill_at is not None and container.kill_at <= now:
                container.kill_at = None
                container.killed_by_us = True
                self._kill(container)
        if self._running and self._cgroups is None and self._sample_at <= now:
            over, wait = sampling.measure(self._running.values())
            self._sample_at = time.monotonic() + wait
            for sampled in over:
                self._running[sampled.pid].over_memory = True
                self._kill(self._running[sampled.pid])
        if self._running or self._connection is not None:
            self._idle_since = now
        elif now >= self._idle_since + self._grace:
            os.unlink(wire.SOCKET)
            self._finished = True

    # The daemon

    def _accept(self, listener: socket.socket, _events: int) -> None:
        sock, _ = listener.accept()
        connection = Connection(sock)
        self._selector.register(sock, selectors.EVENT_READ, lambda _sock, events: self._talk(connection, events))

    def _talk(self, connection: Connection, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._flush()
        if events & selectors.EVENT_READ and connection.sock.fileno() >= 0:
            messages = connection.receive()
            if messages is None:
                self._hang_up(connection)
                return
            for message in messages:
                self._obey(connection, message)
        if connection is self._connection:
            self._tell_all()

    def _hang_up(self, connection: Connection) -> None:
        if connection.sock.fileno() >= 0:
            self._selector.unregister(connection.sock)
            connection.sock.close()
        if connection is self._connection:
            self._connection = None
            self._reading = True
            self._listen_to_pipes()

    def _obey(self, connection: Connection, message: dict[str, Any]) -> None:
        op = message["op"]
        if op == "hello":
            self._greet(connection, message)
        elif connection is not self._connection:
            return
        elif op == "start":
            self._start(message)
        elif op == "shutdown":
            self._shutdown()
        elif (container := self._containers.get((message["task"], message["name"]))) is not None:
            if op == "stop" and container.end is None:
                self._began(container)
                procfs.kill(container.pid, signal.SIGTERM)
                kill_at = time.monotonic() + message["timeout"]
                container.kill_at = min(kill_at, container.kill_at or kill_at)
            elif op == "remove" and container.end is not None:
                self._remove(container)

    def _greet(self, connection: Connection, message: dict[str, Any]) -> None:
        connection.send({"op": "hello", "version": wire.VERSION, "memory": "hard" if self._cgroups else "sampled", "pid": os.getpid()})
        if message["version"] != wire.VERSION:
            connection.flush()
            self._hang_up(connection)
            return
        if self._connection is not None:
            self._hang_up(self._connection)
        self._connection = connection
        cursors = {(task, name): cursor for task, name, cursor in message["cursors"]}
        for container in self._containers.values():
            container.told_start = container.told_end = False
            container.told_cursor = cursors.get(container.key, 0)

    def _tell_all(self) -> None:
        for container in list(self._containers.values()):
            if self._connection is None or self._connection.full:
                break
            self._tell(container)
        self._flush()

    def _tell(self, container: Container) -> None:
        connection = self._connection
        if connection is None:
            return
        if container.started and not container.told_start:
            container.told_start = True
            self._say(container, container.started)
        while container.told_cursor < container.output.end and not connection.full:
            lines, container.told_cursor = container.output.read(container.told_cursor)
            self._say(container, {"op": "output", "lines": lines, "cursor": container.told_cursor})
        if container.end and not container.told_end and container.told_cursor >= container.output.end:
            container.told_end = True
            self._say(container, container.end)

    def _say(self, container: Container, message: dict[str, Any]) -> None:
        if self._connection is not None:
            self._connection.send({**message, "task": container.task, "name": container.name})

    def _flush(self) -> None:
        connection = self._connection
        if connection is None:
            return
        if not connection.flush():
            self._hang_up(connection)
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.waiting else 0)
        if self._selector.get_key(connection.sock).events != events:
            self._selector.modify(connection.sock, events, self._selector.get_key(connection.sock).data)
        if self._reading == connection.full:
            self._reading = not connection.full
            self._listen_to_pipes()

    # Containers

    def _start(self, message: dict[str, Any]) -> None:
        known = self._containers.get((message["task"], message["name"]))
        if known is not None:
            known.told_start = known.told_end = False
            self._tell(known)
            return
        uid = self._uids.take(message["task"])
        # What the container is given to know (environment, command) may be secret and is not kept on disk.
        mark = {name: value for name, value in message.items() if name not in ("env", "argv")}
        mark |= {"uid": uid, "private": f"{self._work}/{message['runtime_id']}", "cgroup": None, "at": _now()}
        error: str | None = None
        try:
            if self._cgroups:
                mark["cgroup"] = self._cgroups.make(message["task"], message["name"], message["memory"], message["task_memory"])
        except OSError as failure:
            error = f"CannotCreateContainerError: the memory cgroup cannot be made: {failure}"
        container = create(self._root, mark)
        self._containers[container.key] = container
        try:
            if error:
                raise CannotStart(error)
            self._spawn(container, message)
        except (CannotStart, OSError) as failure:
            reason = str(failure) if isinstance(failure, CannotStart) else f"CannotStartContainerError: {failure}"
            self._free(container)
            container.write_end({"op": "start_failed", "at": _now(), "reason": reason})
            self._tell(container)

    def _spawn(self, container: Container, spec: dict[str, Any]) -> None:
        mark = container.mark
        check_ports(mark["ports"], {port for each in self._running.values() for port in each.ports})
        who = identity(mark["user"], container.uid)
        os.mkdir(container.private, 0o700)
        if who is not None:
            os.chown(container.private, *who)
        container.argv, container.cwd = spec["argv"], spec["cwd"]
        container.pid, container.pipe, container.exec_pipe = spawn(
            spec, record=container.record, private=container.private, who=who, cgroup=container.cgroup
        )
        self._running[container.pid] = container
        self._selector.register(container.exec_pipe, selectors.EVENT_READ, lambda _pipe, _events: self._began(container))

    def _began(self, container: Container) -> None:
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
        self._listen_to_pipes(container)
        self._tell(container)
        self._flush()

    @staticmethod
    def _start_line(container: Container, at: float) -> dict[str, Any]:
        return {"op": "started", "at": at, "runtime_id": container.mark["runtime_id"], "ports": container.mark["told_ports"]}

    def _listen_to_pipes(self, *only: Container) -> None:
        """Read what containers print, unless the daemon is so far behind that they should wait."""
        for container in only or tuple(self._running.values()):
            if container.pipe is None:
                continue
            registered = container.pipe in self._selector.get_map()
            if self._reading and not registered:
                self._selector.register(container.pipe, selectors.EVENT_READ, lambda _pipe, _events, each=container: self._printed(each))
            elif registered and not self._reading:
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
        self._flush()

    def _keep(self, container: Container, data: bytes) -> None:
        before = container.output.end
        try:
            lines = container.output.feed(data, time.time_ns() // 1_000_000)
        except OSError:
            # A full disk loses lines, never containers.
            log.exception("output of %s/%s is lost", container.task, container.name)
            return
        # The usual case needs no look at the disk: the daemon has all that came before.
        connection = self._connection
        if lines and connection is not None and not connection.full and container.told_start and container.told_cursor == before:
            container.told_cursor = container.output.end
            self._say(container, {"op": "output", "lines": lines, "cursor": container.told_cursor})

    def _close_pipe(self, container: Container) -> None:
        if container.pipe is not None:
            if container.pipe in self._selector.get_map():
                self._selector.unregister(container.pipe)
            os.close(container.pipe)
            container.pipe = None

    def _woken(self, pipe: int, _events: int) -> None:
        os.read(pipe, 4096)

    def _reap(self) -> None:
        while (pid := self._zombie()) != 0:
            if (container := self._running.get(pid)) is not None:
                self._ended(container)
                self._flush()
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
        self._began(container)
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
        del self._running[container.pid]
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
        self._tell(container)

    def _oom_kills(self, container: Container) -> int:
        return self._cgroups.oom_kills(container.cgroup) if self._cgroups and container.cgroup else 0

    def _kill(self, container: Container, *, main_is_gone: bool = False) -> None:
        """SIGKILL everything of the container: its group, its cgroup, and the strays that were handed to us as subreaper."""
        procfs.kill_group(container.pid)
        strays = [] if main_is_gone else procfs.tree(container.pid)
        if self._cgroups and container.cgroup:
            strays += self._cgroups.pids(container.cgroup)
        mark = f"{container.task}/{container.name}"
        for orphan in procfs.children(os.getpid()):
            if orphan not in self._running and procfs.belongs(orphan, container.pid, mark):
                strays += procfs.tree(orphan)
        for stray in strays:
            procfs.kill(stray)

    def _free(self, container: Container) -> None:
        if self._cgroups and container.cgroup:
            self._cgroups.drop(container.cgroup)

    def _remove(self, container: Container) -> None:
        self._free(container)
        delete_tree(container.private)
        delete_tree(container.directory)
        del self._containers[container.key]
        self._uids.give_back(container.task)
        with contextlib.suppress(OSError):
            # The last container of its task takes the task's directory with it.
            os.rmdir(os.path.dirname(container.directory))

    def _shutdown(self) -> None:
        for container in self._running.values():
            container.killed_by_us = True
            self._kill(container)
        while self._running:
            pid = self._zombie(0)
            if (ended := self._running.get(pid)) is not None:
                self._ended(ended)
            else:
                os.waitpid(pid, 0)
        os.unlink(wire.SOCKET)
        self._finished = True


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
    base = "/var/tmp"
    number = int.from_bytes(os.urandom(5), "big")
    path = f"{base}/hinoban-{number:010x}"
    os.mkdir(path, 0o711)
    os.chmod(path, 0o711)
    os.symlink(path, kept)
    return path


def main(arguments: list[str]) -> None:
    """`DIRECTORY GRACE_SECONDS sampled|auto`; ends at once where another supervisor holds the directory."""
    directory, grace, memory = arguments
    os.chdir(directory)
    lock = os.open(wire.LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    if os.path.exists(wire.LOG) and os.path.getsize(wire.LOG) > _LOG_BYTES:
        os.unlink(wire.LOG)
    logging.basicConfig(filename=wire.LOG, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        supervisor = Supervisor(float(grace), memory == "sampled")
        supervisor.adopt()
        supervisor.listen()
        supervisor.run()
    except BaseException:
        log.exception("the supervisor failed")
        sys.exit(1)
