"""Many patterns, few of which concern an event: each conjunction is kept under the exact values of one of its fields.

A conjunction with a field that only exact values match cannot match an event without one of these values at that path. So a pattern
is kept under the values of one such field of each of its conjunctions, and asked only about events that hold one of them; a pattern
with a conjunction that pins nothing is asked about every event. What is asked is matched in full, so the answer is that of a scan.
"""

from collections import Counter
from collections.abc import Hashable
from typing import Any, Generic, TypeVar

from hinoban.aws.event_patterns.events import View
from hinoban.aws.event_patterns.grammar import Conjunction, Pattern
from hinoban.aws.event_patterns.values import Leaf

Key = TypeVar("Key", bound=Hashable)
_Slot = tuple[str, Leaf]


class PatternIndex(Generic[Key]):
    """Patterns by key; `matches` names the keys whose patterns match, in the order in which they were added."""

    def __init__(self) -> None:
        self._patterns: dict[Key, tuple[int, Pattern, frozenset[_Slot] | None]] = {}
        self._kept: dict[str, dict[Leaf, set[Key]]] = {}
        self._unpinned: set[Key] = set()
        self._prefixes: Counter[str] = Counter()
        self._added = 0

    def __len__(self) -> int:
        return len(self._patterns)

    def add(self, key: Key, pattern: Pattern) -> None:
        """Keep a pattern; one that had this key is replaced, at the end of the order."""
        if key in self._patterns:
            self.remove(key)
        slots = self._slots(pattern)
        self._patterns[key] = (self._added, pattern, slots)
        self._added += 1
        self._prefixes.update(pattern.prefixes)
        if slots is None:
            self._unpinned.add(key)
        for path, value in slots or ():
            self._kept.setdefault(path, {}).setdefault(value, set()).add(key)

    def remove(self, key: Key) -> None:
        """Forget a pattern; KeyError if there is none."""
        _, pattern, slots = self._patterns.pop(key)
        self._unpinned.discard(key)
        for path, value in slots or ():
            keys = self._kept[path][value]
            keys.discard(key)
            if not keys:
                del self._kept[path][value]
                if not self._kept[path]:
                    del self._kept[path]
        self._prefixes.subtract(pattern.prefixes)
        for prefix in pattern.prefixes:
            if not self._prefixes[prefix]:
                del self._prefixes[prefix]

    def matches(self, event: Any) -> list[Key]:
        """The keys of the patterns that match the event."""
        view = View(event, self._prefixes)
        candidates = set(self._unpinned)
        for path, leaves in view.leaves.items():
            values = self._kept.get(path, {})
            for value in leaves:
                candidates |= values.get(value, _NOBODY)
        found = [(self._patterns[key][0], key) for key in candidates if self._patterns[key][1].matches(view)]
        found.sort(key=lambda pair: pair[0])
        return [key for _, key in found]

    def _slots(self, pattern: Pattern) -> frozenset[_Slot] | None:
        """Where the pattern is kept; None where a conjunction pins no field."""
        slots: set[_Slot] = set()
        for fields in pattern.conjunctions:
            path = self._quietest(fields)
            if path is None:
                return None
            slots.update((path, value) for value in fields[path].exact)
        return frozenset(slots)

    def _quietest(self, fields: Conjunction) -> str | None:
        """The pinned field whose values share their places with the fewest other patterns; of equals the one with fewer values."""
        pinned = [path for path, field in fields.items() if field.pins]
        return min(pinned, key=lambda path: (self._crowd(path, fields[path].exact), len(fields[path].exact), path), default=None)

    def _crowd(self, path: str, exact: frozenset[Leaf]) -> int:
        kept = self._kept.get(path, {})
        return sum(len(kept.get(value, _NOBODY)) for value in exact)


_NOBODY: frozenset[Any] = frozenset()
