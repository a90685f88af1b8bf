"""`python -m benchmarks` that is told to end leaves nothing behind: no folder, no daemon."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_measurement_that_is_terminated_puts_everything_away() -> None:
    # Not pytest's own folder: its name may be too long for the daemon's Unix socket.
    with tempfile.TemporaryDirectory(prefix="hb-") as folder:
        terminate_within(Path(folder))


def terminate_within(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "cold_start"]
    bench = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path)}, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("hinoban-bench-*/**/daemon.json")):
            assert time.monotonic() < deadline
            assert bench.poll() is None
            time.sleep(0.01)
        children = psutil.Process(bench.pid).children(recursive=True)
        bench.send_signal(signal.SIGTERM)
        assert bench.wait(timeout=60) == 128 + signal.SIGTERM
    finally:
        bench.kill()
        bench.wait()
    assert list(tmp_path.glob("hinoban-bench-*")) == []
    _gone, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []
