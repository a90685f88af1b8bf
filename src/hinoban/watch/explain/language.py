"""Which language the texts for people are in: chosen once where a piece of work begins (`with speaking(lang):`), not handed through every
detector. Outside of such a block it is English.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from hinoban.watch.config import Lang

_SPOKEN: ContextVar[Lang] = ContextVar("lang", default="en")


@contextmanager
def speaking(lang: Lang) -> Iterator[None]:
    """Explain in `lang` while this lasts."""
    token = _SPOKEN.set(lang)
    try:
        yield
    finally:
        _SPOKEN.reset(token)


def spoken() -> Lang:
    """The language of the work under way."""
    return _SPOKEN.get()


def either(en: str, ja: str) -> str:
    """Of two twins the one in the language that is spoken."""
    return ja if spoken() == "ja" else en
