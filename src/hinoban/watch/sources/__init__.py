"""What brings events. A source is added here and in docs/checklists/source.md."""

from collections.abc import Callable

from hinoban.aws.client import Client
from hinoban.base.clock import Clock
from hinoban.watch.sources.journal import Journal
from hinoban.watch.sources.source import Batch, Source

SOURCES: dict[str, Callable[[Client, Clock], Source]] = {"journal": Journal}

__all__ = ["SOURCES", "Batch", "Journal", "Source"]
