"""Chance and names come in from outside: drawn ids for new things, derived ids for what a replay must find again."""

import base64
import hashlib
import random
import secrets
from typing import Protocol

# The bits that say "version 4, variant RFC 4122", and all the others.
_VERSION_4 = 4 << 76 | 0x8000 << 48
_NOT_VERSIONED = ~(0xF000 << 64 | 0xC000 << 48)


class Ids(Protocol):
    """Draws the kinds of ids and chances that AWS's names and our backoff need."""

    def hex32(self) -> str:
        """32 lower-case hex digits (an ECS task id)."""
        ...

    def uuid(self) -> str:
        """A version 4 UUID in its usual spelling."""
        ...

    def digits(self, count: int) -> str:
        """`count` decimal digits, the first not zero."""
        ...

    def token(self) -> str:
        """An unguessable secret, 40 characters."""
        ...

    def dice(self) -> float:
        """A number in [0, 1)."""
        ...


class SystemIds:
    """Ids from the operating system's randomness."""

    def __init__(self) -> None:
        # Ids must be unique, not unguessable, so a seeded generator serves (4x faster than one system call an id).
        self._random = random.Random(secrets.randbits(128))

    def hex32(self) -> str:
        return f"{self._random.getrandbits(128):032x}"

    def uuid(self) -> str:
        # Spelt here: uuid.UUID would take three times as long, and several are drawn for each call.
        text = f"{self._random.getrandbits(128) & _NOT_VERSIONED | _VERSION_4:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def digits(self, count: int) -> str:
        return str(self._random.randrange(10 ** (count - 1), 10**count))

    def token(self) -> str:
        return secrets.token_urlsafe(30)

    def dice(self) -> float:
        return self._random.random()


class SeededIds(SystemIds):
    """The same ids at every run, for tests."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)

    def token(self) -> str:
        return f"{self._random.getrandbits(240):040x}"[:40]


def derived_id(prefix: str, *about: str) -> str:
    """An id that says what it is about and nothing else: the same parts always give the same id.

    Shape: `<prefix>-` and 8 characters of base32 (40 bits), in lower case, e.g. `inc-4k2pxw7q`.
    """
    digest = hashlib.sha256("\x1f".join(about).encode()).digest()
    return f"{prefix}-{base64.b32encode(digest[:5]).decode().lower()}"
