"""A trail, and the spans of the journal during which trails log. Values only."""

from typing import Any

from msgspec import Struct

from hinoban.aws import arns

Key = tuple[str, str]
"""Home region and name."""


class TrailConfig(Struct, frozen=True, kw_only=True):
    """A trail as it was made, its selectors and tags, and what became of its logging. Moments are seconds since the epoch."""

    region: str
    name: str
    arn: str
    bucket: str
    prefix: str | None = None
    topic: str | None = None
    global_events: bool = True
    multi_region: bool = False
    validation: bool = False
    group_arn: str | None = None
    role_arn: str | None = None
    kms_key: str | None = None
    tags: dict[str, str] = {}
    selectors: list[dict[str, Any]] | None = None
    advanced: list[dict[str, Any]] | None = None
    insights: list[dict[str, Any]] = []
    logging: bool = False
    started_at: float | None = None
    stopped_at: float | None = None
    delivered_at: float | None = None
    delivery_error: str | None = None

    @property
    def key(self) -> Key:
        return (self.region, self.name)

    def seen_in(self, region: str) -> bool:
        """Whether the trail is of that region, or a multi-region one whose shadow is there."""
        return self.multi_region or self.region == region


class Selection(Struct, frozen=True, kw_only=True):
    """Which management events a trail takes in."""

    reads: bool = True
    writes: bool = True
    sources: list[str] | None = None
    without: list[str] = []

    def takes(self, source: str, read: bool) -> bool:
        """Whether a record of `source`, e.g. `ecs.amazonaws.com`, is taken in."""
        wanted = self.reads if read else self.writes
        return wanted and source not in self.without and (self.sources is None or source in self.sources)


class Span(Struct, frozen=True, kw_only=True):
    """The records behind number `start` of the journal, up to and with `stop` (None: until further notice), are a trail's.

    It outlives its trail: what was called before a DeleteTrail is published although the trail is gone.
    """

    number: int
    trail: Key
    region: str | None
    group_arn: str | None
    selection: Selection
    start: int
    stop: int | None = None

    def covers(self, number: int, region: str) -> bool:
        """Whether the record of that number and region lies in the span; `region` None stands for every one."""
        return self.start < number and (self.stop is None or number <= self.stop) and self.region in (None, region)


def trail_arn(region: str, account: str, name: str) -> str:
    return f"arn:{arns.partition_of(region)}:cloudtrail:{region}:{account}:trail/{name}"


def selection(trail: TrailConfig) -> Selection:
    """What the selectors of a trail mean for management events; without selectors it takes in all (facts/cloudtrail_sns_lambda.md §1)."""
    if trail.advanced is not None:
        return _advanced(trail.advanced)
    if trail.selectors is None:
        return Selection()
    kept = [one for one in trail.selectors if one.get("IncludeManagementEvents", True)]
    kinds = {one.get("ReadWriteType", "All") for one in kept}
    without = [source for one in kept for source in one.get("ExcludeManagementEventSources", [])]
    return Selection(reads=bool(kinds & {"All", "ReadOnly"}), writes=bool(kinds & {"All", "WriteOnly"}), without=without)


def _advanced(selectors: list[dict[str, Any]]) -> Selection:
    """The first selector of category Management; the others are of data events."""
    for one in selectors:
        fields = {field["Field"]: field for field in one["FieldSelectors"]}
        if "Management" in fields.get("eventCategory", {}).get("Equals", []):
            wanted = fields.get("readOnly", {}).get("Equals", ["true", "false"])
            source = fields.get("eventSource", {})
            return Selection(
                reads="true" in wanted, writes="false" in wanted, sources=source.get("Equals"), without=source.get("NotEquals", [])
            )
    return Selection(reads=False, writes=False)
