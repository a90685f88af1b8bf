"""The key file and what it seals."""

from pathlib import Path

import pytest

from hinoban.engine.neighbours.keys import DamagedEntry, Keys


def test_a_key_file_is_its_owners_alone_and_the_same_in_every_life(tmp_path: Path) -> None:
    first = Keys(tmp_path / "key", 12.5)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    second = Keys(tmp_path / "key", 99.0)
    assert second.made == first.made == 12.5
    assert second.derive("write/1") == first.derive("write/1") != first.derive("write/2")
    assert second.open(3, first.seal(3, b"a secret")) == b"a secret"
    first.keep_signing_key(b"der")
    assert Keys(tmp_path / "key", 0.0).signing_key == b"der"
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_an_entry_that_was_changed_moved_or_cut_is_known(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "key", 0.0)
    sealed = keys.seal(7, b"postgres://user:password@db")
    assert b"password" not in sealed
    assert sealed != keys.seal(7, b"postgres://user:password@db")
    for number, bytes_ in ((8, sealed), (7, sealed[:-1]), (7, b""), (7, sealed[:-1] + bytes([sealed[-1] ^ 1]))):
        with pytest.raises(DamagedEntry):
            keys.open(number, bytes_)
    with pytest.raises(DamagedEntry):
        Keys(tmp_path / "other", 0.0).open(7, sealed)
