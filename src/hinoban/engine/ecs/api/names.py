"""Names, ARNs and pages as the operations of ECS take them (facts/ecs.md §§3.3, 11)."""

import base64
import heapq
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from hinoban.aws import arns
from hinoban.aws.call import Call, Params
from hinoban.aws.errors import AwsError
from hinoban.engine.ecs.model.clusters import DEFAULT_CLUSTER, Cluster
from hinoban.engine.ecs.state import State

T = TypeVar("T")

_TASK_ID_LENGTHS = (32, 36)


def invalid_parameter(message: str) -> AwsError:
    """ECS's InvalidParameterException."""
    return AwsError("InvalidParameterException", message)


def client_exception(message: str) -> AwsError:
    """ECS's ClientException."""
    return AwsError("ClientException", message)


def cluster_name(text: str | None) -> str:
    """`batch` of `batch` or its ARN; `default` where nothing is named."""
    return (text or DEFAULT_CLUSTER).rpartition("/")[2]


def active_cluster(state: State, call: Call, params: Params) -> Cluster:
    """The cluster a request names; ClusterNotFoundException where there is none or it was deleted."""
    cluster = state.clusters.get((call.region, cluster_name(params.get("cluster"))))
    if cluster is None:
        raise AwsError("ClusterNotFoundException", "Cluster not found.")
    if cluster.status != "ACTIVE":
        raise AwsError("ClusterNotFoundException", "The referenced cluster was inactive.")
    return cluster


def task_id(text: str) -> str:
    """The id in a task's id or ARN; InvalidParameterException where it cannot be one (facts/ecs.md §3.3)."""
    if text.startswith("arn:"):
        try:
            parts = arns.parse(text).resource.split("/")
        except ValueError:
            raise invalid_parameter("Invalid identifier: Unexpected number of separators") from None
        if len(parts) not in (2, 3) or parts[0] != "task":
            raise invalid_parameter("Invalid identifier: Unexpected number of separators")
        text = parts[-1]
    elif "/" in text:
        raise invalid_parameter("Invalid identifier: Unexpected number of separators")
    if len(text) not in _TASK_ID_LENGTHS:
        raise invalid_parameter("taskId length should be one of [32,36]")
    return text


def check_tags(params: Params) -> None:
    """The prefix `aws:` is ECS's own (facts/ecs.md §11.2); the text is the one of registration, UNCONFIRMED."""
    if any(tag.get("key", "").lower().startswith("aws:") for tag in params.get("tags", ())):
        raise invalid_parameter("Tag keys may not start with the reserved prefix aws:.")


def page(found: Sequence[T], params: Params, key: str, *, default: int = 100, most: int = 100) -> dict[str, Any]:
    """One page of a List operation: `{key: [...], "nextToken": "..."}`, the token absent at the end (facts/ecs.md §11.2)."""
    size = _page_size(params, default, most)
    text = _token_text(params)
    if text and not text.isdecimal():
        raise invalid_parameter("Invalid token")
    start = int(text[:18] or 0)
    answer: dict[str, Any] = {key: list(found[start : start + size])}
    if start + size < len(found):
        answer["nextToken"] = _token(str(start + size))
    return answer


def page_after(found: Iterable[str], params: Params, key: str, *, default: int = 100, most: int = 100) -> dict[str, Any]:
    """One page of names, least first, continued behind the last one told: what goes or comes between two pages hides no other."""
    size = _page_size(params, default, most)
    after = _token_text(params)
    # One more than a page says whether there is another; cheaper than to sort them all.
    chosen = heapq.nsmallest(size + 1, (name for name in found if name > after))
    answer: dict[str, Any] = {key: chosen[:size]}
    if len(chosen) > size:
        answer["nextToken"] = _token(chosen[size - 1])
    return answer


def _page_size(params: Params, default: int, most: int) -> int:
    size: int = params.get("maxResults", default)
    if not 1 <= size <= most:
        raise invalid_parameter(f"Maximum number of results must be between 1 and {most}.")
    return size


def _token(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def _token_text(params: Params) -> str:
    """What a token of ours says; empty for the first page."""
    try:
        return base64.b64decode(params.get("nextToken", "").encode(), altchars=b"-_", validate=True).decode()
    except ValueError:
        raise invalid_parameter("Invalid token") from None
