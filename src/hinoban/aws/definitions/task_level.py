"""Rules on the task itself: its family, sizes, tags, placement and what AWS no longer takes (facts/ecs.md §4.2, §4.3, §11)."""

import re

import msgspec

from hinoban.aws.definitions.refusal import Draft, Rule, refuse
from hinoban.aws.errors import AwsError

MAX_CONTAINERS = 10
MAX_BYTES = 64 * 1024
MAX_PLACEMENT_CONSTRAINTS = 10
MAX_TAGS = 50
EC2_CPU_UNITS = range(128, 196608 + 1)

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_TAG = re.compile(r"[\w\s.:/=+@-]*")


def family(draft: Draft) -> AwsError | None:
    """1-255 letters, digits, hyphens, underscores (facts/ecs.md §11.4); texts as clients report them (amazon-ecs-cli issue 37)."""
    given = draft.request.get("family")
    if not given:
        return refuse("Family can not be blank.")
    return None if _NAME.fullmatch(given) else refuse("Family contains invalid characters.")


def containers(draft: Draft) -> AwsError | None:
    """At least one, at most 10 (facts/ecs.md §11.3); the second text as clients report it (amazon-ecs-cli issue 184)."""
    if not draft.containers:
        return refuse("Container list cannot be empty.")
    return refuse("Too many containers.") if len(draft.containers) > MAX_CONTAINERS else None


def retired(draft: Draft) -> AwsError | None:
    """Elastic Inference is gone (facts/ecs.md §4.2)."""
    return refuse("Unsupported field 'inferenceAccelerators'") if draft.request.get("inferenceAccelerators") else None


def cpu(draft: Draft) -> AwsError | None:
    """A readable size; on EC2 128-196608 units (facts/ecs.md §4.3). Fargate's sizes are another rule."""
    if draft.request.get("cpu") and (not draft.cpu or (not draft.fargate and draft.cpu not in EC2_CPU_UNITS)):
        return refuse("Invalid 'cpu' setting for task.")
    return None


def memory(draft: Draft) -> AwsError | None:
    """A readable size above zero."""
    return refuse("Invalid 'memory' setting for task.") if draft.request.get("memory") and not draft.memory else None


def ephemeral_storage(draft: Draft) -> AwsError | None:
    """21-200 GiB, and Fargate only (facts/ecs.md §4.2)."""
    storage = draft.request.get("ephemeralStorage")
    if not storage:
        return None
    if "EC2" in (draft.request.get("requiresCompatibilities") or ()):
        return refuse("Tasks using the EC2 launch type do not support EphemeralStorage")
    if storage["sizeInGiB"] < 21:
        return refuse("EphemeralStorage size should be at least 21")
    return refuse("EphemeralStorage size should be at most 200") if storage["sizeInGiB"] > 200 else None


def placement_constraints(draft: Draft) -> AwsError | None:
    """At most 10, each `memberOf` with an expression of 1-2000 characters (facts/ecs.md §8.4); the texts are UNCONFIRMED."""
    given = draft.request.get("placementConstraints") or ()
    if len(given) > MAX_PLACEMENT_CONSTRAINTS:
        return refuse(f"The maximum number of placement constraints is {MAX_PLACEMENT_CONSTRAINTS}.")
    if any(not 1 <= len(each.get("expression") or "") <= 2000 for each in given):
        return refuse("Invalid expression in a placement constraint.")
    return None


def tags(draft: Draft) -> AwsError | None:
    """At most 50 unlike keys, lengths, characters, no `aws:` (facts/ecs.md §11.2); codes and texts but the third are UNCONFIRMED."""
    given = draft.request.get("tags") or ()
    if len(given) > MAX_TAGS:
        return AwsError("InvalidParameterException", f"The number of tags exceeds the maximum of {MAX_TAGS}.")
    keys = [each.get("key") or "" for each in given]
    values = [each.get("value") or "" for each in given]
    if any(not 1 <= len(key) <= 128 for key in keys) or any(len(value) > 256 for value in values):
        return AwsError("InvalidParameterException", "Tag keys must have 1 to 128 characters and tag values 0 to 256.")
    if not all(_TAG.fullmatch(each) for each in (*keys, *values)):
        return AwsError(
            "InvalidParameterException",
            "Some tags contain invalid characters. Valid characters: UTF-8 letters, spaces, numbers and _ . / = + - : @.",
        )
    if any(key.lower().startswith("aws:") for key in keys):
        return AwsError("InvalidParameterException", "Tag keys may not start with the reserved prefix aws:.")
    return AwsError("InvalidParameterException", "Tag keys must be unique.") if len(set(keys)) < len(keys) else None


def size(body: dict[str, object]) -> AwsError | None:
    """At most 64 KiB (facts/ecs.md §4.2), measured as compact JSON of the definition as it is kept.

    What AWS itself counts is UNCONFIRMED: clients report figures a little below the length of the request they sent.
    """
    length = len(msgspec.json.encode(body))
    return refuse(f"Actual length: '{length}'. Max allowed length is '{MAX_BYTES}' bytes.") if length > MAX_BYTES else None


FIRST: tuple[Rule, ...] = (family, containers)
"""Without these the others make no sense."""

RULES: tuple[Rule, ...] = (retired, cpu, memory, ephemeral_storage, placement_constraints, tags)
