"""Which Host headers we answer to: our own names only, so that a web page cannot reach us under its name (DNS rebinding)."""

from ipaddress import ip_address

LOOPBACK_NAMES = frozenset({"localhost"})


def host_allowed(host: str, allowed: frozenset[str] = frozenset()) -> bool:
    """Whether a Host header names loopback, with any port, or one of `allowed` (lower-case names without port).

    `localhost`, names below it (`ecs.localhost`) and loopback addresses always may, as no other page can own them.
    """
    name = _without_port(host.strip().lower()).rstrip(".")
    if not name:
        return False
    if name in LOOPBACK_NAMES or name.endswith(".localhost") or name in allowed:
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _without_port(host: str) -> str:
    if host.startswith("["):
        inside, bracket, port = host[1:].partition("]")
        return inside if bracket and _is_port(port) else ""
    name, colon, port = host.partition(":")
    return name if not colon or port.isdecimal() else ""


def _is_port(text: str) -> bool:
    return not text or (text[0] == ":" and text[1:].isdecimal())
