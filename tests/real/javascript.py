"""Node.js for tests: packages of npm in a folder, and programs that run there."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import pytest

_INSTALL_WITHIN, _RUN_WITHIN = 240, 120  # seconds


async def with_package(folder: Path, package: str) -> None:
    """Install it into the folder. Without Node.js the test is skipped, or fails where HINOBAN_REQUIRE names `node`."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        _without("node and npm are not both on this machine")
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), package]
    try:
        installed = await asyncio.to_thread(
            subprocess.run, command, cwd=folder, capture_output=True, text=True, timeout=_INSTALL_WITHIN, check=False
        )
    except subprocess.TimeoutExpired:
        _without(f"npm did not install {package} within {_INSTALL_WITHIN} s")
    if installed.returncode:
        _without(f"npm cannot install {package}: {installed.stderr[-500:]}")


async def run_node(folder: Path, *words: str, environ: Mapping[str, str], given: str = "") -> str:
    """What `node WORDS` prints, with `given` as its input; it must succeed."""
    done = await asyncio.to_thread(
        subprocess.run, ["node", *words], cwd=folder, env=environ, input=given, capture_output=True, text=True, timeout=_RUN_WITHIN
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _without(reason: str) -> NoReturn:
    if "node" in os.environ.get("HINOBAN_REQUIRE", "").split(","):
        pytest.fail(f"HINOBAN_REQUIRE=node, but {reason}", pytrace=False)
    pytest.skip(reason)  # only where HINOBAN_REQUIRE does not name `node`: make test needs none, .ci/run does
