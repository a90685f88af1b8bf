"""What brings events. A source is added here and in docs/checklists/source.md."""

from hinoban.watch.sources.http import Http
from hinoban.watch.sources.journal import Journal
from hinoban.watch.sources.poll import Poll
from hinoban.watch.sources.source import Batch, Source
from hinoban.watch.sources.sqs import Sqs

SOURCES = frozenset({"journal", "sqs", "http", "poll"})
"""Every source there is; the contract suite holds each to the same rules."""

__all__ = ["SOURCES", "Batch", "Http", "Journal", "Poll", "Source", "Sqs"]
