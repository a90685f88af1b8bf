"""The program of a pause container, assembled by hand: it waits for SIGTERM or SIGINT and ends. PURE.

A static ELF of less than 200 bytes with one segment. The signals are blocked and then waited for, since the kernel passes over
signals to a namespace's first process that it has neither blocked nor a handler for. `python -m hinoban.engine.runtime.docker.pause_elf`
writes the package data in pause/; a test compares.
"""

import io
import struct
import tarfile
from importlib.resources import files
from pathlib import Path

_X86_64, _AARCH64 = 62, 183  # e_machine
_SIGNALS = (1 << 14) | (1 << 1)  # SIGTERM, SIGINT as a sigset_t
_BASE = 0x400000
_HEADERS = 64 + 56
MACHINES = ("x86_64", "aarch64")
_ALIASES = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "aarch64", "aarch64": "aarch64"}


def _x86_64() -> bytes:
    head = bytes.fromhex("b80e00000031ff")  # mov eax, 14 (rt_sigprocmask); xor edi, edi (SIG_BLOCK)
    tail = bytes.fromhex("31d241ba080000000f05")  # xor edx, edx; mov r10d, 8; syscall
    wait = bytes.fromhex("b880000000")  # mov eax, 128 (rt_sigtimedwait)
    wait_tail = bytes.fromhex("31f6") + tail + bytes.fromhex("85c0")  # xor esi, esi; ...; test eax, eax
    leave = bytes.fromhex("b83c00000031ff0f05")  # mov eax, 60 (exit); xor edi, edi; syscall
    lea = 7
    loop = len(head) + lea + len(tail)
    jump = loop + len(wait) + lea + len(wait_tail)
    mask = jump + 2 + len(leave)
    code = head + b"\x48\x8d\x35" + struct.pack("<i", mask - (len(head) + lea)) + tail  # lea rsi, [rip + mask]
    code += wait + b"\x48\x8d\x3d" + struct.pack("<i", mask - (loop + len(wait) + lea)) + wait_tail  # lea rdi, [rip + mask]
    code += b"\x78" + struct.pack("<b", loop - (jump + 2)) + leave  # js loop
    return code + struct.pack("<Q", _SIGNALS)


def _aarch64() -> bytes:
    def movz(register: int, value: int) -> int:
        return 0xD2800000 | value << 5 | register

    def adr(register: int, distance: int) -> int:
        return 0x10000000 | (distance & 3) << 29 | (distance >> 2) << 5 | register

    svc = 0xD4000001
    loop, mask = 6, 16  # in instructions
    words = [
        movz(8, 135),  # rt_sigprocmask
        movz(0, 0),
        adr(1, (mask - 2) * 4),
        movz(2, 0),
        movz(3, 8),
        svc,
        movz(8, 137),  # loop: rt_sigtimedwait
        adr(0, (mask - 7) * 4),
        movz(1, 0),
        movz(2, 0),
        movz(3, 8),
        svc,
        0xB7F80000 | ((loop - 12) & 0x3FFF) << 5,  # tbnz x0, #63, loop
        movz(8, 93),  # exit
        movz(0, 0),
        svc,
    ]
    return struct.pack(f"<{len(words)}I", *words) + struct.pack("<Q", _SIGNALS)


def build(machine: str) -> bytes:
    """The whole file for `x86_64` or `aarch64`."""
    kind, code = (_X86_64, _x86_64()) if machine == "x86_64" else (_AARCH64, _aarch64())
    size = _HEADERS + len(code)
    ident = b"\x7fELF" + bytes((2, 1, 1)) + bytes(9)  # 64 bits, little end first, version 1
    header = ident + struct.pack("<HHIQQQIHHHHHH", 2, kind, 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x10000)  # PT_LOAD, readable and executable
    return header + segment + code


def image_tar(architecture: str) -> bytes:
    """The pause image's only layer for a machine as Docker names it (`amd64`, `arm64`), the same bytes each time; KeyError for others."""
    program = files(__package__).joinpath("pause", _ALIASES[architecture]).read_bytes()
    entry = tarfile.TarInfo("pause")
    entry.size, entry.mode = len(program), 0o755
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.addfile(entry, io.BytesIO(program))
    return packed.getvalue()


if __name__ == "__main__":
    for each in MACHINES:
        Path(__file__).with_name("pause").joinpath(each).write_bytes(build(each))
