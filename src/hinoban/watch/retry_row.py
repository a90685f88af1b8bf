"""One attempt to retry, as it stands in its row."""

from typing import Any

import msgspec

from hinoban.watch.config import RetryRule
from hinoban.watch.model import family_of


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to come, or under way; kept as a row. Attempt 1 is the launch that was asked for.

    States: `waiting` (until due_at), `launching` (the call is being made with `token`, or its answer was lost), and the ends
    `launched`, `refused`, `stood down`, `given up`, `in doubt`, `not allowed`, `over budget`. `missing` is how many tasks are still to be launched.
    """

    incident_id: str
    number: int
    state: str
    due_at: float
    failed_at: float
    deadline_at: float
    rule: RetryRule
    missing: int
    region: str
    account: str
    request: dict[str, Any]
    original_tasks: tuple[str, ...] = ()
    for_tasks: tuple[str, ...] = ()
    """The tasks that ended badly and in whose place it is made, where it is tasks that failed and not their launch."""
    after: str | None = None
    """The incident whose attempt must have ended before: several runs of one schedule are made up for one after another."""
    beside_own: bool = False
    """It makes up for a run that was missed: that the schedule itself has started later ones says nothing against it."""
    by_hand: bool = False
    """Somebody asked for it."""
    off_spot: bool = False
    """It was FARGATE_SPOT that failed: its capacity was not there, or was taken back."""
    launching_since: float | None = None
    calls: int = 0

    @property
    def started_by(self) -> str:
        """At most 36 characters, by which the attempt's tasks are found (facts/ecs.md §3.7)."""
        return f"hinoban/{self.incident_id}/{self.number}"

    @property
    def token(self) -> str:
        """The clientToken: the same for the same attempt, for good."""
        return f"hb-{self.incident_id}-{self.number}"

    @property
    def family(self) -> str:
        return family_of(str(self.request.get("taskDefinition") or ""))

    @property
    def place(self) -> tuple[str, str, str]:
        """Whose budget it uses: account, region, family."""
        return self.account, self.region, self.family

    @property
    def cluster(self) -> str:
        return str(self.request.get("cluster") or "default")
