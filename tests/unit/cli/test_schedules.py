"""`hinoban schedules` against a scripted daemon: whole screens, exit codes, and what is asked of the watch."""

import getpass
import json
from zoneinfo import ZoneInfo

import pytest

from hinoban.base.errors import HinobanError
from hinoban.base.units import parse_iso
from hinoban.cli.schedules import moment_of

TOKYO = ZoneInfo("Asia/Tokyo")
HOPS = {"enabled": "ok", "fired": "ok", "RunTask": "REFUSED", "task": "–", "exit": "–"}
TASK = "arn:aws:ecs:ap-northeast-1:123456789012:task/batch/7c1e90ab7c1e90ab7c1e90ab7c1e90ab"


def lost(slot, name, verdict, what, **more):
    known = {"slot": slot, "name": name, "kind": "rule", "region": "ap-northeast-1", "verdict": verdict, "what": what}
    return known | {"incident": None, "hops": HOPS} | more


def schedule(name, words="every day at 15:00", **more):
    known = {
        "name": name,
        "kind": "rule",
        "group": None,
        "region": "ap-northeast-1",
        "arn": f"arn:aws:events:ap-northeast-1:123456789012:rule/{name}",
        "expression": "cron(0 15 * * ? *)",
        "timezone": "UTC",
        "words": words,
        "state": "ENABLED",
        "families": [f"{name}:3"],
        "window_minutes": 0,
        "last": {"slot": "2026-11-23T15:00:00Z", "outcome": "exit 0"},
        "next": [],
        "problem": None,
    }
    return known | more


def answer(**more):
    known = {
        "account": "prd 123456789012",
        "regions": ["ap-northeast-1"],
        "tz": "Asia/Tokyo",
        "since": "2026-11-23T01:00:00Z",
        "until": "2026-11-24T01:00:00Z",
        "schedules": 63,
        "due": 118,
        "lost": [],
        "runs": {"exit 0": 52},
        "ambiguous": 0,
        "list": [],
        "not_watched": {},
        "changes": [],
    }
    return known | more


def test_the_listing_is_laid_out_as_the_person_on_call_reads_it(desk):
    desk.daemon.pages["schedules"] = answer(
        lost=[
            lost("2026-11-24T00:00:00Z", "report-export", "FAILED", "out of memory at 09:03; AWS keeps the reason until about 10:03"),
            lost("2026-11-23T15:00:00Z", "nightly-billing", "REFUSED", "no Fargate capacity; nobody retried"),
            lost("2026-11-23T15:00:00Z", "daily-close", "REFUSED", "TaskDefinition is inactive (target pinned to :17)"),
        ],
        runs={"exit 0": 52, "running": 5, "ended over 1 h ago, result unknown (a watch would have kept it)": 58},
        not_watched={"Lambda": 1, "Step Functions": 3},
    )
    result = desk.run("schedules", "--since", "24h")
    head = "prd 123456789012 · ap-northeast-1 · JST · 63 schedules, 118 runs due"
    assert result.stdout.splitlines() == [
        head + " " * (121 - len(head)) + "exit 1",
        "  24 Nov 00:00  nightly-billing  REFUSED     no Fargate capacity; nobody retried",
        "  24 Nov 00:00  daily-close      REFUSED     TaskDefinition is inactive (target pinned to :17)",
        "  24 Nov 09:00  report-export    FAILED      out of memory at 09:03; AWS keeps the reason until about 10:03",
        "  115 others launched: 52 exit 0, 5 running, 58 ended over 1 h ago, result unknown (a watch would have kept it)."
        "   Not watched: 4 (Step Functions 3, Lambda 1)",
    ]
    assert (result.exit_code, result.stderr) == (1, "")
    assert desk.daemon.asked == [("schedules", {"since": 86400, "next": 0})] and desk.daemon.closed


def test_where_nothing_was_lost_all_runs_are_counted_and_the_exit_code_is_0(desk):
    desk.daemon.pages["schedules"] = answer(
        schedules=1, due=6, runs={"exit 0": 1, "recovered": 2, "unknown": 1, "waiting": 2, "running": 0}
    )
    result = desk.run("schedules")
    assert result.exit_code == 0
    first, second = result.stdout.splitlines()
    assert "1 schedule, 6 runs due" in first and first.endswith("exit 0")
    assert second == "  4 launched: 1 exit 0, 2 recovered, 1 result unknown.   2 waiting for their launch."


def test_what_could_not_be_read_may_hide_a_lost_run_and_is_no_exit_0(desk):
    desk.daemon.pages["schedules"] = answer(schedules=0, due=0, runs={}, unread=["events:ListRules"])
    desk.daemon.problems = ["events:ListRules denied in ap-northeast-1 → hinoban aws policy --observe"]
    result = desk.run("schedules", "--one-off")
    first, second = result.stdout.splitlines()
    assert (result.exit_code, first.endswith("exit 1")) == (1, True)
    assert second == "  NOT READ: events:ListRules, so that runs may have been lost unseen."
    assert result.stderr.splitlines() == [f"Not read: {desk.daemon.problems[0]}", "0 s, 7 reads, nothing written."]


def test_what_could_not_be_read_is_said_also_where_nothing_was_found(desk):
    desk.daemon.problems = ["events:ListRules denied in ap-northeast-1 → hinoban aws policy --observe"]
    result = desk.run("why", "nightly", "--one-off")
    assert result.exit_code == 1 and f"Not read: {desk.daemon.problems[0]}" in result.stderr and "Nothing is known" in result.stderr


def test_incidents_problems_changes_and_ambiguous_runs_have_their_lines(desk):
    desk.daemon.pages["schedules"] = answer(
        schedules=2,
        due=2,
        lost=[lost("2026-12-05T15:00:00Z", "daily-close", "OUT OF MEMORY", "killed at 512 MiB", incident="inc-8v5r")],
        runs={"exit 0": 1},
        ambiguous=1,
        list=[schedule("daily-close", problem="its target is pinned to daily-close:17, which is inactive"), schedule("nightly")],
        changes=[{"name": "old-export", "what": "disabled", "at": "2026-11-23T09:22:00Z", "by": "terraform"}],
    )
    assert desk.run("schedules").stdout.splitlines()[1:] == [
        "   6 Dec 00:00  daily-close  OUT OF MEMORY  killed at 512 MiB · inc-8v5r",
        "  1 other launched: 1 exit 0.",
        "  1 run ambiguous: two schedules start the same family at one time, and AWS does not say which.",
        "  daily-close: its target is pinned to daily-close:17, which is inactive",
        "  Changed: old-export: disabled, Mon 23 Nov 18:22 JST by terraform",
    ]


def test_next_lists_the_coming_slots_with_the_rhythm_in_words_soonest_first(desk):
    desk.daemon.pages["schedules"] = answer(
        list=[
            schedule("nightly", next=["2026-11-24T15:00:00Z", "2026-11-25T15:00:00Z"]),
            schedule("beat", "every 5 minutes", expression="rate(5 minutes)", next=["2026-11-24T01:05:00Z", "2026-11-24T01:10:00Z"]),
            schedule("old", next=[], state="DISABLED"),
        ]
    )
    result = desk.run("schedules", "--since", "2h", "--next", "2", "--region", "ap-northeast-1")
    assert result.stdout.splitlines()[2:] == [
        "Next (JST)",
        "  beat     every 5 minutes         24 Nov 10:05 · 24 Nov 10:10",
        "  nightly  every day at 15:00 UTC  25 Nov 00:00 · 26 Nov 00:00",
    ]
    assert desk.daemon.asked == [("schedules", {"since": 7200, "next": 2, "region": "ap-northeast-1"})]


@pytest.mark.parametrize(
    "words", [("daily-close",), ("show", "daily-close"), ("arn:aws:events:ap-northeast-1:123456789012:rule/daily-close",)]
)
def test_one_schedule_is_told_with_the_hops_of_its_lost_runs_and_its_next_slots(desk, words):
    coming = ["2026-11-24T15:00:00Z", "2026-11-25T15:00:00Z"]
    desk.daemon.pages["schedules"] = answer(
        lost=[
            lost("2026-11-23T15:00:00Z", "daily-close", "REFUSED", "TaskDefinition is inactive", incident="inc-8v5r"),
            lost("2026-11-23T15:00:00Z", "nightly", "REFUSED", "no Fargate capacity"),
        ],
        list=[schedule("daily-close", next=coming, problem="the target's revision is inactive"), schedule("nightly", next=coming)],
        changes=[{"name": "daily-close", "what": "retargeted", "at": "2026-11-23T09:22:00Z", "by": None}],
    )
    result = desk.run("schedules", *words)
    assert result.stdout.splitlines() == [
        "daily-close · rule · ap-northeast-1 · ENABLED · every day at 15:00 UTC · starts daily-close:3",
        "Problem  the target's revision is inactive",
        "Lost     24 Nov 00:00 JST · REFUSED · TaskDefinition is inactive · inc-8v5r",
        "Hops     enabled ok · fired ok · RunTask REFUSED · task – · exit –",
        "Last     Tue 24 Nov 00:00 JST · exit 0",
        "Changed  daily-close: retargeted, Mon 23 Nov 18:22 JST",
        "Next     25 Nov 00:00 · 26 Nov 00:00 JST",
    ]
    assert result.exit_code == 1
    assert desk.daemon.asked == [("schedules", {"since": 86400, "next": 5})]


def test_a_schedule_without_a_past_or_a_future_says_so(desk):
    desk.daemon.pages["schedules"] = answer(
        list=[schedule("once", group="batch", kind="schedule", last=None, families=[], state="DISABLED")]
    )
    result = desk.run("schedules", "batch/once")
    assert result.stdout.splitlines()[1:] == ["Last     unknown", "Next     none: it is disabled"]
    assert result.exit_code == 0


def test_options_before_and_behind_the_name_mean_the_same(desk):
    desk.daemon.pages["schedules"] = answer(
        list=[schedule("nightly"), schedule("beat")], lost=[lost("2026-11-23T15:00:00Z", "beat", "X", "y")]
    )
    before = desk.run("schedules", "--since", "1h", "--next", "3", "-o", "json", "nightly")
    behind = desk.run("schedules", "nightly", "--since", "1h", "--next", "3", "-o", "json")
    assert before.stdout == behind.stdout and before.exit_code == behind.exit_code == 0
    assert desk.daemon.asked[0] == desk.daemon.asked[1] == ("schedules", {"since": 3600, "next": 3})
    told = json.loads(before.stdout)
    assert [one["name"] for one in told["list"]] == ["nightly"] and told["lost"] == []


def test_json_is_the_watchs_answer_and_the_exit_code_stays(desk):
    desk.daemon.pages["schedules"] = answer(lost=[lost("2026-11-23T15:00:00Z", "beat", "DID NOT RUN", "nobody fired it")])
    result = desk.run("schedules", "-o", "json")
    assert json.loads(result.stdout) == desk.daemon.pages["schedules"] and result.exit_code == 1


def test_an_unknown_name_is_told_with_the_near_ones(desk):
    desk.daemon.pages["schedules"] = answer(list=[schedule("nightly-billing"), schedule("beat")])
    result = desk.run("schedules", "nightly-biling")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[:2] == ["No schedule nightly-biling", "near to it: nightly-billing"]


def test_a_bad_since_ends_before_anything_is_asked(desk):
    result = desk.run("schedules", "--since", "yesterday")
    assert result.exit_code == 2 and "'yesterday' is not a duration" in result.stderr and desk.daemon.asked == []


def test_a_slot_is_run_by_hand_and_its_wall_time_is_of_the_watchs_zone(desk):
    desk.daemon.pages["schedules"] = answer()
    told = {"name": "daily-close", "slot": "2026-11-26T15:00:00Z", "task": TASK, "incident": "inc-8v5r", "outcome": "launched"}
    desk.daemon.answers["schedules/run"] = told
    result = desk.run("schedules", "run", "daily-close", "--slot", "2026-11-27 00:00")
    assert desk.daemon.posted == [("schedules/run", {"name": "daily-close", "slot": "2026-11-26T15:00:00Z", "by": getpass.getuser()})]
    assert result.stdout == "Launched daily-close for its slot Fri 27 Nov 00:00 JST: task 7c1e90ab · inc-8v5r\n"
    assert result.exit_code == 0
    again = desk.run("schedules", "run", "daily-close", "--slot", "2026-11-27T00:00+09:00", "-o", "json")
    assert json.loads(again.stdout) == told and desk.daemon.posted[1] == desk.daemon.posted[0]


def test_a_slot_that_is_queued_says_where_to_see_it(desk):
    desk.daemon.pages["schedules"] = answer()
    queued = {"name": "daily-close", "slot": "2026-11-26T15:00:00Z", "task": None, "incident": "inc-8v5r", "outcome": "queued"}
    desk.daemon.answers["schedules/run"] = queued
    result = desk.run("schedules", "run", "daily-close", "--slot", "2026-11-27 00:00")
    assert result.stdout == "Queued daily-close for its slot Fri 27 Nov 00:00 JST: see it with hinoban why inc-8v5r\n"
    assert result.exit_code == 0


def test_runs_that_were_lost_alike_are_one_line(desk):
    slots = [f"2026-11-24T0{hour}:00:00Z" for hour in range(4)]
    rows = [lost(slot, "hourly", "DID NOT RUN", "asleep", incident="inc-1") for slot in slots] + [
        lost(slots[0], "hourly", "REFUSED", "no room")
    ]
    desk.daemon.pages["schedules"] = answer(lost=rows)
    lines = desk.run("schedules").stdout.splitlines()
    assert "asleep · inc-1 · 4 runs, the last 24 Nov 12:00" in lines[1] and "REFUSED" in lines[2] and "runs, the last" not in lines[2]


@pytest.mark.parametrize(("outcome", "code"), [("refused: TaskDefinition is inactive", 4), ("this slot ran already (task 7c1e90ab)", 1)])
def test_a_slot_that_is_not_launched_says_why(desk, outcome, code):
    desk.daemon.pages["schedules"] = answer()
    desk.daemon.answers["schedules/run"] = {"name": "daily-close", "slot": None, "task": None, "incident": None, "outcome": outcome}
    result = desk.run("schedules", "run", "daily-close")
    assert (result.exit_code, result.stdout) == (code, f"Did not launch daily-close: {outcome}\n")
    assert desk.daemon.posted == [("schedules/run", {"name": "daily-close", "slot": None, "by": getpass.getuser()})]


def test_catching_up_tells_what_was_queued_and_what_was_skipped_and_why(desk):
    desk.daemon.pages["schedules"] = answer()
    desk.daemon.answers["schedules/catch-up"] = {
        "name": "nightly",
        "queued": ["2026-11-24T15:00:00Z", "2026-11-25T15:00:00Z"],
        "skipped": [{"slot": "2026-11-23T15:00:00Z", "why": "it ran, exit 0"}],
    }
    result = desk.run("schedules", "catch-up", "nightly", "--from", "2026-11-24 00:00", "--to", "2026-11-26 00:00")
    asked = {"name": "nightly", "from": "2026-11-23T15:00:00Z", "to": "2026-11-25T15:00:00Z", "by": getpass.getuser()}
    assert desk.daemon.posted == [("schedules/catch-up", asked)]
    assert result.stdout.splitlines() == [
        "Queued 2 runs of nightly: 25 Nov 00:00 · 26 Nov 00:00",
        "  Skipped 24 Nov 00:00: it ran, exit 0",
    ]


def test_catching_up_on_nothing_says_so(desk):
    desk.daemon.pages["schedules"] = answer()
    desk.daemon.answers["schedules/catch-up"] = {"name": "nightly", "queued": [], "skipped": []}
    result = desk.run("schedules", "catch-up", "nightly", "--from", "2026-11-24 00:00", "--to", "2026-11-24 00:00")
    assert (result.exit_code, result.stdout) == (0, "Queued no run of nightly.\n")


def test_a_time_that_ends_before_it_begins_is_refused(desk):
    desk.daemon.pages["schedules"] = answer()
    result = desk.run("schedules", "catch-up", "nightly", "--from", "2026-11-26 00:00", "--to", "2026-11-24 00:00")
    assert result.exit_code == 2 and "is before --from" in result.stderr and desk.daemon.posted == []


NOW = parse_iso("2026-11-27T00:30+09:00")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-27T00:00:00Z", "2026-11-27T00:00:00Z"),
        ("2026-11-27T00:00+09:00", "2026-11-26T15:00:00Z"),
        ("2026-11-27 00:00", "2026-11-26T15:00:00Z"),
        ("2026-11-27", "2026-11-26T15:00:00Z"),
        ("00:00", "2026-11-26T15:00:00Z"),
        ("0:30", "2026-11-26T15:30:00Z"),
        ("23:50", "2026-11-26T14:50:00Z"),
    ],
)
def test_a_slot_is_written_with_a_zone_or_as_a_wall_time_and_a_time_of_day_is_the_last_one(text, moment):
    assert moment_of(text, "--slot", TOKYO, NOW) == parse_iso(moment)


@pytest.mark.parametrize("text", ["", "noon", "25:00", "00:61", "2026-02-30", "27 Nov", "0001-01-01"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(HinobanError) as caught:
        moment_of(text, "--slot", TOKYO, NOW)
    assert (caught.value.what, caught.value.exit_code) == ("--slot", 2)


def test_a_wall_time_that_the_clock_skips_is_refused_and_one_that_comes_twice_is_the_first():
    berlin = ZoneInfo("Europe/Berlin")
    with pytest.raises(HinobanError, match="the clock was set forward over it"):
        moment_of("2026-03-29 02:30", "--slot", berlin, NOW)
    assert moment_of("2026-10-25 02:30", "--slot", berlin, NOW) == parse_iso("2026-10-25T00:30:00Z")
