"""Turns a container's spec into a running process: user, directory, environment, ports, fork and exec. Standard library only.

The words of failures are Docker's and runc's, with ECS's family before them (facts/ecs.md §2.3).
"""

import ctypes
import errno
import json
import os
import pwd
import signal
import socket
from typing import Any, NoReturn

from hinoban.engine.runtime.process import procfs

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

Spec = dict[str, Any]


class CannotStart(Exception):
    """The container cannot run; the text is the whole reason, family first."""


def cannot_start(text: str) -> CannotStart:
    """A reason of the family CannotStartContainerError."""
    return CannotStart(f"CannotStartContainerError: {text}")


def identity(user: str | None, task_uid: int) -> tuple[int, int] | None:
    """(uid, gid) to run as; None: as we are. Only root can choose: `user` as `1000`, `1000:1000`, `name` or `name:1000`, else
    the task's own uid."""
    if os.geteuid() != 0:
        return None
    if not user:
        return task_uid, task_uid
    name, _, group = user.partition(":")
    if name.isdigit():
        uid = gid = int(name)
    else:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            raise cannot_start(f"unable to find user {name}: no matching entries in passwd file") from None
        uid, gid = entry.pw_uid, entry.pw_gid
    if group.isdigit():
        gid = int(group)
    elif group:
        raise cannot_start(f"unable to find group {group}: on the process runtime a group is a number")
    return uid, gid


def check_ports(ports: list[list[Any]], taken: set[tuple[str, int]]) -> None:
    """Raises CannotStart when a host port is taken: containers here are on the host's network."""
    for bind_ip, port, protocol in ports:
        if (protocol, port) in taken:
            raise cannot_start(_port_text(bind_ip, port, protocol, "port is already allocated"))
        kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((bind_ip, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    text = f"failed to bind host port for {bind_ip}:{port}/{protocol}: address already in use: port is already allocated"
                    raise cannot_start(_port_text(bind_ip, port, protocol, text)) from None


def _port_text(bind_ip: str, port: int, protocol: str, text: str) -> str:
    return (
        f"API error (500): driver failed programming external connectivity on endpoint: Bind for {bind_ip}:{port}/{protocol} failed: {text}"
    )


def environment(given: dict[str, str], home: str, mark: str) -> dict[str, str]:
    """The definition's variables, a plain PATH and a HOME where it has none, and the mark by which stray processes are found."""
    return {"PATH": DEFAULT_PATH, "HOME": home, **given, procfs.MARKER: mark}


def spawn(spec: Spec, *, record: str, private: str, who: tuple[int, int] | None, cgroup: str | None) -> tuple[int, int, int]:
    """Fork and exec; answers (pid, read end of stdout and stderr in one pipe, a pipe that ends without a word when the exec is done
    and otherwise holds what `explain` reads). Does not wait: the child's way to its exec takes longer than all else.

    The child writes its own pid into the record before it becomes the command, and dies with us until it has: whatever dies in
    between, a command never runs without a record.
    """
    out_read, out_write = os.pipe()
    told_read, told_write = os.pipe()
    if who is not None:
        # So that the command may open /dev/stdout by name.
        os.fchown(out_write, *who)
    supervisor = os.getpid()
    pid = os.fork()
    if pid == 0:
        # Else one that is slow to write its record would run on after the next supervisor said that it never ran.
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != supervisor:
            os._exit(127)
        _child(spec, record, private, who, cgroup, out_write, told_write)
    os.close(out_write)
    os.close(told_write)
    os.set_blocking(out_read, False)
    return pid, out_read, told_read


def _child(
    spec: Spec, record: str, private: str, who: tuple[int, int] | None, cgroup: str | None, out_write: int, told_write: int
) -> NoReturn:
    step = "prepare"
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        if cgroup is not None:
            with open(f"{cgroup}/cgroup.procs", "w") as procs:
                procs.write("0")
        pid = os.getpid()
        append(record, {"pid": pid, "start": procfs.start_time(pid)})
        _libc.prctl(_PR_SET_PDEATHSIG, 0, 0, 0, 0)
        os.dup2(out_write, 1)
        os.dup2(out_write, 2)
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        directory = spec["cwd"] if spec["cwd"] and os.path.isdir(spec["cwd"]) else private
        # The private directory first, as whoever we are: its parents may be closed to the command's user.
        os.chdir(private)
        if who is not None:
            os.setgroups([])
            os.setgid(who[1])
            os.setuid(who[0])
        step = "chdir"
        if directory != private:
            os.chdir(directory)
        step = "exec"
        os.umask(0o022)
        os.execvpe(spec["argv"][0], spec["argv"], environment(spec["env"], private, spec["mark"]))
    except BaseException as error:
        code = error.errno if isinstance(error, OSError) else None
        os.write(told_write, json.dumps([step, code, str(error)]).encode())
    finally:
        os._exit(127)


def explain(argv: list[str], cwd: str | None, failure: bytes) -> CannotStart:
    """Why the exec failed, in runc's words."""
    step, number, text = json.loads(failure)
    program = json.dumps(argv[0])
    start = "failed to create shim task: OCI runtime create failed: unable to start container process: "
    if step == "chdir":
        return cannot_start(f"{start}chdir to cwd ({json.dumps(cwd)}) failed: {text}")
    if step == "exec":
        if number == errno.ENOENT and "/" not in argv[0]:
            return cannot_start(f"{start}exec: {program}: executable file not found in $PATH")
        if number == errno.ENOENT:
            return cannot_start(f"{start}exec: {program}: stat {argv[0]}: no such file or directory")
        if number in (errno.EACCES, errno.EPERM):
            return cannot_start(f"{start}exec: {program}: permission denied")
        if number == errno.ENOEXEC:
            return cannot_start(f"{start}exec {argv[0]}: exec format error")
        return cannot_start(f"{start}exec: {program}: {os.strerror(number) if number else text}")
    return cannot_start(f"{start}{text}")


def append(path: str, line: dict[str, Any]) -> None:
    """Add one line to a record in one write, so that it is there or not."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, json.dumps(line).encode() + b"\n")
    finally:
        os.close(file)
