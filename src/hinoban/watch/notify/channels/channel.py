"""The contract of everything that carries a message to people. docs/checklists/channel.md says how to add one."""

from typing import Protocol

from hinoban.watch.history.daily import Daily
from hinoban.watch.history.ledger import Message


class DeliveryFailed(Exception):
    """It did not arrive. `permanent`: trying again cannot help. `retry_after`: seconds that the other side asked for.

    `in_doubt`: nobody knows whether it arrived (the answer was lost), so the next try may be a repeat.
    """

    def __init__(self, why: str, *, permanent: bool = False, retry_after: float | None = None, in_doubt: bool = False) -> None:
        super().__init__(why)
        self.permanent = permanent
        self.retry_after = retry_after
        self.in_doubt = in_doubt


class Channel(Protocol):
    """Carries messages; one at a time and in order is the outbox's care."""

    @property
    def name(self) -> str:
        """Names its rows in the outbox: must not change over restarts."""
        ...

    async def send(self, message: Message, delivery_id: str) -> None:
        """Deliver, or raise DeliveryFailed. The same delivery_id may come again where the first answer was lost."""
        ...

    async def report(self, daily: Daily, delivery_id: str) -> None:
        """Deliver the daily report, as `send` does a message. A channel that only wakes people takes it and tells nobody."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
