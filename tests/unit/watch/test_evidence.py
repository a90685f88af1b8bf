"""Per detector whether it can see: by what arrives, by rights that are missing, and never a guess."""

from typing import get_args

from hinoban.watch.evidence import CREDENTIALS_HINT, HINT, NEEDS, Signs, detectors, evidence
from hinoban.watch.measure import sight_json
from hinoban.watch.model import Detector
from hinoban.watch.places import ANYWHERE, Place
from hinoban.watch.schedules.model import Problem

ALL = frozenset({"task_events", "launch_records", "service_events"})


def denied(right: str, subject: str = "") -> Problem:
    return Problem(region="r", right=right, code="AccessDeniedException", message="no", subject=subject, denied=True)


def test_every_detector_says_what_it_needs() -> None:
    assert set(NEEDS) == set(get_args(Detector))


def test_what_arrives_is_seen_and_what_did_not_come_yet_is_not_called_blind() -> None:
    found = detectors(evidence(Signs(behind=None, arrived=ALL, schedules=3)))
    assert {one.state for one in found.values()} == {"ok"}
    found = detectors(evidence(Signs(behind=None)))
    assert (found["failed_exit"].state, found["mute_ended"].state) == ("quiet", "ok")


def test_a_source_that_is_behind_blinds_what_lives_of_events() -> None:
    found = detectors(evidence(Signs(behind="the feed has been silent for 60 s", arrived=ALL, schedules=3)))
    assert (found["failed_exit"].state, found["failed_exit"].why) == ("blind", "the feed has been silent for 60 s")
    assert found["schedule_changed"].state == "ok"


def test_a_denied_right_blinds_what_needs_it_and_says_what_gives_it() -> None:
    found = detectors(evidence(Signs(behind=None, arrived=ALL, problems=[denied("events:ListRules")])))
    assert (found["missed_run"].state, found["missed_run"].todo) == ("blind", HINT)
    assert "events:ListRules denied in r" in found["missed_run"].why
    assert found["failed_exit"].state == "ok"
    found = detectors(evidence(Signs(behind=None, arrived=ALL, problems=[denied("cloudtrail:LookupEvents")])))
    assert (found["did_not_start"].state, found["launch_loop"].state) == ("blind", "blind")


def test_tasks_without_a_single_record_of_their_launch_say_that_no_trail_logs() -> None:
    found = evidence(Signs(behind=None, tasks=4, launches=0))
    assert found["launch_records"].state == "blind" and "does a trail log?" in found["launch_records"].why
    assert evidence(Signs(behind=None, tasks=4, launches=1))["launch_records"].state == "quiet"


def test_one_thing_that_cannot_be_read_is_a_line_and_the_rest_is_seen() -> None:
    known = Signs(behind=None, arrived=ALL, schedules=59, problems=[denied("logs:GetLogEvents", "legacy")])
    told = sight_json({ANYWHERE: known}, {"Lambda": 1, "Step Functions": 3})
    assert "59 of 63 schedules" in told["sees"]
    assert told["blind"] == ["log lines of legacy: logs:GetLogEvents of legacy denied in r → hinoban aws policy --observe"]
    assert len(told["detectors"]) == len(NEEDS)


HOME, TOKYO, VIRGINIA = Place("1", "ap-northeast-1"), Place("2", "ap-northeast-1"), Place("2", "us-east-1")


def refused(place: Place, right: str, code: str) -> Problem:
    return Problem(account=place.account or "", region=place.region or "", right=right, code=code, message="no", denied=True)


def test_what_one_account_hides_is_seen_in_the_others_and_the_line_names_it() -> None:
    well = Signs(arrived=ALL, schedules=3)
    problems = {place: Signs(arrived=ALL, problems=[refused(place, "ecs:ListClusters", "ExpiredToken")]) for place in (TOKYO, VIRGINIA)}
    told = sight_json({HOME: well, **problems}, {})
    assert "exits" in told["sees"]
    assert told["blind"] == [
        f"task events of 2 in ap-northeast-1, us-east-1: ecs:ListClusters refused (ExpiredToken: no) → {CREDENTIALS_HINT}",
    ]
    [exits] = [one for one in told["detectors"] if one["detector"] == "failed_exit"]
    assert (exits["state"], exits["why"]) == ("ok", "")
    assert [(one["account"], one["region"]) for one in exits["blind_in"]] == [("2", "ap-northeast-1"), ("2", "us-east-1")]


def test_what_is_hidden_everywhere_is_blind_and_named_once_where_it_is_alike() -> None:
    told = sight_json({place: Signs(tasks=4) for place in (HOME, TOKYO)}, {})
    assert [line.partition(":")[0] for line in told["blind"]] == ["launch records"]
    told = sight_json({place: Signs(problems=[refused(place, "ecs:ListTasks", "AccessDenied")]) for place in (HOME, TOKYO)}, {})
    assert {one["state"] for one in told["detectors"] if one["detector"] == "failed_exit"} == {"blind"}
    assert told["blind"] == [f"task events: ecs:ListTasks denied in ap-northeast-1 → {HINT}"]
