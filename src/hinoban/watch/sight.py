"""Tells the detectors about the watch itself what it hears, tries and is late by, as far as that says something new. No decision of its own."""

from collections.abc import Mapping

import msgspec

from hinoban.aws.errors import AwsError
from hinoban.aws.profiles import UNREACHABLE, NoCredentials
from hinoban.base.clock import Clock
from hinoban.base.errors import HinobanError
from hinoban.watch.detect import blind, silence
from hinoban.watch.detect.sight import Heard, Lag, Tried
from hinoban.watch.detect.watch_behind import LIMIT
from hinoban.watch.pipeline import Pipeline
from hinoban.watch.places import Place
from hinoban.watch.schedules.model import Problem


class Sight:
    """What one looks at through a source, or through what else asks AWS; `name` is its name for people, `role` who it asks as, if a role."""

    def __init__(self, name: str, of: Place, pipeline: Pipeline, clock: Clock, *, role: str = "") -> None:
        self._name = name
        self._role = role
        self._account, self._region = of.account or "", of.region or ""
        self._pipeline = pipeline
        self._clock = clock
        self._well: set[str] = set()
        self._denied: set[str] | None = None
        self._late = True  # an earlier life may have told of it

    def heard(self) -> None:
        """An event came."""
        self._tell(Heard(source=self._name, at=self._clock.now(), account=self._account, region=self._region))

    def lag(self, seconds: float, waiting: int | None = None) -> None:
        """How long the oldest thing that waits has waited."""
        late = seconds > LIMIT
        if late or self._late:
            now = self._clock.now()
            self._tell(Lag(source=self._name, at=now, behind=seconds, waiting=waiting, account=self._account, region=self._region))
        self._late = late

    def tried(self, what: str, error: HinobanError | AwsError | None = None) -> None:
        """A read was made, or refused, or had no answer. What goes well again and again is told once."""
        if error is None and what in self._well:
            return
        if isinstance(error, AwsError | NoCredentials):
            self._try(what, error.code, error.message, unsigned=isinstance(error, NoCredentials))
        else:
            self._try(what, None if error is None else UNREACHABLE, "" if error is None else f"{error.what}: {error.why}")

    def problems(self, found: Mapping[str, Problem]) -> None:
        """The rights that are missing now; those that were and are not any more are over."""
        denied = {right: problem for right, problem in found.items() if problem.denied}
        before = self._unseen() if self._denied is None else self._denied
        for right in before - denied.keys():
            self._try(right, None, "")
        for right, problem in denied.items():
            self._try(right, problem.code, problem.message)
        self._denied = set(denied)

    def _unseen(self) -> set[str]:
        """What could not be seen when it was last tried, by an earlier life."""
        own, memories = blind.thing_of(self._name, ""), self._pipeline.services.memories
        with self._pipeline.transaction() as connection:
            refused = memories.state(connection, "blind", blind.credentials_key(self._account)).refused
        return {key.removeprefix(own) for key in (*memories.keys("blind"), *refused) if key.startswith(own)}

    def _try(self, what: str, code: str | None, message: str, *, unsigned: bool = False) -> None:
        (self._well.add if code is None else self._well.discard)(what)
        tried = Tried(
            source=self._name,
            what=what,
            at=self._clock.now(),
            code=code,
            message=message,
            account=self._account,
            region=self._region,
            role=self._role,
        )
        of_credentials = msgspec.structs.replace(tried, credentials=True)
        if blind.refuses_credentials(code, unsigned=unsigned):
            self._tell(of_credentials)
        elif code == UNREACHABLE:
            self._tell(tried)
        else:
            self._tell(tried, msgspec.structs.replace(of_credentials, code=None, message=""))

    def _tell(self, *said: Heard | Tried | Lag) -> None:
        with self._pipeline.transaction() as connection:
            for one in said:
                self._pipeline.services.feed(connection, one, self._clock.now())


def awake(pipeline: Pipeline, now: float) -> None:
    """A life begins: that this watch was away is no source's silence."""
    with pipeline.transaction() as connection:
        pipeline.services.memories.each(connection, "silence", lambda state: silence.restarted(state, now))
