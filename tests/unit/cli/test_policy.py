"""`hinoban policy try`: reads a file and a folder, and nothing else."""

from pathlib import Path

import msgspec

from hinoban.watch.history.database import open_file
from tests.unit.cli.conftest import Desk


def test_a_folder_is_replayed_without_a_daemon(desk: Desk, tmp_path: Path) -> None:
    open_file(tmp_path / "watch.db").dispose()
    file = tmp_path / "hinoban.toml"
    file.write_text('[watch]\ntz = "Asia/Tokyo"\n[[policy]]\nmax_runtime = "2h"\n')
    result = desk.run("policy", "try", str(file), "--since", "7d", "--state", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0].startswith("From Fri 20 Nov 00:00 JST to Fri 27 Nov 00:00 JST: 0 tasks")
    found = msgspec.json.decode(desk.run("policy", "try", str(file), "--state", str(tmp_path), "-o", "json").stdout)
    assert found["replayed"] == {"tasks": 0, "launches": 0, "slots": 0} and "lines" not in found
    assert desk.targets == [], "no daemon was asked"


def test_a_file_that_is_wrong_and_a_folder_that_is_empty_are_named(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "hinoban.toml"
    file.write_text('[[policy]]\nmax_runtme = "2h"\n')
    result = desk.run("policy", "try", str(file), "--state", str(tmp_path))
    assert (result.exit_code, "Did you mean 'max_runtime'?" in result.stderr) == (2, True)
    file.write_text("")
    result = desk.run("policy", "try", str(file), "--state", str(tmp_path))
    assert (result.exit_code, "no history here" in result.stderr) == (1, True)
    assert desk.run("policy", "try", str(file), "--since", "soon", "--state", str(tmp_path)).exit_code == 2
