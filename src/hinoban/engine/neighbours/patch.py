"""The one way in which the child puts something of ours in the place of something of moto's or Python's."""

from typing import Any


def put(owner: Any, name: str, ours: Any) -> None:
    """From now on `owner.name` is `ours`. Each caller says why beside it; nothing is ever put back, the process is the child's own."""
    setattr(owner, name, ours)
