"""The process runtime's own promises, on real processes: the supervisor outlives its daemon, and nothing outlives a container."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from hinoban.base.clock import SystemClock
from hinoban.base.ids import SystemIds
from hinoban.engine.runtime.driver import Exited, PortMapping
from hinoban.engine.runtime.process import procfs, wire
from hinoban.engine.runtime.process.driver import ProcessDriver
from tests.contract.runtime.conftest import ShellScenarios
from tests.contract.runtime.scenarios import WAIT_SECONDS, Watcher, spec

pytestmark = pytest.mark.slow  # real processes
SHELL = ShellScenarios()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():
            await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    return procfs.start_time(pid) is not None


def supervisor_pid(state: Path) -> int:
    found = [int(line.split()[0]) for line in _processes() if "process.supervisor" in line and f"{state}/{wire.DIRECTORY}" in line]
    assert len(found) == 1, found
    return found[0]


def _processes() -> list[str]:
    return [f"{pid} {(Path('/proc') / str(pid) / 'cmdline').read_bytes()!r}" for pid in procfs.all_pids() if is_alive(pid)]


@pytest.fixture(params=["auto", "sampled"])
async def watcher(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Watcher]:
    driver = ProcessDriver(tmp_path, SystemClock(), SystemIds(), sampled=request.param == "sampled", grace=0.5)
    await driver.open({})
    made = Watcher(driver)
    yield made
    await driver.close(keep=False)
    made.task.cancel()


async def test_what_one_container_leaves_behind_never_ends_the_others(watcher: Watcher, tmp_path: Path) -> None:
    deep = SHELL.script("i=0; while [ $i -lt 1200 ]; do mkdir d && cd d || exit 9; i=$((i+1)); done; chmod 0 ../d; exit 0")
    lasting = SHELL.script("exec sleep 60")
    await watcher.driver.start(lasting)
    await watcher.started(lasting.key)
    await watcher.driver.start(deep)
    assert (await watcher.ended(deep.key)).exit_code == 0
    supervisor = supervisor_pid(tmp_path)
    await watcher.driver.remove(deep.key)
    after = SHELL.script("exit 4")
    await watcher.driver.start(after)
    assert (await watcher.ended(after.key)).exit_code == 4
    assert supervisor_pid(tmp_path) == supervisor
    assert not (tmp_path / wire.DIRECTORY / wire.CONTAINERS / deep.key.task_id).exists()


async def test_two_hundred_containers_at_once_each_tell_their_own_code_and_output(watcher: Watcher) -> None:
    containers = [SHELL.script(f"echo out {number}; exec sleep 0.2; exit") for number in range(200)]
    for container in containers:
        await watcher.driver.start(container)
    for number, container in enumerate(containers):
        assert (await watcher.ended(container.key)).exit_code == 0
        assert watcher.lines(container.key) == [f"out {number}"]


async def test_much_output_is_complete_and_in_order_also_from_two_streams(watcher: Watcher) -> None:
    container = SHELL.script("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); echo line $i >&2; i=$((i+1)); done; printf end")
    await watcher.driver.start(container)
    await watcher.ended(container.key)
    assert watcher.lines(container.key) == [*(f"line {number}" for number in range(20000)), "end"]


async def test_a_line_longer_than_256_kib_is_split_and_loses_nothing(watcher: Watcher) -> None:
    container = SHELL.script("head -c 600000 /dev/zero | tr '\\0' x; echo; echo after")
    await watcher.driver.start(container)
    await watcher.ended(container.key)
    lines = watcher.lines(container.key)
    assert [len(line) for line in lines[:-1]] == [262144, 262144, 75712]
    assert lines[-1] == "after"


async def test_what_a_container_leaves_behind_ends_with_it(watcher: Watcher) -> None:
    container = SHELL.script(
        "setsid sh -c 'echo $$; exec sleep 300' & (sh -c 'echo $$; exec sleep 300' &) ; sleep 300 & echo $!; sleep 0.3"
    )
    await watcher.driver.start(container)
    await watcher.ended(container.key)
    pids = [int(line) for line in watcher.lines(container.key)]
    assert len(pids) == 3
    await until(lambda: not any(map(is_alive, pids)))


async def test_a_child_killed_for_memory_is_not_the_containers_end(watcher: Watcher) -> None:
    container = SHELL.script("sh -c 'x=0123456789abcdef; while :; do x=$x$x; done'; echo survived $?; exit 4", memory_mib=32)
    await watcher.driver.start(container)
    end = await watcher.ended(container.key)
    if watcher.driver.capabilities.memory == "hard":
        assert (end.exit_code, end.oom) == (4, False)
    else:
        assert (end.exit_code, end.oom) == (137, True)


async def test_a_task_wide_limit_kills_the_container_that_eats(watcher: Watcher) -> None:
    calm = SHELL.prints_and_runs(["ready"], name="calm", task_memory_mib=64)
    eater = SHELL.eats_memory(task_id=calm.key.task_id, name="eater", memory_mib=None, task_memory_mib=64)
    await watcher.driver.start(calm)
    await watcher.printed(calm.key, "ready")
    await watcher.driver.start(eater)
    assert (await watcher.ended(eater.key)).oom
    assert not watcher.of(calm.key, Exited)


async def test_a_killed_by_stop_is_not_called_out_of_memory(watcher: Watcher) -> None:
    container = SHELL.script("trap '' TERM; echo ready; kill -STOP $$", memory_mib=64)
    await watcher.driver.start(container)
    await watcher.printed(container.key, "ready")
    await watcher.driver.stop(container.key, 0.1)
    end = await watcher.ended(container.key)
    assert (end.exit_code, end.oom) == (137, False)


async def test_only_the_definitions_environment_reaches_a_container(watcher: Watcher, monkeypatch: pytest.MonkeyPatch) -> None:
    container = SHELL.script("env", environment={"GIVEN": "yes"})
    await watcher.driver.start(container)
    await watcher.ended(container.key)
    names = {line.partition("=")[0] for line in watcher.lines(container.key)}
    assert names - {"PWD", "OLDPWD", "SHLVL", "_"} == {"GIVEN", "PATH", "HOME", "HINOBAN_CONTAINER"}


async def test_a_container_may_write_in_its_directory_which_goes_with_it(watcher: Watcher) -> None:
    container = SHELL.script("mkdir -p a/b && echo x > a/b/c && ln -s / a/root && pwd && id -u")
    await watcher.driver.start(container)
    assert (await watcher.ended(container.key)).exit_code == 0
    directory, uid = watcher.lines(container.key)
    assert (int(uid) >= 200_000) == (os.geteuid() == 0)
    assert os.path.exists(directory)
    await watcher.driver.remove(container.key)
    await until(lambda: not os.path.exists(directory))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can choose a user")
async def test_root_gives_each_task_a_user_and_keeps_the_one_asked_for(watcher: Watcher) -> None:
    one, two = SHELL.script("id -u"), SHELL.script("id -u")
    side = SHELL.script("id -u", task_id=one.key.task_id, name="side")
    named, numbered = SHELL.script("id -u", user="nobody"), SHELL.script("id -u; id -g", user="1234:5678")
    for container in (one, two, side, named, numbered):
        await watcher.driver.start(container)
        await watcher.ended(container.key)
    assert watcher.lines(one.key) == watcher.lines(side.key) != watcher.lines(two.key)
    assert watcher.lines(named.key) == ["65534"]
    assert watcher.lines(numbered.key) == ["1234", "5678"]


async def test_a_taken_host_port_fails_as_docker_says_it(watcher: Watcher) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        container = SHELL.script("exit 0", ports=(PortMapping(80, port, "tcp", "127.0.0.1"),))
        await watcher.driver.start(container)
        reason = (await watcher.failed(container.key)).reason
    assert reason.startswith("CannotStartContainerError: API error (500): driver failed programming external connectivity")
    assert "port is already allocated" in reason


async def test_reasons_of_failed_starts_are_worded_as_by_runc(watcher: Watcher, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("no program")
    missing = spec(command=("no-such-program",))
    path = spec(command=("/no/such/program",))
    image = spec()
    for container in (missing, path, image):
        await watcher.driver.start(container)
    assert 'exec: "no-such-program": executable file not found in $PATH' in (await watcher.failed(missing.key)).reason
    assert "stat /no/such/program: no such file or directory" in (await watcher.failed(path.key)).reason
    reason = (await watcher.failed(image.key)).reason
    assert reason.startswith("CannotPullContainerError: busybox:stable cannot be run")
    assert "[[image]]" in reason


async def test_a_supervisor_that_dies_is_replaced_and_what_it_left_is_killed_and_told(watcher: Watcher, tmp_path: Path) -> None:
    ended = SHELL.exits(3)
    running = SHELL.script("setsid sh -c 'echo $$; exec sleep 300' & echo $$; wait")
    await watcher.driver.start(ended)
    await watcher.ended(ended.key)
    await watcher.driver.start(running)
    await watcher.until(lambda: len(watcher.lines(running.key)) == 2)
    pids = [int(line) for line in watcher.lines(running.key)]
    os.kill(supervisor_pid(tmp_path), signal.SIGKILL)
    end = await watcher.ended(running.key)
    assert end.exit_code is None
    assert (end.reason or "").startswith("ContainerVanishedError: ")
    await until(lambda: not any(map(is_alive, pids)))
    again = SHELL.exits(6)
    await watcher.driver.start(again)
    assert (await watcher.ended(again.key)).exit_code == 6
    assert len(watcher.of(ended.key, Exited)) == len(watcher.of(running.key, Exited)) == 1


async def test_an_idle_supervisor_without_a_daemon_ends_by_itself(watcher: Watcher, tmp_path: Path) -> None:
    pid = supervisor_pid(tmp_path)
    container = SHELL.runs_for(1.0)
    await watcher.driver.start(container)
    await watcher.started(container.key)
    await watcher.driver.close(keep=True)
    assert is_alive(pid)
    await until(lambda: not is_alive(pid))
    second = ProcessDriver(tmp_path, SystemClock(), SystemIds(), grace=0.5)
    await second.open({})
    later = Watcher(second)
    assert (await later.ended(container.key)).exit_code == 0
    await second.close(keep=False)


DAEMON = """
import asyncio, sys
from pathlib import Path
from hinoban.base.clock import SystemClock
from hinoban.base.ids import SystemIds
from hinoban.engine.runtime.process.driver import ProcessDriver
from tests.contract.runtime.conftest import ShellScenarios

async def main():
    driver = ProcessDriver(Path(sys.argv[1]), SystemClock(), SystemIds())
    await driver.open({})
    for number in range(30):
        await driver.start(ShellScenarios(sys.argv[2]).script(f"sleep 0.{number}; exit {number}", task_id=f"{number:032x}"))
    print("asked", flush=True)
    await asyncio.sleep(300)

asyncio.run(main())
"""


async def test_kill_9_of_the_daemon_loses_no_exit_and_runs_nothing_twice(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    ran.touch()
    for parent in (*reversed(tmp_path.parents), tmp_path):
        if parent.is_relative_to("/tmp/pytest-of-root"):
            parent.chmod(0o711)
    ran.chmod(0o666)
    state = tmp_path / "state"
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", DAEMON, str(state), str(ran)], stdout=subprocess.PIPE, cwd=os.getcwd()) as daemon:
            assert daemon.stdout is not None
            assert await asyncio.to_thread(daemon.stdout.readline) == b"asked\n"
            daemon.kill()
    driver = ProcessDriver(state, SystemClock(), SystemIds())
    await driver.open({})
    watcher = Watcher(driver)
    await watcher.until(lambda: len([each for each in watcher.seen if isinstance(each, Exited)]) == 30)
    assert {each.key.task_id: each.exit_code for each in watcher.seen if isinstance(each, Exited)} == {f"{n:032x}": n for n in range(30)}
    assert sorted(ran.read_text().split()) == [f"{number:032x}" for number in range(30)]
    await driver.close(keep=False)


async def test_the_supervisor_imports_nothing_but_the_standard_library() -> None:
    source = str(Path(__file__).parents[5] / "src")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import hinoban.engine.runtime.process.supervisor; print('\\n'.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program, source], capture_output=True, text=True, check=True, timeout=60)
    foreign = {name.partition(".")[0] for name in done.stdout.split()} - sys.stdlib_module_names - {"hinoban", "__main__"}
    assert not foreign
    ours = {name for name in done.stdout.split() if name.startswith("hinoban.")}
    assert all("hinoban.engine.runtime.process".startswith(name) or name.startswith("hinoban.engine.runtime.process.") for name in ours)
