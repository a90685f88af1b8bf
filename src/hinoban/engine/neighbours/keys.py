"""The state directory's key: what moto's ids are drawn from, and what the log's entries are sealed with. Child only: it costs an import.

The file holds 32 secret bytes and the moment at which they were made (mode 0600). Entries are AES-256-GCM, their number being the
authenticated data, so that none can be changed, moved or read without the file.
"""

import hashlib
import hmac
import os
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12
# moto draws from os.urandom's stand-in; a nonce must not come twice.
_true_urandom = os.urandom


class DamagedEntry(Exception):
    """An entry that is not what was sealed under this number with this key."""


class _File(msgspec.Struct):
    secret: bytes
    made: float
    signing_key: bytes = b""


class Keys:
    """Everything that is derived from the key file."""

    def __init__(self, path: Path, now: float) -> None:
        self._path = path
        try:
            self._file = msgspec.json.decode(path.read_bytes(), type=_File)
        except FileNotFoundError:
            self._file = _File(_true_urandom(32), now)
            self._save()
        self.made = self._file.made
        self._cipher = AESGCM(self.derive("log"))

    def derive(self, about: str) -> bytes:
        """32 bytes that belong to `about`, the same in every life."""
        return hmac.digest(self._file.secret, about.encode(), hashlib.sha256)

    def seal(self, number: int, plain: bytes) -> bytes:
        """`plain` for the disk."""
        nonce = _true_urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, plain, str(number).encode())

    def open(self, number: int, sealed: bytes) -> bytes:
        """What was sealed; DamagedEntry if that is not what this is."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], str(number).encode())
        except (InvalidTag, ValueError) as error:
            raise DamagedEntry(str(error)) from error

    @property
    def signing_key(self) -> bytes:
        """The private key (DER) that signs SNS's notifications; empty until `keep_signing_key`."""
        return self._file.signing_key

    def keep_signing_key(self, der: bytes) -> None:
        """Keep it for every later life."""
        self._file.signing_key = der
        self._save()

    def _save(self) -> None:
        fresh = self._path.with_name(self._path.name + ".new")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.json.encode(self._file))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
