"""What became of the launches of late: what retry/general judges by. In memory: after a restart the next refusals tell it anew."""

from hinoban.watch.explain import explain_launch_error, explain_launch_failure
from hinoban.watch.model import Launch, attempt_of
from hinoban.watch.retry import general
from hinoban.watch.retry.general import Outcome, Place, Seen, Wall

_SWEEP = 10_000


class Recent:
    """Fed with every launch as it is remembered; of our own retries also first-hand, as CloudTrail's records are minutes late."""

    def __init__(self) -> None:
        self._seen = Seen({}, {}, {})
        self._sweep_at = _SWEEP

    def launched(self, launch: Launch) -> None:
        """One more launch, or refusal."""
        self.note(outcome_of(launch))

    def note(self, outcome: Outcome) -> None:
        """One more outcome."""
        general.note(self._seen, outcome)
        if len(self._seen.newest) > self._sweep_at:
            general.forget_old(self._seen, outcome.at)
            self._sweep_at = max(_SWEEP, 2 * len(self._seen.newest))

    def trying(self, place: Place, now: float) -> None:
        """A retry is about to be launched there."""
        self._seen.tried[place] = now

    def walls(self, now: float) -> dict[Place, Wall]:
        """The places where a failure is general now."""
        return general.walls(self._seen, now)


def outcome_of(launch: Launch) -> Outcome:
    """A launch that brought a task was accepted, also where another was refused."""
    code: str | None = None
    if launch.error_code is not None:
        code = explain_launch_error(launch.error_code, launch.error_message or "", launch).code
    elif not launch.task_arns:
        code = explain_launch_failure(launch.failures, launch).code
    ours = attempt_of(launch.started_by) is not None
    return Outcome(at=launch.at, place=(launch.account, launch.region), family=launch.family, code=code, ours=ours)
