"""The engine's feed as a source: long-polls `/_hinoban/v1/feed`, and backfills by List and Describe where the feed lost the thread."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from hinoban.aws.client import ApiError, Client
from hinoban.aws.errors import AwsError
from hinoban.base.clock import SECONDS, Clock
from hinoban.watch.history.ledger import Cursor
from hinoban.watch.normalise import described
from hinoban.watch.schedules.model import Problem
from hinoban.watch.sources.source import Batch, batch_of_lines

WAIT = 20 * SECONDS
LIMIT = 1000
_DESCRIBE = 100  # DescribeTasks takes so many (facts/ecs.md §11.2)


class Journal:
    """Reads one engine's feed. A feed with another id is read from its beginning; where that is gone (410), what was missed is backfilled."""

    name = "journal"
    problems: Mapping[str, Problem] = {}

    def __init__(self, client: Client, clock: Clock, *, wait: float = WAIT, limit: int = LIMIT) -> None:
        self._client = client
        self._clock = clock
        self._wait = wait
        self._limit = limit

    async def poll(self, cursor: Cursor | None) -> Batch:
        """The next lines behind `cursor`, waiting up to `wait` seconds for one."""
        after = cursor.seq if cursor else 0
        # Behind the newest there is nothing to wait for.
        wait = self._wait if cursor is not None and cursor.seq >= cursor.newest else 0.0
        query = {"after": after, "limit": self._limit, "wait": f"{wait:g}"}
        try:
            headers, lines = await self._client.feed("feed", query, wait=wait)
        except ApiError as error:
            if error.status != 410:
                raise
            return await self._backfill(cursor, int(error.fields.get("oldest") or 1), error.fields.get("regions") or [self._client.region])
        feed, newest = headers.get("x-hinoban-feed", ""), int(headers.get("x-hinoban-last", after))
        now = self._clock.now()
        gap = cursor.gap_at if cursor else None
        if cursor is not None and cursor.feed not in ("", feed):
            # Its numbers are not ours: from its beginning, where nothing is missed (or a 410 says what is).
            return Batch(events=(), cursor=Cursor(feed, 0, max(newest, 1), now, now))
        return batch_of_lines(lines, feed, after, newest, now, gap)

    async def committed(self) -> None:
        """The engine keeps its feed by age: it is told nothing."""

    async def _backfill(self, cursor: Cursor | None, oldest: int, regions: Sequence[str]) -> Batch:
        now = self._clock.now()
        events: list[bytes] = []
        listed: set[str] = set()
        for region in regions:
            async for task in all_tasks(self._client.in_region(region)):
                listed.add(task["taskArn"])
                events.append(described(task, region))
        # The feed's id comes with the next answer. From the oldest it kept: only there are refused launches told.
        behind = Cursor("", max(0, oldest - 1), max(oldest, 1), now, now)
        return Batch(events=events, cursor=behind, listed=frozenset(listed) if cursor is not None else None)


async def all_tasks(client: Client) -> AsyncIterator[dict[str, Any]]:
    """Every task that the endpoint still knows, running or stopped (for an hour, facts/ecs.md §7), in the client's region."""
    clusters = [arn async for arn in client.paginate("ecs", "ListClusters", {}, "clusterArns")]
    for cluster in clusters:
        arns: list[str] = []
        for status in ("RUNNING", "STOPPED"):
            asked = {"cluster": cluster, "desiredStatus": status}
            try:
                arns += [arn async for arn in client.paginate("ecs", "ListTasks", asked, "taskArns")]
            except AwsError as error:
                if error.code != "ClusterNotFoundException":  # deleted while we looked
                    raise
        for start in range(0, len(arns), _DESCRIBE):
            answer = await client.call("ecs", "DescribeTasks", {"cluster": cluster, "tasks": arns[start : start + _DESCRIBE]})
            for task in answer.get("tasks", ()):
                yield task
