"""Time and chance inside the neighbours' process: movable, so that a write replayed later finds the moment and the dice of its first time.

`install` must run before moto is imported: it puts its own `datetime`, `time.time`, `os.urandom` and key makers in the places where moto
and what it uses look for them. This process runs nothing else.
"""

import abc
import contextlib
import datetime as datetime_module
import hashlib
import hmac
import os
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

from hinoban.engine.neighbours.patch import put

_real_time = time.time
_real_urandom = os.urandom
_RealDatetime = datetime_module.datetime


class Replayable:
    """The moment that stands still while a write runs, the dice it is given, and the keys that it made."""

    def __init__(self, derive: Callable[[str], bytes]) -> None:
        self._derive = derive
        self._moment: float | None = None
        self._stream: Callable[[int], bytes] | None = None
        self._generators: list[random.Random] = []
        self._recorded: list[bytes] = []
        self._playing: list[bytes] = []

    def now(self) -> float:
        """The write's moment, else the machine's clock."""
        return _real_time() if self._moment is None else self._moment

    def urandom(self, size: int, /) -> bytes:
        """The write's own bytes, else the machine's."""
        return _real_urandom(size) if self._stream is None else self._stream(size)

    def seeds(self, generator: random.Random) -> None:
        """Seed this generator too (moto's)."""
        self._generators.append(generator)

    @contextlib.contextmanager
    def write(self, number: int, moment: float, tape: list[bytes]) -> Iterator[None]:
        """Time stands at `moment` and chance is that of write `number`; keys come from `tape` as long as it has some."""
        self._recorded, self._playing = [], list(tape)
        with self.aside(f"write/{number}", moment):
            yield

    @property
    def tape(self) -> list[bytes]:
        """The keys that the last write made, or took from its tape."""
        return self._recorded

    @contextlib.contextmanager
    def aside(self, about: str, moment: float) -> Iterator[None]:
        """Chance that belongs to `about`, at `moment`; afterwards both go on as before."""
        before = (self._moment, self._stream, random.getstate(), [one.getstate() for one in self._generators])
        secret = self._derive(about)
        seed = int.from_bytes(secret, "big")
        self._moment, self._stream = moment, _stream(secret)
        random.seed(seed)
        for generator in self._generators:
            generator.seed(seed)
        try:
            yield
        finally:
            self._moment, self._stream = before[0], before[1]
            random.setstate(before[2])
            for generator, state in zip(self._generators, before[3], strict=True):
                generator.setstate(state)

    def _key(self, make: Callable[[], Any]) -> Any:
        """A private key: OpenSSL's own dice cannot be seeded, so what they gave is kept with the write."""
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            NoEncryption,
            PrivateFormat,
            load_der_private_key,
        )

        if self._playing:
            self._recorded.append(self._playing.pop(0))
            return load_der_private_key(self._recorded[-1], password=None)
        key = make()
        self._recorded.append(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
        return key

    def install(self) -> None:
        """Take the places of the machine's clock and dice."""
        now = self.now

        class Meta(type):
            def __instancecheck__(cls, instance: object) -> bool:
                return isinstance(instance, _RealDatetime)

            def __subclasscheck__(cls, subclass: type) -> bool:
                return issubclass(subclass, _RealDatetime)

        class MovableDatetime(_RealDatetime, metaclass=Meta):
            @classmethod
            def now(cls, tz: datetime_module.tzinfo | None = None) -> Any:
                return cls.fromtimestamp(now(), tz)

            @classmethod
            def utcnow(cls) -> Any:
                return cls.fromtimestamp(now(), datetime_module.UTC).replace(tzinfo=None)

            @classmethod
            def today(cls) -> Any:
                return cls.fromtimestamp(now())

        MovableDatetime.__name__ = MovableDatetime.__qualname__ = "datetime"
        MovableDatetime.__module__ = "datetime"
        put(datetime_module, "datetime", MovableDatetime)
        put(time, "time", now)
        put(os, "urandom", self.urandom)
        put(random, "_urandom", self.urandom)

        self._install_keys()

    def _install_keys(self) -> None:
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

        make_rsa, make_ec = rsa.generate_private_key, ec.generate_private_key
        put(rsa, "generate_private_key", lambda *given, **named: self._key(lambda: make_rsa(*given, **named)))
        put(ec, "generate_private_key", lambda *given, **named: self._key(lambda: make_ec(*given, **named)))

        make, taped = ed25519.Ed25519PrivateKey, self._key

        class Meta(abc.ABCMeta):
            def __instancecheck__(cls, instance: object) -> bool:
                return isinstance(instance, make)

        class Taped(make, metaclass=Meta):  # type: ignore[misc, valid-type]  # a class that is known at run time only
            @classmethod
            def generate(cls) -> Any:
                return taped(make.generate)

        put(ed25519, "Ed25519PrivateKey", Taped)


def _stream(secret: bytes) -> Callable[[int], bytes]:
    """Bytes without end, made of `secret` (HMAC of a counter)."""
    counter = 0

    def take(size: int) -> bytes:
        nonlocal counter
        found = b""
        while len(found) < size:
            counter += 1
            found += hmac.digest(secret, counter.to_bytes(8, "big"), hashlib.sha256)
        return found[:size]

    return take
