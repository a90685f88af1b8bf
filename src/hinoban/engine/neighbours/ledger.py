"""PURE: which writes of the log are needed no more because every queue message that they touched is deleted.

A write that does nothing but send, receive or delete messages of plain standard queues is tied to those messages. Once all messages of a
group of writes that hang together are gone, replaying them would end where it began, so the group is dropped. Seeds belong to a write's
number, so dropping some changes nothing about the others.
"""

from collections import deque

# A backlog that hangs together in larger pieces is looked at again when its next message goes.
_LARGEST_GROUP = 2_000


class Ledger:
    """Writes and the messages they touched, as far as both are still needed."""

    def __init__(self) -> None:
        self._messages_of: dict[int, set[str]] = {}
        self._writes_of: dict[str, set[int]] = {}
        self._dead: set[str] = set()
        self._pinned: set[int] = set()
        self._died: list[str] = []
        self.current: int | None = None

    def touch(self, message: str) -> None:
        """The running write has sent, received or moved this message."""
        if self.current is not None:
            self._messages_of.setdefault(self.current, set()).add(message)
            self._writes_of.setdefault(message, set()).add(self.current)

    def died(self, message: str) -> None:
        """The running write has deleted this message."""
        self.touch(message)
        self._dead.add(message)
        self._died.append(message)

    def pin(self) -> None:
        """The running write does more than what can be undone by deleting messages."""
        if self.current is not None:
            self._pinned.add(self.current)

    def touched(self, number: int) -> bool:
        """Whether that write touched any message."""
        return number in self._messages_of

    def forget(self, number: int) -> None:
        """That write was not kept."""
        for message in self._messages_of.pop(number, ()):
            writes = self._writes_of.get(message)
            if writes is not None:
                writes.discard(number)
                if not writes:
                    del self._writes_of[message]
                    self._dead.discard(message)
        self._pinned.discard(number)

    def settle(self) -> list[int]:
        """The writes that the last deletions made needless; they are forgotten here."""
        died, self._died = self._died, []
        needless: set[int] = set()
        for message in died:
            if message in self._writes_of:
                group = self._group(message)
                needless |= group
                for number in group:
                    self.forget(number)
        return sorted(needless)

    def _group(self, message: str) -> set[int]:
        """All writes that hang together with this message, if all their messages are dead and none is pinned; else none."""
        writes: set[int] = set()
        messages = {message}
        ahead = deque([message])
        while ahead:
            one = ahead.popleft()
            if one not in self._dead:
                return set()
            for number in self._writes_of.get(one, ()):
                if number in writes:
                    continue
                if number in self._pinned:
                    return set()
                writes.add(number)
                fresh = self._messages_of[number] - messages
                messages |= fresh
                ahead.extend(fresh)
            if len(writes) > _LARGEST_GROUP:
                return set()
        return writes
