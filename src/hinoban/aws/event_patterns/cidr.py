"""`cidr`: a network of IP addresses (facts/eventbridge.md §4.2); its errors have no place (§4.4)."""

import ipaddress
import re
from collections.abc import Callable

from hinoban.aws.event_patterns import values
from hinoban.aws.event_patterns.errors import Broken
from hinoban.aws.event_patterns.values import Leaf

_LOOKS_LIKE_AN_ADDRESS = re.compile(r"[0-9.]+|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*")


def compile_network(text: str) -> Callable[[Leaf], bool]:
    """The test of a leaf; only strings that spell an address pass. Bits of the address behind the mask do not count."""
    halves = text.split("/")
    if len(halves) != 2:
        raise Broken("Malformed CIDR, one '/' required", None)
    base, bits_text = halves
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", bits_text):
        raise Broken("Malformed CIDR, mask bits must be an integer", None)
    bits = int(bits_text)
    if bits < 0:
        raise Broken("Malformed CIDR, mask bits must not be negative", None)
    if not _LOOKS_LIKE_AN_ADDRESS.fullmatch(base):
        raise Broken(f"Nonstandard IP address: {base}", None)
    address = values.address(base)
    if address is None:
        raise Broken(f"Invalid IP address: {base}", None)
    # A whole address is no network: AWS wants the literal there.
    if bits >= address.max_prefixlen:
        raise Broken(f"IPv{address.version} mask bits must be < {address.max_prefixlen}", None)
    network = ipaddress.ip_network(f"{base}/{bits}", strict=False)

    def test(leaf: Leaf) -> bool:
        found = values.address(leaf) if isinstance(leaf, str) else None
        return found is not None and found in network

    return test
