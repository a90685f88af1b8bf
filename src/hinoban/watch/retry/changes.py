"""The two changes that an attempt may make to the request it repeats: one subnet in turn, and FARGATE where Spot had no room. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from hinoban.watch.config import RetryRule

_SPOT = "FARGATE_SPOT"


class Changed(msgspec.Struct, frozen=True):
    """The request as it is sent, and what is said of it: `subnet-0c only, FARGATE instead of FARGATE_SPOT`."""

    request: dict[str, Any]
    words: str = ""


def changed(request: Mapping[str, Any], rule: RetryRule, number: int, *, off_spot: bool) -> Changed:
    """What attempt `number` asks for. `off_spot`: it is FARGATE_SPOT that failed it."""
    asked, words = dict(request), []
    if (subnet := _subnet(request, rule, number)) is not None:
        network = request["networkConfiguration"]["awsvpcConfiguration"]
        asked["networkConfiguration"] = {**request["networkConfiguration"], "awsvpcConfiguration": {**network, "subnets": [subnet]}}
        words.append(f"{subnet} only")
    if off_spot and rule.fargate_spot_to_fargate and request.get("launchType") is None:
        # AWS takes launchType or capacityProviderStrategy, never both (facts/ecs.md §3.1); launchType needs no provider on the cluster.
        asked.pop("capacityProviderStrategy", None)
        asked["launchType"] = "FARGATE"
        words.append(f"FARGATE instead of {_SPOT}")
    return Changed(asked, ", ".join(words))


def asks_for_spot(request: Mapping[str, Any]) -> bool:
    """Whether the request itself names FARGATE_SPOT."""
    return any(one.get("capacityProvider") == _SPOT for one in request.get("capacityProviderStrategy") or ())


def _subnet(request: Mapping[str, Any], rule: RetryRule, number: int) -> str | None:
    """Attempt 1 tried them all: attempt 2 takes the second, so that of two zones the other one has its turn."""
    own = ((request.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}).get("subnets") or ()
    if rule.rotate is False or not own:
        return None
    turns = own if rule.rotate is True else rule.rotate
    return str(turns[(number - 1) % len(turns)])
