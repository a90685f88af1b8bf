"""The pause program: package data is what the generator makes, and it does what it is for."""

import io
import platform
import signal
import subprocess
import tarfile
from importlib.resources import files

import pytest

from hinoban.engine.runtime.docker import pause_elf


@pytest.mark.parametrize("machine", pause_elf.MACHINES)
def test_the_package_data_is_what_the_generator_makes(machine):
    made = pause_elf.build(machine)
    assert files("hinoban.engine.runtime.docker").joinpath("pause", machine).read_bytes() == made
    assert len(made) < 300


@pytest.mark.skipif(platform.machine() not in pause_elf.MACHINES, reason="no pause program for this machine")
def test_it_waits_and_ends_with_0_on_sigterm(tmp_path):
    program = tmp_path / "pause"
    program.write_bytes(pause_elf.build(platform.machine()))
    program.chmod(0o755)
    running = subprocess.Popen([program])
    with pytest.raises(subprocess.TimeoutExpired):
        running.wait(0.2)
    running.send_signal(signal.SIGTERM)
    assert running.wait(10) == 0


def test_the_image_is_one_executable_and_always_the_same_bytes():
    packed = pause_elf.image_tar("amd64")
    assert packed == pause_elf.image_tar("x86_64")
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        assert [(entry.name, entry.mode) for entry in tar] == [("pause", 0o755)]
    with pytest.raises(KeyError):
        pause_elf.image_tar("s390x")
