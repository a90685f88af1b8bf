"""CloudWatch Logs as the engine sees it: containers' output goes in by `append`, the API's operations come out of `operations`."""

from collections.abc import Sequence
from pathlib import Path

from hinoban.aws.call import Handler
from hinoban.base.clock import Clock
from hinoban.engine.logs import errors
from hinoban.engine.logs.groups import GroupOperations
from hinoban.engine.logs.policies import Policies
from hinoban.engine.logs.reading import ReadOperations
from hinoban.engine.logs.state import Group, Limits, State, tidy
from hinoban.engine.logs.streams import StreamOperations
from hinoban.store.database import Database


class Logs:
    """Log groups, streams and events of all regions. Reads `database` (whose migrations hold `state.MIGRATION` and
    `policies.MIGRATION`) and `directory` at once."""

    def __init__(self, database: Database, directory: Path, clock: Clock, account: str, *, limits: Limits | None = None) -> None:
        self._state = State(database, directory, clock, limits or Limits())
        self._account = account
        self._policies = Policies(database, self._state, account)

    def operations(self) -> dict[str, Handler]:
        """The API's operations by name."""
        return {
            **GroupOperations(self._state, self._account, self._policies.forget_group).operations(),
            **StreamOperations(self._state).operations(),
            **ReadOperations(self._state, self._account).operations(),
            **self._policies.operations(),
        }

    def append(self, region: str, group: str, stream: str, lines: Sequence[tuple[int, str]], cursor: int) -> None:
        """Write a container's lines (milliseconds, text); group and stream are made where missing.

        The lines and `cursor` become visible together or, after a crash, not at all: whoever goes on behind `cursor()` neither doubles
        nor loses a line. Raises OSError where the disk is full."""
        if not lines:
            return
        self.ensure_group(region, group)
        found = self._state.streams(region, group).get(stream) or self._state.create_stream(region, group, stream)
        self._state.append(found, tidy(lines, self._state.files(found).newest), cursor)

    def cursor(self, region: str, group: str, stream: str) -> int:
        """The last cursor appended, 0 where there is none."""
        found = self._state.streams(region, group).get(stream)
        return self._state.files(found).cursor if found else 0

    def group_exists(self, region: str, group: str) -> bool:
        return group in self._state.groups(region)

    def ensure_group(self, region: str, group: str) -> None:
        """Make the group where it is missing."""
        if not self.group_exists(region, group):
            self._state.create_group(region, group, Group(created=self._state.now_ms()))

    def put_event(self, region: str, group: str, stream: str, timestamp_ms: int, message: str) -> None:
        """Write one event of a delivery; the stream is made where missing, the group must be there (ResourceNotFoundException).

        Whether a resource policy lets the sender in is the sender's to ask (`policies`)."""
        if not self.group_exists(region, group):
            raise errors.no_such_group()
        found = self._state.streams(region, group).get(stream) or self._state.create_stream(region, group, stream)
        self._state.append(found, [(timestamp_ms, message)], None)

    def policies(self, region: str) -> dict[str, str]:
        """The region's resource policies: documents by name (of a log group's own policy: by the group's ARN)."""
        return self._policies.documents(region)

    def clear(self) -> None:
        """Forget every group, all that was written to it, and every policy."""
        self._policies.clear()
        for region, name in self._state.every_group():
            self._state.delete_group(region, name)

    def close(self) -> None:
        self._state.close()
