"""How often each rule matched, and what became of what each target was sent: kept over a restart, shown by `hinoban rules`."""

import msgspec
from msgspec import Struct

from hinoban.store.database import Database, Table

MIGRATION = """
CREATE TABLE delivery_counts (owner TEXT NOT NULL, target TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (owner, target)) WITHOUT ROWID;
"""
COUNTS = Table("delivery_counts", "owner", "target")

_OWNER = ""  # an Id has one character at least: the empty one is the rule itself


class LastFailure(Struct, frozen=True, kw_only=True):
    """The last delivery that failed for good; `at` in seconds since the epoch."""

    at: float
    code: str
    message: str
    why: str
    repair: str | None = None


class Counts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of a rule: `matched`. Of a target: the others; `failing` from a failure to the next success, `mismatch` the policy told of."""

    matched: int = 0
    delivered: int = 0
    failed: int = 0
    last_failure: LastFailure | None = None
    failing: bool = False
    mismatch: str | None = None


class OwnerCounts(Struct, frozen=True, kw_only=True):
    """What a rule or schedule did, and each of its targets by Id."""

    matched: int
    targets: dict[str, Counts]


class Counters:
    """The counts of all rules and targets."""

    def __init__(self, database: Database) -> None:
        self._database = database
        decoder = msgspec.json.Decoder(Counts)
        self._counts: dict[str, dict[str, Counts]] = {}
        for owner, target, value in database.rows(COUNTS):
            self._counts.setdefault(owner, {})[target] = decoder.decode(value)

    def of(self, owner_arn: str, target_id: str) -> Counts:
        """The counts of one target."""
        return self._counts.get(owner_arn, {}).get(target_id) or Counts()

    def all(self) -> dict[str, OwnerCounts]:
        """Everything, by the ARN of rule or schedule."""
        return {
            owner: OwnerCounts(
                matched=counts.get(_OWNER, Counts()).matched,
                targets={target: each for target, each in counts.items() if target != _OWNER},
            )
            for owner, counts in self._counts.items()
        }

    def matched(self, owner_arn: str) -> None:
        """One event more that a rule matched."""
        counts = self.of(owner_arn, _OWNER)
        self._put(owner_arn, _OWNER, msgspec.structs.replace(counts, matched=counts.matched + 1))

    def delivered(self, owner_arn: str, target_id: str) -> bool:
        """One delivery more; answers whether the target recovered by it."""
        counts = self.of(owner_arn, target_id)
        self._put(owner_arn, target_id, msgspec.structs.replace(counts, delivered=counts.delivered + 1, failing=False))
        return counts.failing

    def failed(self, owner_arn: str, target_id: str, failure: LastFailure) -> None:
        """One delivery more that failed for good."""
        counts = self.of(owner_arn, target_id)
        self._put(owner_arn, target_id, msgspec.structs.replace(counts, failed=counts.failed + 1, last_failure=failure, failing=True))

    def mismatch_is_new(self, owner_arn: str, target_id: str, policy: str) -> bool:
        """Whether this policy was not told of yet for this target; remembers it."""
        counts = self.of(owner_arn, target_id)
        if counts.mismatch == policy:
            return False
        self._put(owner_arn, target_id, msgspec.structs.replace(counts, mismatch=policy))
        return True

    def mismatch_ends(self, owner_arn: str, target_id: str) -> bool:
        """Whether a policy was told of for this target, which was delivered to by its policies' own words now; forgets it."""
        counts = self.of(owner_arn, target_id)
        if counts.mismatch is None:
            return False
        self._put(owner_arn, target_id, msgspec.structs.replace(counts, mismatch=None))
        return True

    def forget(self, owner_arn: str, target_id: str | None = None) -> None:
        """A rule (or a target of it) was deleted."""
        counts = self._counts.get(owner_arn, {})
        for target in list(counts) if target_id is None else [target_id] if target_id in counts else []:
            del counts[target]
            self._database.put(COUNTS, (owner_arn, target), None)
        if not counts:
            self._counts.pop(owner_arn, None)

    def clear(self) -> None:
        """Count from nothing."""
        for owner in list(self._counts):
            self.forget(owner)

    def _put(self, owner: str, target: str, counts: Counts) -> None:
        self._counts.setdefault(owner, {})[target] = counts
        self._database.put(COUNTS, (owner, target), counts)
