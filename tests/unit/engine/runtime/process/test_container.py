"""Deleting what a container left: whatever it is, and never what lies elsewhere."""

from pathlib import Path

from hinoban.engine.runtime.process.container import delete_tree


def test_a_tree_is_deleted_whatever_its_modes_and_its_depth(tmp_path: Path) -> None:
    top = tmp_path / "top"
    here = top
    for number in range(300):
        here = here / "d"
        here.mkdir(parents=True)
        (here / "file").write_text(str(number))
    (top / "d" / "d" / "d").chmod(0o000)
    (top / "closed").mkdir()
    (top / "closed" / "file").write_text("")
    (top / "closed").chmod(0o500)
    delete_tree(str(top))
    assert list(tmp_path.iterdir()) == []
    delete_tree(str(top))


def test_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "kept").write_text("")
    (tmp_path / "top" / "inner").mkdir(parents=True)
    for place in (tmp_path / "top", tmp_path / "top" / "inner"):
        (place / "link").symlink_to(tmp_path / "else")
    delete_tree(str(tmp_path / "top"))
    assert [path.name for path in tmp_path.rglob("*")] == ["else", "kept"]
