"""`run --lease`: a task bears until when it is held, and who holds it; while somebody waits for it the lease is renewed. Tags carry it, so that
it is the same on AWS: RunTask's tags at first, TagResource from then on (docs/detectors/overdue.md).
"""

import re
from collections.abc import Sequence
from typing import Any

from hinoban.aws.errors import AwsError
from hinoban.base.clock import DAYS, SECONDS
from hinoban.base.errors import ConfigError, HinobanError
from hinoban.base.units import iso_seconds, parse_duration
from hinoban.cli.connection import OnlineSource
from hinoban.cli.shell import Shell, say
from hinoban.cli.tasks import short

LEASE_TAG, OWNER_TAG = "hinoban:lease", "hinoban:owner"
SHORTEST, LONGEST = 10 * SECONDS, 365 * DAYS
_VALUE = re.compile(r"[\w\s.:/=+\-@]{1,256}")
"""What a tag's value may hold (facts/ecs.md §11.2)."""


class Lease:
    """How long a task is held without news of who holds it, and who that is."""

    def __init__(self, text: str | None, owner: str | None) -> None:
        """ConfigError for a duration or an owner that no tag can hold."""
        self._text = text
        self._owner = owner
        self.seconds = 0.0
        if text is not None:
            try:
                self.seconds = parse_duration(text)
            except ValueError as error:
                raise ConfigError("--lease", str(error), "Write e.g. --lease 30m") from error
            if self.seconds > LONGEST:
                raise ConfigError("--lease", f"{text!r} is longer than 365 days", "Take 365d at the most; --wait renews it")
            if self.seconds < SHORTEST:
                raise ConfigError("--lease", f"{text!r} is too short to be renewed in time", "Take 10s at the least, better 30m.")
        if owner is not None and not _VALUE.fullmatch(owner):
            why = f"{owner!r} cannot be a tag: 256 letters, digits, spaces and _ . : / = + - @ at the most"
            raise ConfigError("--owner", why, "Shorten it, e.g. to the URL without what follows ? or #")

    def tags(self) -> list[dict[str, str]]:
        """The tags of the launch: from the task's start on, so that a retry of it has a lease of its own."""
        given = ((LEASE_TAG, self._text), (OWNER_TAG, self._owner))
        return [{"key": key, "value": value} for key, value in given if value is not None]

    async def renew(self, shell: Shell, source: OnlineSource, held: Sequence[str]) -> None:
        """Renew the lease of the tasks in `held` (ARNs; it may grow) three times as often as needed, until cancelled."""
        over: set[str] = set()
        while self.seconds:
            await shell.pause(self.seconds / 3)
            for arn in [one for one in held if one not in over]:
                over |= await self._renewed(shell, source, arn)

    async def _renewed(self, shell: Shell, source: OnlineSource, arn: str) -> set[str]:
        tag = {"key": LEASE_TAG, "value": iso_seconds(shell.clock.now() + self.seconds)}
        asked: dict[str, Any] = {"resourceArn": arn, "tags": [tag]}
        try:
            await source.call("ecs", "TagResource", asked)
        except AwsError as error:
            if error.code in ("ResourceNotFoundException", "InvalidParameterException"):
                return {arn}  # it has ended
            say(f"The lease of {short(arn)} could not be renewed ({error.code}): {error.message}")
        except HinobanError as error:
            say(f"The lease of {short(arn)} could not be renewed: {error.why}")
        return set()
