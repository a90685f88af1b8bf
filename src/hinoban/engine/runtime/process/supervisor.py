"""The helper process that holds the containers of one state directory and outlives the daemon. Standard library only, to start
fast and stay small: it spawns, holds the pipes, keeps memory limits and stop timers, and writes each end to disk before telling it.

Started by launch.py. It ends by itself when nothing runs, no daemon is connected and a grace time has passed.
"""

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

from hinoban.engine.runtime.process import wire
from hinoban.engine.runtime.process.connection import Connection
from hinoban.engine.runtime.process.container import Container
from hinoban.engine.runtime.process.output import Lines
from hinoban.engine.runtime.process.supervisor_containers import Containers

_PR_SET_CHILD_SUBREAPER = 36
_LOG_BYTES = 1 << 20
log = logging.getLogger("supervisor")


class Supervisor:
    """One loop over the listening socket, the daemon, the containers' pipes, SIGCHLD and the timers. The current directory is
    its state directory."""

    def __init__(self, grace: float, sampled: bool) -> None:
        self._grace = grace
        self._idle_since = time.monotonic()
        self._finished = False
        self._selector = selectors.DefaultSelector()
        self._connection: Connection | None = None
        self._containers = Containers(self._selector, self, sampled=sampled)

    def adopt(self) -> None:
        """Take over what an earlier supervisor left on disk."""
        self._containers.adopt()

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
            self._containers.reap()
            self._timers()
        self._containers.close()

    def _pause(self) -> float | None:
        due = self._containers.next_due()
        if not self._containers.running and self._connection is None:
            due = self._idle_since + self._grace
        return None if due is None else max(0.0, due - time.monotonic())

    def _timers(self) -> None:
        now = time.monotonic()
        self._containers.timers(now)
        if self._containers.running or self._connection is not None:
            self._idle_since = now
        elif now >= self._idle_since + self._grace:
            self._finish()

    def _finish(self) -> None:
        os.unlink(wire.SOCKET)
        self._finished = True

    # The daemon

    def _accept(self, listener: socket.socket, _events: int) -> None:
        sock, _ = listener.accept()
        connection = Connection(sock)
        self._selector.register(sock, selectors.EVENT_READ, lambda _sock, events: self._talk(connection, events))

    def _talk(self, connection: Connection, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self.flush()
        if events & selectors.EVENT_READ and connection.sock.fileno() >= 0:
            messages = connection.receive()
            if messages is None:
                self._hang_up(connection)
                return
            try:
                for message in messages:
                    self._obey(connection, message)
            except (KeyError, TypeError):
                log.exception("a message that is none of ours")
                self._hang_up(connection)
                return
        if connection is self._connection:
            self._tell_all()

    def _hang_up(self, connection: Connection) -> None:
        if connection.sock.fileno() >= 0:
            self._selector.unregister(connection.sock)
            connection.sock.close()
        if connection is self._connection:
            self._connection = None
            self._containers.reading = True
            self._containers.listen_to_pipes()

    def _obey(self, connection: Connection, message: dict[str, Any]) -> None:
        op = message["op"]
        if op == "hello":
            self._greet(connection, message)
        elif connection is not self._connection:
            return
        elif op == "start":
            self._containers.start(message)
        elif op == "shutdown":
            self._containers.end_all()
            self._finish()
        elif (container := self._containers.all.get((message["task"], message["name"]))) is not None:
            if op == "stop" and container.end is None:
                self._containers.stop(container, message["timeout"])
            elif op == "remove" and container.end is not None:
                self._containers.remove(container)

    def _greet(self, connection: Connection, message: dict[str, Any]) -> None:
        connection.send(
            {"op": "hello", "version": wire.VERSION, "memory": "hard" if self._containers.cgroups else "sampled", "pid": os.getpid()}
        )
        if message["version"] != wire.VERSION:
            connection.flush()
            self._hang_up(connection)
            return
        if self._connection is not None:
            self._hang_up(self._connection)
        self._connection = connection
        cursors = {(task, name): cursor for task, name, cursor in message["cursors"]}
        for container in self._containers.all.values():
            container.told_start = container.told_end = False
            container.told_cursor = cursors.get(container.key, 0)
        for task, name in message["expected"]:
            if (task, name) not in self._containers.all:
                reason = "ContainerVanishedError: nothing is on record of this container any more"
                gone = {"task": task, "name": name, "at": round(time.time(), 3), "code": None, "oom": False, "reason": reason}
                connection.send({"op": "exited", **gone})

    def _tell_all(self) -> None:
        for container in list(self._containers.all.values()):
            if self._connection is None or self._connection.full:
                break
            self.tell(container)
        self.flush()

    def tell(self, container: Container) -> None:
        """Queue what the daemon does not know of a container yet, in order, as far as it takes it."""
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

    def tell_lines(self, container: Container, lines: Lines, before: int) -> None:
        """Lines just printed. The usual case needs no look at the disk: the daemon has all that came before."""
        connection = self._connection
        if lines and connection is not None and not connection.full and container.told_start and container.told_cursor == before:
            container.told_cursor = container.output.end
            self._say(container, {"op": "output", "lines": lines, "cursor": container.told_cursor})

    def flush(self) -> None:
        """Send what is queued; where the daemon is far behind, what containers print waits."""
        connection = self._connection
        if connection is None:
            return
        if not connection.flush():
            self._hang_up(connection)
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.waiting else 0)
        if self._selector.get_key(connection.sock).events != events:
            self._selector.modify(connection.sock, events, self._selector.get_key(connection.sock).data)
        if self._containers.reading == connection.full:
            self._containers.reading = not connection.full
            self._containers.listen_to_pipes()

    def _woken(self, pipe: int, _events: int) -> None:
        os.read(pipe, 4096)


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
