"""`python -m benchmarks` that is told to end leaves nothing behind: no folder, no daemon."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from tests.real.daemon_support import until

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
async def test_a_measurement_that_is_terminated_puts_everything_away() -> None:
    # Not pytest's own folder: its name may be too long for the daemon's Unix socket.
    with tempfile.TemporaryDirectory(prefix="hb-") as folder:
        await terminate_within(Path(folder))


async def terminate_within(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "cold_start"]
    bench = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path)}, stderr=subprocess.DEVNULL)
    try:

        def begun_or_over() -> bool:
            return bench.poll() is not None or any(tmp_path.glob("hinoban-bench-*/**/daemon.json"))

        await until(begun_or_over, "the measurement's daemon is up")
        assert bench.poll() is None
        children = psutil.Process(bench.pid).children(recursive=True)
        bench.send_signal(signal.SIGTERM)
        assert bench.wait(timeout=60) == 128 + signal.SIGTERM
    finally:
        bench.kill()
        bench.wait()
    assert list(tmp_path.glob("hinoban-bench-*")) == []
    _gone, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []


@pytest.mark.slow
def test_what_a_remembered_task_costs_is_measured() -> None:
    # Too few tasks to judge a figure by: that each is there, and none failed.
    small = {"HINOBAN_BENCH_TOLD": "300", "HINOBAN_BENCH_TASKS": "3000"}
    command = [sys.executable, "-m", "benchmarks", "remembered"]
    bench = subprocess.run(command, cwd=ROOT, env={**os.environ, **small}, capture_output=True, text=True, timeout=120)
    assert "no result" not in bench.stdout, bench.stdout + bench.stderr
    for name in ("a finished task in watch.db", "why by id, p99", "memory of the watch at 3,000 tasks"):
        assert name in bench.stdout


@pytest.mark.slow
def test_how_soon_a_failure_is_told_is_measured() -> None:
    command = [sys.executable, "-m", "benchmarks", "told"]
    bench = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "HINOBAN_BENCH_FAILING": "10"}, capture_output=True, text=True, timeout=120
    )
    assert "no result" not in bench.stdout, bench.stdout + bench.stderr
    for name in ("failure to message, 10 a second, p99", "failure to message, 10 at once, p99"):
        assert name in bench.stdout
