"""An event as EventBridge sees it: leaves under paths joined with dots, arrays as sets of alternatives (facts/eventbridge.md §4.3).

Only paths that somebody asks for are laid out. Arrays of scalars are several leaves of one path; an array that holds objects is a set
of elements, of which all matched fields must come from one. Arrays in arrays are one array. Empty objects and arrays leave nothing.
"""

from collections.abc import Container, Iterator
from typing import Any

from hinoban.aws.event_patterns.values import Leaf, leaf

MOST_NESTED = 100
"""Arrays of objects within one another that are looked into. Differs from AWS: there 1000 levels of JSON."""


class Elements:
    """An array of objects; `paths` are those of all leaves in it."""

    __slots__ = ("members", "paths")

    def __init__(self) -> None:
        self.members: list[Scope] = []
        self.paths: set[str] = set()


class Scope:
    """An object of the event, or an element of an array: its leaves by path, and the arrays of objects in it."""

    __slots__ = ("arrays", "leaves", "within")

    def __init__(self, within: tuple[Elements, ...] = ()) -> None:
        self.leaves: dict[str, list[Leaf]] = {}
        self.arrays: list[Elements] = []
        self.within = within


class View:
    """An event laid out for patterns whose `prefixes_of` paths are in `wanted`; `leaves` are all of them, wherever they stand."""

    __slots__ = ("leaves", "root")

    def __init__(self, event: Any, wanted: Container[str]) -> None:
        self.root = Scope()
        self.leaves: dict[str, list[Leaf]] = {}
        todo: list[tuple[Scope, str, dict[str, Any]]] = [(self.root, "", event)] if isinstance(event, dict) else []
        while todo:
            scope, prefix, found = todo.pop()
            for name, value in found.items():
                path = f"{prefix}{name}"
                if path not in wanted:
                    continue
                if isinstance(value, dict):
                    todo.append((scope, f"{path}.", value))
                elif isinstance(value, list):
                    todo += self._array(scope, path, value)
                else:
                    self._add(scope, path, leaf(value))

    def _array(self, scope: Scope, path: str, value: list[Any]) -> list[tuple[Scope, str, dict[str, Any]]]:
        """Lay out an array; answers what is to be laid out in it."""
        members = list(_crushed(value))
        if not any(isinstance(member, dict) for member in members):
            for member in members:
                self._add(scope, path, leaf(member))
            return []
        if len(scope.within) >= MOST_NESTED:
            return []
        array = Elements()
        scope.arrays.append(array)
        within = (*scope.within, array)
        todo = []
        for member in members:
            element = Scope(within)
            array.members.append(element)
            if isinstance(member, dict):
                todo.append((element, f"{path}.", member))
            else:
                self._add(element, path, leaf(member))
        return todo

    def _add(self, scope: Scope, path: str, value: Leaf) -> None:
        scope.leaves.setdefault(path, []).append(value)
        self.leaves.setdefault(path, []).append(value)
        for array in scope.within:
            array.paths.add(path)


def prefixes_of(path: str) -> Iterator[str]:
    """The path, and what an event may hold on the way to it: `a.b.c` may be an object `a`, or an object `a.b`."""
    yield path
    while (dot := path.rfind(".")) >= 0:
        path = path[:dot]
        yield path


def _crushed(array: list[Any]) -> Iterator[Any]:
    """The members of an array and of the arrays in it, in order."""
    todo = [iter(array)]
    while todo:
        for member in todo[-1]:
            if isinstance(member, list):
                todo.append(iter(member))
                break
            yield member
        else:
            todo.pop()
