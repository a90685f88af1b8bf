"""What tests on a real Docker daemon share: its URL, and an image made here from the machine's static busybox, without a registry.

Whether such a test runs at all is decided by its `docker` marker (tests/conftest.py).
"""

import asyncio
import functools
import hashlib
import io
import shutil
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hinoban.engine.runtime.docker.client import DockerApi, docker_socket

_APPLETS = "sh sleep echo cat head tail dd sed ls true false env wget nc httpd mkdir touch date kill printf seq".split()
_REPOSITORY = "hinoban-test/busybox"


@pytest.fixture(scope="session")
def docker_url() -> str:
    """Where Docker answers."""
    return docker_socket()


@pytest.fixture(scope="session")
def docker_image(docker_url: str) -> str:
    """An image with busybox and its usual commands in /bin."""
    return make_image(docker_url)


@functools.cache
def make_image(docker_url: str) -> str:
    """Import the image; the same bytes are the same image again. May be called with or without a running event loop."""
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("no busybox on this machine to make a test image of (package busybox-static)")
    packed = _layer(Path(busybox).read_bytes())
    tag = hashlib.sha256(packed).hexdigest()[:12]

    async def load() -> None:
        api = DockerApi(docker_url)
        try:
            async with api.stream("POST", "images/create", {"fromSrc": "-", "repo": _REPOSITORY, "tag": tag}, body=packed) as answer:
                await answer.read()
        finally:
            await api.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, load()).result()
    return f"{_REPOSITORY}:{tag}"


def _layer(busybox: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in ("bin", "tmp"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
            tar.addfile(folder)
        program = tarfile.TarInfo("bin/busybox")
        program.size, program.mode = len(busybox), 0o755
        tar.addfile(program, io.BytesIO(busybox))
        for applet in _APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return packed.getvalue()
