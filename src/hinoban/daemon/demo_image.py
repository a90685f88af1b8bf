"""An image for the demo, made on the spot from this machine's own `sh` and `sleep`: no registry is needed, and none is asked."""

import io
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

IMAGE = "hinoban-demo:1"
_PROGRAMS = ("sh", "sleep")
_LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")


def make(docker: str) -> bool:
    """Import the image into the Docker daemon by the `docker` command; False where that cannot be done here."""
    try:
        content = _archive()
        answer = subprocess.run([docker, "import", "-", IMAGE], input=content, capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.SubprocessError):
        return False
    if answer.returncode != 0:
        return False
    probe = subprocess.run([docker, "run", "--rm", IMAGE, "sh", "-c", "sleep 0"], capture_output=True, timeout=60, check=False)
    return probe.returncode == 0


def _archive() -> bytes:
    """A tar of the programs in /bin and of the libraries they are linked with, at their own paths."""
    files: dict[str, Path] = {}
    for name in _PROGRAMS:
        found = shutil.which(name)
        if found is None:
            raise FileNotFoundError(name)
        program = Path(found).resolve()
        files[f"bin/{name}"] = program
        linked = subprocess.run(["ldd", str(program)], capture_output=True, text=True, timeout=10, check=False)
        for library in _LIBRARY.findall(linked.stdout):
            files[library.lstrip("/")] = Path(library).resolve()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for target, source in files.items():
            info = archive.gettarinfo(str(source), arcname=target)
            info.mode = 0o755
            with source.open("rb") as content:
                archive.addfile(info, content)
    return buffer.getvalue()
