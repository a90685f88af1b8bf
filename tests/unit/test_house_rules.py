"""The house rules that no other tool keeps: who may import whom (import-linter, tried with a planted breach), sizes, and what is shipped."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src" / "hinoban"
LONGEST_FILE = 380
# Written in pieces, so that this file does not trip over itself.
MACHINE_PATHS = re.compile("/wor" + "k/|/roo" + "t/")
INDEX_OPTION = re.compile(r"^\s*--(extra-)?index-url|--find-links|index-url\s*=|^\[\[?tool\.uv", re.MULTILINE)

BREACHES = [
    ("watch/planted.py", "import hinoban.engine", "watch never knows the engine"),
    ("watch/planted.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import hinoban.engine", "watch never knows the engine"),
    ("engine/planted.py", "import hinoban.watch", "engine never knows the watch"),
    ("base/planted.py", "import hinoban.aws", "base knows nothing of ours"),
    ("aws/planted.py", "import hinoban.store", "aws stands on base alone"),
    ("cli/planted.py", "import hinoban.engine", "cli reaches the houses only through the daemon and its API"),
    ("engine/ecs/model/planted.py", "import hinoban.engine.ecs.api", "inside engine.ecs"),
    ("watch/detect/planted.py", "import hinoban.watch.history", "inside watch"),
    ("watch/detect/planted.py", "import asyncio", "deciding is pure"),
    ("engine/events/targets/planted.py", "import hinoban.engine.events.router", "inside engine.events"),
    ("engine/schedules/decide.py", "import hinoban.engine.schedules.state", "inside engine.schedules"),
    ("engine/schedules/decide.py", "import asyncio", "deciding is pure"),
    ("engine/trail/model.py", "import hinoban.engine.trail.publish", "inside engine.trail"),
    ("watch/schedules/slot.py", "import hinoban.watch.history", "inside watch"),
    ("watch/schedules/slot.py", "import hinoban.aws.client", "deciding is pure"),
    ("watch/schedules/match.py", "import hinoban.watch.schedules.inventory", "inside watch.schedules"),
    ("engine/runtime/process/supervisor.py", "import hinoban.base.clock", "the supervisor stands alone"),
    ("base/clock.py", "import hinoban.base.supervise", "no cycles"),
]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the package and of its contracts, to break at will."""
    shutil.copytree(SRC, tmp_path / "src" / "hinoban", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint_imports(house: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache"]
    environment = {"PYTHONPATH": str(house / "src"), "COLUMNS": "300", "PATH": ""}
    return subprocess.run(command, cwd=house, env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "line", "contract"), BREACHES, ids=[f"{file}: {line.splitlines()[-1].strip()}" for file, line, _ in BREACHES]
)
def test_a_planted_import_against_the_street_fails_the_check(house: Path, file: str, line: str, contract: str) -> None:
    with (house / "src" / "hinoban" / file).open("a") as source:
        source.write(f"{line}\n")
    checked = lint_imports(house)
    broken = [row for row in checked.stdout.splitlines() if row.rstrip().endswith("BROKEN")]
    assert checked.returncode == 1, checked.stdout + checked.stderr
    assert [row for row in broken if row.startswith(contract)], checked.stdout


def test_the_lint_bans_clocks_dice_and_stray_tasks_outside_base(tmp_path: Path) -> None:
    breaches = "import asyncio\nimport random\nimport time\nfrom datetime import datetime\nfrom uuid import uuid4\n\n" + (
        "print(time.time(), datetime.now(), uuid4(), random.random(), asyncio.create_task)\n"
    )
    checked = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"), "--no-cache", "--output-format", "concise", "-"],
        input=breaches,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
    )
    banned = set(re.findall(r"TID251 `([\w.]+)` is banned", checked.stdout))
    assert banned >= {"time.time", "datetime.datetime.now", "uuid.uuid4", "random", "asyncio.create_task"}, checked.stdout


def test_a_file_is_one_noun() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in SRC.rglob("*.py")}
    assert {path: length for path, length in lengths.items() if length > LONGEST_FILE} == {}


def committed_texts() -> Iterator[tuple[str, str]]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    if listed.returncode != 0:
        pytest.skip(f"git cannot say what is committed: {listed.stderr.strip()}")
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file():
            yield name, path.read_text(encoding="utf-8", errors="replace")


def test_every_link_between_our_pages_leads_somewhere() -> None:
    pages = [ROOT / name for name, _ in committed_texts() if name.endswith(".md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())]
    assert [f"{page.relative_to(ROOT)}: {link}" for page, link in links if not (page.parent / link).exists()] == []


def test_no_path_of_somebodys_machine_is_committed() -> None:
    assert [name for name, text in committed_texts() if MACHINE_PATHS.search(text)] == []


def test_no_package_index_is_named() -> None:
    """Which index packages come from is a matter of the machine; the lock holds names and hashes only."""
    files = {
        name: text for name, text in committed_texts() if name.startswith(("requirements", "pyproject", "Makefile", "scripts/", ".ci/"))
    }
    assert [name for name, text in files.items() if INDEX_OPTION.search(text)] == []
    configured = {os.environ.get(name, "") for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX")}
    hosts = {urlsplit(url).hostname for url in configured if url} - {None, "pypi.org"}
    assert [(name, host) for name, text in committed_texts() for host in hosts if str(host) in text] == []


def test_every_data_file_of_the_package_is_shipped_in_the_wheel(tmp_path: Path) -> None:
    from hatchling.builders.wheel import WheelBuilder

    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, tmp_path)
    builder = WheelBuilder(str(tmp_path))
    shipped = {file.distribution_path for file in builder.recurse_included_files()}
    source = tmp_path / "src"
    wanted = {str(path.relative_to(source)) for path in (source / "hinoban").rglob("*") if path.is_file()}
    assert wanted - shipped == set()


def test_every_dependency_is_locked_with_a_hash() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    names = [re.split(r"[\[<>=]", line)[0] for line in project["project"]["dependencies"] + project["dependency-groups"]["dev"]]
    locked = (ROOT / "requirements-dev.txt").read_text()
    assert [name for name in names if not re.search(rf"^{re.escape(name)}(\[[\w,-]+\])?==\S+ .*\\\n    --hash=sha256:", locked, re.M)] == []
