"""What one array of a pattern says about a field: exact values, tests of a leaf, whether the field may be absent (facts/eventbridge.md §4.2)."""

from collections.abc import Callable, Iterable
from typing import NoReturn

from hinoban.aws.event_patterns import cidr, numeric, values, wildcards
from hinoban.aws.event_patterns.errors import Broken
from hinoban.aws.event_patterns.nodes import Node
from hinoban.aws.event_patterns.values import Leaf

Test = Callable[[Leaf], bool]

_NOT_A_LIST = "Value of anything-but must be an array or single string/number value."
_BAD_IN_LIST = "Inside anything but list, start|null|boolean is not supported."
_MIXED = "Inside anything but list, either all values are number or string, mixed type is not supported"
_BAD_IGNORE_CASE = "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported."
_BAD_AFFIX = "prefix/suffix match pattern must be a string"
_BAD_WILDCARD = "wildcard match pattern must be a string"
_ONE_KEY = "Only one key allowed in match expression"


class Field:
    """The values of one field, joined by OR.

    `exact` are identities of leaves, `tests` ask a leaf anything else; `absent`: a field without any leaf matches, too.
    """

    __slots__ = ("absent", "exact", "tests")

    def __init__(self, exact: frozenset[Leaf], tests: tuple[Test, ...], absent: bool) -> None:
        self.exact = exact
        self.tests = tests
        self.absent = absent

    def passes(self, leaves: Iterable[Leaf]) -> bool:
        """Whether any of the leaves matches."""
        for leaf in leaves:
            if leaf in self.exact:
                return True
            for test in self.tests:
                if test(leaf):
                    return True
        return False

    @property
    def pins(self) -> bool:
        """Whether only a leaf that is one of `exact` can match."""
        return bool(self.exact) and not self.tests and not self.absent


class FieldCompiler:
    """Compiles arrays of values; gathers the wildcards, whose complexity is a matter of the whole pattern."""

    def __init__(self) -> None:
        self.wildcards: list[tuple[str, ...]] = []

    def field(self, array: Node) -> Field:
        """The field that an array of values describes."""
        exact: set[Leaf] = set()
        tests: list[Test] = []
        absent = False
        for node in array.value:
            if node.kind != "object":
                self._literal(node, exact, tests)
                continue
            name, operand = only_entry(node, "Match expression name not found")
            if name == "exactly":
                exact_text = _string(operand, "exact match pattern must be a string")
                _add_string(exact_text, exact, tests)
            elif name == "exists":
                if operand.kind != "boolean":
                    _refuse(operand, "exists match pattern must be either true or false.")
                if operand.value:
                    tests.append(_anything)
                else:
                    absent = True
            else:
                tests.append(self._test(name, operand))
            no_second_entry(node)
        if not array.value:
            raise Broken("Empty arrays are not allowed", array.end)
        return Field(frozenset(exact), tuple(tests), absent)

    def _literal(self, node: Node, exact: set[Leaf], tests: list[Test]) -> None:
        match node.kind:
            case "string":
                _add_string(node.value, exact, tests)
            case "number":
                exact.add(values.number(node.value))
            case "boolean":
                exact.add(values.TRUE if node.value else values.FALSE)
            case "null":
                exact.add(values.NULL)
            case _:
                _refuse(node, "Match value must be String, number, true, false, or null")

    def _test(self, name: str, operand: Node) -> Test:
        match name:
            case "prefix" | "suffix":
                return self._affix(name, operand)
            case "equals-ignore-case":
                folded = values.fold(_string(operand, "equals-ignore-case match pattern must be a string"))
                return lambda leaf: isinstance(leaf, str) and values.fold(leaf) == folded
            case "wildcard":
                runs = self._wildcard(operand)
                return lambda leaf: isinstance(leaf, str) and wildcards.matches(runs, leaf)
            case "anything-but":
                return self._anything_but(operand)
            case "numeric":
                return numeric.compile_range(operand)
            case "cidr":
                return cidr.compile_network(_string(operand, "prefix match pattern must be a string"))
        raise Broken(f"Unrecognized match type {name}", operand.start)

    def _affix(self, name: str, operand: Node) -> Test:
        if operand.kind != "object":
            return _affix_test(name, _string(operand, f"{name} match pattern must be a string"), fold=False)
        kind, text = only_entry(operand, f"{name.capitalize()} expression name not found")
        if kind != "equals-ignore-case":
            raise Broken(f"Unsupported {name} pattern: {kind}", text.start)
        test = _affix_test(name, _string(text, "equals-ignore-case match pattern must be a string"), fold=True)
        no_second_entry(operand)
        return test

    def _wildcard(self, node: Node, *, twice: bool = False) -> tuple[str, ...]:
        runs = wildcards.parse(_string(node, _BAD_WILDCARD, twice=twice), node.end)
        self.wildcards.append(runs)
        return runs

    def _anything_but(self, operand: Node) -> Test:
        """True for a leaf that is none of what is named: also null and other types; a missing field has no leaf (facts §0.3)."""
        match operand.kind:
            case "string" | "number":
                unwanted = frozenset([_plain(operand)])
            case "array":
                unwanted = _plain_list(operand)
            case "object":
                kind, inner = only_entry(operand, "Anything-But expression name not found")
                test = self._anything_but_form(kind, inner)
                no_second_entry(operand)
                return lambda leaf: not test(leaf)
            case _:
                _refuse(operand, _NOT_A_LIST)
        return lambda leaf: leaf not in unwanted

    def _anything_but_form(self, kind: str, inner: Node) -> Test:
        """What must not hold."""
        if kind not in ("prefix", "suffix", "equals-ignore-case", "wildcard"):
            raise Broken(f"Unsupported anything-but pattern: {kind}", inner.start)
        if inner.kind == "object":
            _refuse(inner, _NOT_A_LIST)
        listed = inner.kind == "array"
        nodes: list[Node] = inner.value if listed else [inner]
        if not nodes:
            raise Broken(_MIXED, inner.end)
        if kind == "wildcard":
            every = [self._wildcard(node, twice=listed) for node in nodes]
            return lambda leaf: isinstance(leaf, str) and any(wildcards.matches(runs, leaf) for runs in every)
        if kind == "equals-ignore-case":
            folded = frozenset(values.fold(_string(node, _BAD_IGNORE_CASE, twice=listed)) for node in nodes)
            return lambda leaf: isinstance(leaf, str) and values.fold(leaf) in folded
        texts = tuple(_string(node, _BAD_AFFIX, twice=listed) for node in nodes)
        if "" in texts:
            raise Broken("Null prefix/suffix not allowed", nodes[texts.index("")].end)
        starts = kind == "prefix"
        return lambda leaf: isinstance(leaf, str) and (leaf.startswith(texts) if starts else leaf.endswith(texts))


def only_entry(node: Node, otherwise: str) -> tuple[str, Node]:
    """A matcher's key and operand."""
    if not node.value:
        raise Broken(otherwise, node.end)
    name, operand = node.value[0]
    readable(operand)
    return name, operand


def no_second_entry(node: Node) -> None:
    """A matcher has one key; told only when the first one was right."""
    if len(node.value) > 1:
        readable(node.value[1][1])
        raise Broken(_ONE_KEY, node.value[1][1].start)


def readable(node: Node) -> None:
    """Raise what stopped the reading, if it was here."""
    if node.kind == "broken":
        raise node.value


def _refuse(node: Node, reason: str, *, twice: bool = False) -> NoReturn:
    readable(node)
    raise Broken(reason, node.start, twice=twice)


def _string(node: Node, otherwise: str, *, twice: bool = False) -> str:
    if node.kind != "string":
        _refuse(node, otherwise, twice=twice)
    text: str = node.value
    return text


def _add_string(text: str, exact: set[Leaf], tests: list[Test]) -> None:
    """A literal string; one that looks like an address is compared as one, however either is spelt."""
    meant = values.address(text)
    if meant is None:
        exact.add(text)
    else:
        tests.append(lambda leaf: isinstance(leaf, str) and values.address(leaf) == meant)


def _affix_test(name: str, text: str, *, fold: bool) -> Test:
    wanted = values.fold(text) if fold else text
    if name == "prefix":
        return lambda leaf: isinstance(leaf, str) and (values.fold(leaf) if fold else leaf).startswith(wanted)
    return lambda leaf: isinstance(leaf, str) and (values.fold(leaf) if fold else leaf).endswith(wanted)


def _plain(node: Node) -> Leaf:
    if node.kind == "number":
        return values.number(node.value)
    text: str = node.value
    return text


def _plain_list(array: Node) -> frozenset[Leaf]:
    for node in array.value:
        if node.kind not in ("string", "number"):
            _refuse(node, _BAD_IN_LIST, twice=True)
    if len({node.kind for node in array.value}) != 1:
        raise Broken(_MIXED, array.end)
    return frozenset(_plain(node) for node in array.value)


def _anything(leaf: Leaf) -> bool:
    return True
