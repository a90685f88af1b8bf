"""`hinoban demo` as its first user meets it: real tasks, the end screen, and what can be asked afterwards without a server."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docker_support import docker_url as docker_url

ROOT = Path(__file__).parents[2]


def hinoban(folder: Path, *words: str, timeout: float = 90) -> subprocess.CompletedProcess[str]:
    """The command, run in `folder` with nothing of Hinoban in its environment."""
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", "hinoban", *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout, check=False
    )


def shown(folder: Path, runtime: str) -> str:
    """The demo's output, after it ended well."""
    shutil.copytree(ROOT / "examples", folder / "examples")
    done = hinoban(folder, "demo", "--runtime", runtime)
    log = folder / ".demo" / "up.log"
    assert done.returncode == 0, done.stdout + done.stderr + (log.read_text() if log.exists() else "")
    return done.stdout


def check(folder: Path, screen: str) -> None:
    assert "4 went wrong, 4 were seen, 1 healed itself, 0 ran twice." in screen
    rows = {line.split()[0]: line for line in screen.splitlines() if line.startswith("  ")}
    assert "exit 0 after 2" in rows["hello"]
    assert "retried twice, ran once, exit 0" in rows["nightly-billing"]
    assert rows["nightly-billing"].endswith("RECOVERED")
    assert "exit 3: KeyError: 'STAGE'" in rows["report-export"]
    assert "log kept" in rows["report-export"]
    assert "killed at its 128 MiB limit" in rows["import-orders"]
    assert rows["db-migrate"].endswith("RESOLVED")

    assert "RECOVERED" in hinoban(folder, "why", "nightly-billing").stdout.splitlines()[0]
    assert "KeyError: 'STAGE'" in hinoban(folder, "why", "report-export").stdout
    assert "OutOfMemoryError: Container killed due to memory usage" in hinoban(folder, "why", "import-orders").stdout
    assert len([line for line in hinoban(folder, "incidents").stdout.splitlines() if line.startswith("inc-")]) == 4
    assert "export starts" in hinoban(folder, "logs", "report-export").stdout
    assert hinoban(folder, "incidents").stderr == "No daemon answers; reading .demo as it was last seen.\n"

    # As pasted, also by someone whose usual state directory has a history.
    usual = folder / ".local/state/hinoban"
    usual.mkdir(parents=True)
    (usual / "watch.db").touch()
    printed = re.findall(r"hinoban ((?:why|incidents|logs)(?: [a-z-]+)?? --state \.demo)", screen)
    assert len(printed) == 4
    for line in printed:
        assert (done := hinoban(folder, *line.split())).returncode == 0 and done.stdout, (line, done.stderr)


def test_the_demo_on_processes(tmp_path: Path) -> None:
    check(tmp_path, shown(tmp_path, "process"))


@pytest.mark.docker
def test_the_demo_on_docker(tmp_path: Path, docker_url: str) -> None:
    check(tmp_path, shown(tmp_path, "docker"))
