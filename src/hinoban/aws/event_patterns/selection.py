"""Whether leaves can be chosen from an event so that every field of a conjunction has one, and all of them agree about arrays.

Leaves agree when from every array that they share they come from the same element. A field that may be absent is, when no leaf of it
agrees with those chosen: `containers: {name: ["web"], exitCode: [{"exists": false}]}` asks for a container `web` without exit code
(UNCONFIRMED on AWS, facts/eventbridge.md §4.3), while `exitCode` alone asks that no container has one.
"""

from collections.abc import Mapping
from itertools import islice, product

from hinoban.aws.event_patterns.events import Elements, Scope
from hinoban.aws.event_patterns.matchers import Field

MOST_WAYS = 1024
"""Ways tried to spread fields over arrays; more than one per field exist only where dotted names spell one path in two arrays."""
_ABSENT = Field(frozenset(), (), True)


def matches(scope: Scope, fields: Mapping[str, Field]) -> bool:
    """Whether the conjunction holds in the event."""
    return _fits(scope, fields, chosen=True)


def _fits(scope: Scope, fields: Mapping[str, Field], *, chosen: bool) -> bool:
    """Whether each field has a leaf within the scope or is absent there. Without `chosen`, at least one must have a leaf: an element
    that nothing was chosen from is not the one that absent fields are absent in."""
    left: list[_Spread] = []
    for path, field in fields.items():
        leaves = scope.leaves.get(path)
        passes = leaves is not None and field.passes(leaves)
        arrays = [array for array in scope.arrays if path in array.paths] if scope.arrays else []
        chosen = chosen or passes
        if arrays and not (passes and all(not other.absent for other in fields.values())):
            # A leaf beside the arrays is there, whether it matches or not: the field is not absent any more.
            left.append((path, Field(field.exact, field.tests, False) if leaves else field, arrays, passes))
        elif not passes and (leaves is not None or not field.absent):
            return False
    if not left:
        return chosen
    if all(len(arrays) == 1 and not beside for _, _, arrays, beside in left):
        return _spread([(path, field, arrays[0]) for path, field, arrays, _ in left])
    return any(_spread([piece for pieces in way for piece in pieces]) for way in islice(product(*map(_ways, left)), MOST_WAYS))


_Piece = tuple[str, Field, Elements]
_Spread = tuple[str, Field, list[Elements], bool]
"""A field of a path, the arrays that have leaves of it, and whether a leaf beside them matches."""


def _ways(one: _Spread) -> list[list[_Piece]]:
    """Where a field may find its leaf: beside the arrays, in one of them, or in none when it may be absent."""
    path, field, arrays, beside = one
    if len(arrays) == 1 and not beside:
        return [[(path, field, arrays[0])]]
    ways: list[list[_Piece]] = [[]] if beside else []
    ways += [[(path, Field(field.exact, field.tests, False), array)] for array in arrays]
    if field.absent:
        ways.append([(path, _ABSENT, array) for array in arrays])
    return ways


def _spread(pieces: list[_Piece]) -> bool:
    """Whether each array has one element that fits all fields that look for their leaf in it."""
    groups: dict[int, tuple[Elements, dict[str, Field]]] = {}
    for path, field, array in pieces:
        groups.setdefault(id(array), (array, {}))[1][path] = field
    return all(any(_fits(element, fields, chosen=False) for element in array.members) for array, fields in groups.values())
