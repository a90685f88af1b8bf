"""Detectors that time makes speak: a watch that cannot see."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hinoban.base.clock import DAYS, HOURS, MINUTES
from hinoban.watch.detect import blind, silence, watch_behind
from hinoban.watch.detect.services import Over
from hinoban.watch.detect.sight import Heard, Lag, Tried
from hinoban.watch.model import Finding
from tests.unit.watch.detect.world import NOW


def hear(times: list[float], state: silence.Rhythm | None = None) -> silence.Rhythm:
    state = state or silence.Rhythm()
    for at in times:
        state, _ = silence.seen(state, Heard(source="sqs", at=at))
    return state


DAY = [NOW + number * 600.0 for number in range(60)]


def test_a_source_is_silent_when_it_is_quiet_for_three_times_its_longest_pause() -> None:
    state = hear([*DAY, DAY[-1] + 1800])
    moment = silence.due(state)
    assert moment == DAY[-1] + 1800 + 5400
    assert silence.asked(state, moment - 1) == (state, ())
    state, (finding,) = silence.asked(state, moment)
    assert isinstance(finding, Finding)
    assert (finding.verdict, finding.subject) == ("SILENT", "silence:sqs")
    assert "for 1 h 30 m; it was never quiet for longer than 30 m" in finding.explanation.cause
    assert silence.due(state) is None
    state, (ended,) = silence.seen(state, Heard(source="sqs", at=moment + 3600))
    assert isinstance(ended, Over) and max(state.pauses.values()) == 1800


def test_a_source_whose_habits_are_not_known_may_be_quiet() -> None:
    assert silence.due(hear(DAY[:49])) is None
    assert silence.due(silence.Rhythm()) is None


def test_a_busy_source_may_be_quiet_for_half_an_hour() -> None:
    state = hear([NOW + number for number in range(100)])
    assert silence.due(state) == NOW + 99 + 30 * MINUTES


def test_the_weekends_pause_is_remembered_for_a_week_and_then_forgotten() -> None:
    monday = hear([*DAY, DAY[-1] + 2 * DAYS])
    assert max(monday.pauses.values()) == 2 * DAYS
    busy = [DAY[-1] + 2 * DAYS + number * HOURS for number in range(1, 24 * 9)]
    assert max(hear(busy[: 24 * 5], monday).pauses.values()) == 2 * DAYS
    assert max(hear(busy, monday).pauses.values()) == HOURS


def test_our_own_absence_is_no_pause_of_the_source() -> None:
    state = silence.restarted(hear(DAY), DAY[-1] + DAYS)
    assert silence.due(state) == DAY[-1] + DAYS + 30 * MINUTES
    assert max(hear([DAY[-1] + DAYS + 60], state).pauses.values()) == 600


def test_its_habits_go_into_a_row_and_back() -> None:
    state = hear(DAY)
    assert msgspec.json.decode(msgspec.json.encode(state), type=silence.Rhythm) == state


def tried(at: float, code: str | None = None, message: str = "no") -> Tried:
    return Tried(source="poll/1/r", what="logs:GetLogEvents on /ecs/a", at=at, code=code, message=message if code else "")


@pytest.mark.parametrize(
    ("code", "patience", "cause"),
    [
        ("AccessDeniedException", MINUTES, "AWS refuses what the watch needs"),
        ("Unreachable", 3 * MINUTES, "The watch does not reach"),
        ("ServerException", 3 * MINUTES, "The watch does not reach"),
    ],
)
def test_what_fails_for_long_enough_is_told_once_and_ends_with_the_first_success(code: str, patience: float, cause: str) -> None:
    state, told = blind.seen(blind.Sight(), tried(NOW, code))
    assert told == () and blind.due(state) == NOW + patience
    state, (finding,) = blind.asked(state, NOW + patience)
    assert isinstance(finding, Finding) and finding.verdict == "BLIND" and finding.explanation.cause.startswith(cause)
    assert finding.explanation.said == (f"{code}: no",) and "logs:GetLogEvents on /ecs/a" in finding.explanation.cause
    state, told = blind.seen(state, tried(NOW + 600, code))
    assert told == () and blind.due(state) is None
    state, (ended,) = blind.seen(state, tried(NOW + 660))
    assert state == blind.Sight() and isinstance(ended, Over) and ended.subject == finding.subject


def test_a_moments_failure_and_throttling_are_no_blindness() -> None:
    state, _ = blind.seen(blind.Sight(), tried(NOW, "AccessDeniedException"))
    assert blind.seen(state, tried(NOW + 30)) == (blind.Sight(), ())
    assert blind.seen(blind.Sight(), tried(NOW, "ThrottlingException", "Rate exceeded")) == (blind.Sight(), ())


def key(at: float, what: str, code: str | None, *, region: str = "r", role: str = "") -> Tried:
    return Tried(source="poll", what=what, at=at, code=code, account="2", region=region, role=role, credentials=True)


@pytest.mark.parametrize(("role", "todo"), [("", "aws sts get-caller-identity"), ("arn:r", "aws sts assume-role --role-arn arn:r")])
def test_credentials_that_are_not_taken_are_one_matter_of_the_account_until_all_is_answered(role: str, todo: str) -> None:
    refusals = [key(NOW, "a", "ExpiredToken", region="r1", role=role), key(NOW + 1, "b", "UnrecognizedClient", region="r2", role=role)]
    assert len({blind.key_of(one) for one in refusals}) == 1
    state = blind.Sight()
    for one in refusals:
        state, told = blind.seen(state, one)
        assert told == ()
    state, (finding,) = blind.asked(state, NOW + MINUTES)
    assert isinstance(finding, Finding) and finding.family == "account 2" and "2 (r1, r2)" in finding.explanation.cause
    assert todo in finding.explanation.next
    state, told = blind.seen(state, key(NOW + 90, "a", None))
    assert told == () and state.subject == finding.subject
    state, (ended,) = blind.seen(state, key(NOW + 91, "b", None))
    assert state == blind.Sight() and isinstance(ended, Over) and ended.subject == finding.subject


def test_what_is_refused_for_want_of_a_right_and_what_nobody_answers_is_no_matter_of_credentials() -> None:
    assert blind.refuses_credentials("InvalidClientTokenId", unsigned=False)
    assert blind.refuses_credentials("AccessDenied", unsigned=True)
    assert not blind.refuses_credentials("AccessDenied", unsigned=False)
    assert not blind.refuses_credentials("Unreachable", unsigned=True) and not blind.refuses_credentials(None, unsigned=False)


def test_an_old_attempt_that_comes_late_says_nothing() -> None:
    state, _ = blind.seen(blind.Sight(), tried(NOW, "AccessDeniedException"))
    assert blind.seen(state, tried(NOW - 1)) == (state, ())


def lag(at: float, behind: float) -> Lag:
    return Lag(source="sqs", at=at, behind=behind, waiting=3)


def test_a_watch_that_is_late_for_two_minutes_says_so_until_it_has_caught_up() -> None:
    state, told = watch_behind.seen(watch_behind.Lateness(), lag(NOW, 70))
    assert told == () and watch_behind.due(state) == NOW + 120
    state, (finding,) = watch_behind.seen(state, lag(NOW + 121, 190))
    assert isinstance(finding, Finding) and (finding.verdict, finding.subject) == ("BEHIND", "behind:sqs")
    assert "3 m 10 s behind sqs, and has been late for 2 m 01 s" in finding.explanation.cause
    state, told = watch_behind.seen(state, lag(NOW + 200, 45))
    assert told == ()
    state, (ended,) = watch_behind.seen(state, lag(NOW + 260, 3))
    assert state == watch_behind.Lateness() and isinstance(ended, Over)


@given(st.lists(st.floats(min_value=0, max_value=60), max_size=20))
def test_a_watch_within_its_limit_never_complains(lags: list[float]) -> None:
    state = watch_behind.Lateness()
    for step, behind in enumerate(lags):
        state, told = watch_behind.seen(state, lag(NOW + step * 60, behind))
        assert told == () and watch_behind.due(state) is None


@given(st.lists(st.tuples(st.floats(min_value=0.1, max_value=600), st.floats(min_value=0, max_value=300)), max_size=30))
def test_it_is_told_and_ended_in_turns(measured: list[tuple[float, float]]) -> None:
    state, at, open_now = watch_behind.Lateness(), NOW, False
    for wait, behind in measured:
        at += wait
        state, told = watch_behind.seen(state, lag(at, behind))
        for one in told:
            assert isinstance(one, Over) == open_now
            open_now = not open_now
        assert open_now == (state.subject is not None)
