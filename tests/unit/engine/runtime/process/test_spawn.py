"""A command never runs without a record, whoever dies when."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from hinoban.engine.runtime.process import procfs

# The record is a pipe that nobody reads yet, so that the child stays where it is about to write it.
SPAWNS = """
import signal, sys
from hinoban.engine.runtime.process.spawn import spawn
folder = sys.argv[1]
spec = {"cwd": None, "argv": ["/bin/sh", "-c", f"echo ran > {folder}/ran"], "env": {}, "mark": "task/app"}
print(spawn(spec, record=f"{folder}/record", private=folder, who=None, cgroup=None)[0], flush=True)
signal.pause()
"""


async def test_a_child_that_has_not_written_its_record_dies_with_its_supervisor(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "record")
    supervisor = subprocess.Popen([sys.executable, "-c", SPAWNS, str(tmp_path)], stdout=subprocess.PIPE)
    assert supervisor.stdout is not None
    child = int(supervisor.stdout.readline())
    assert procfs.start_time(child) is not None
    supervisor.kill()
    supervisor.communicate()
    async with asyncio.timeout(30):
        while procfs.start_time(child) is not None:
            await asyncio.sleep(0.01)
    assert not (tmp_path / "ran").exists()


async def test_a_child_that_has_written_its_record_runs_its_command(tmp_path: Path) -> None:
    supervisor = subprocess.Popen([sys.executable, "-c", SPAWNS, str(tmp_path)], stdout=subprocess.PIPE)
    assert supervisor.stdout is not None
    child = int(supervisor.stdout.readline())
    async with asyncio.timeout(30):
        while not (tmp_path / "ran").exists():
            await asyncio.sleep(0.01)
    assert f'"pid": {child}' in (tmp_path / "record").read_text()
    supervisor.kill()
    supervisor.communicate()
