"""Many failures of one cause are told as one: who hears of what, how it grows, who puts it off, whom it escalates to, how it ends."""

from pathlib import Path

import msgspec
import pytest

from hinoban.base.errors import HinobanError
from hinoban.watch.answers import Answers
from hinoban.watch.config import Escalation, Mute, Route
from tests.support.telling import HEALED, LOST, Story
from tests.unit.watch.ledgers import DUE, add_rule, fired, groups_hold, incidents, launch, missed, until
from tests.unit.watch.samples import task_event, task_id


async def test_two_batches_did_not_run_and_21_recovered(tmp_path: Path) -> None:
    story = Story(tmp_path, tz="Asia/Tokyo", routes=(Route(match={}, channels=("slack", "pagerduty")),))
    world = story.world
    for name in (*HEALED, *LOST):
        add_rule(world, name)
    await until(world, DUE - 1, step=60)
    await until(world, DUE)
    world.aws.no_room = {*HEALED, *LOST}
    for number, name in enumerate((*HEALED, *LOST)):
        world.aws.emit(fired(name, DUE), launch(name, DUE, 500 + number, tasks=0, refused=1))
    # Held back while retries may heal it; then the first is told, and the others with it.
    await until(world, DUE + 190, step=5)
    [first] = story.posted()
    assert "23 batches being retried (no Fargate capacity, due 01:00 JST)" in first
    assert story.pages == [], "all of it may yet be healed"
    lead = story.lead()
    world.aws.no_room = set(LOST)
    for _ in range(150):
        await world.clock.advance(5)
        for arn in [arn for _, arn in world.aws.launched if "stopped" not in world.aws.tasks[arn]]:
            world.aws.finish(arn)
        await world.watch.turn()
    world.crash()
    await until(world, DUE + 1500, step=5)
    title = "2 batches did not run, 21 recovered by retry (no Fargate capacity, due 01:00 JST)"
    assert story.posted()[-1] == f":red_circle: {title} · {lead}"
    assert next((name, action) for name, action, _ in story.pages) == ("pagerduty", "trigger")
    assert len(story.posted()) <= 8, "of 23 runs, each retried several times"
    assert story.rewritten() == f"{title} · {lead}"
    body = next(body for _, method, body in reversed(story.slack) if method == "chat.update")
    lines = body["text"].splitlines()
    assert lines[1].startswith("Lost: ") and all(f"{name}:7" in lines[1] for name in LOST) and "6 attempts each, gave up 01:" in lines[1]
    assert lines[2].startswith("Said: RunTask failures[0]: Capacity is unavailable at this time.")
    assert lines[3].startswith("Cause: ") and lines[4].startswith("Next: ")
    assert lines[4] == f"Next: Run the 2 that are lost: hinoban retry {lead} (starts nothing that runs already)"
    # Both are run by hand: told once, in the thread; the first message turns green.
    pages, before, world.aws.no_room = len(story.pages), len(world.aws.launched), set[str]()
    answer = await world.watch.retry(lead, "s.tanaka")
    assert [one["outcome"].partition(":")[0] for one in (answer, *answer["others"])] == ["queued", "queued"]
    await world.turns(30, step=5)
    for _, arn in world.aws.launched[before:]:
        world.aws.finish(arn)
    await world.turns(30, step=5)
    assert len(world.aws.launched) == before + 2
    assert story.posted()[-1].startswith(":white_check_mark: Recovered: both ran at 01:")
    assert "(23 in all, one cause)" in story.posted()[-1]
    assert story.slack[-1][2]["thread_ts"] and not story.slack[-1][2]["reply_broadcast"]
    assert [action for _, action, _ in story.pages[pages:]] == ["resolve"]
    groups_hold(world)


async def test_a_hundred_schedules_lost_in_one_outage_are_one_message(tmp_path: Path) -> None:
    story = Story(tmp_path, routes=(Route(match={}, channels=("slack",)),))
    names = [f"close-{number:03}" for number in range(100)]
    for name in names:
        add_rule(story.world, name)
    await until(story.world, DUE + 1, step=120)
    story.world.aws.emit(*(missed(name, DUE, DUE, 1) for name in names))
    await story.world.turns(120, step=10)
    [line] = story.posted()
    assert line.startswith((":red_circle: *100 batches did not run", "100 batches did not run"))
    assert "<!here>" in story.slack[0][2]["blocks"][0]["text"]["text"], "as loud as the loudest of them"
    assert len(story.world.watch.incidents(limit=1000)["incidents"]) == 100
    assert len(story.world.watch.incidents(leads=True)["incidents"][0]["members"]) == 99


async def test_two_teams_with_one_cause_hear_of_their_own(tmp_path: Path) -> None:
    team_a = Route(match={"hinoban": {"family": [{"prefix": "a-"}]}}, channels=("team-a",))
    others = Route(match={"hinoban": {"family": [{"anything-but": {"prefix": "a-"}}]}}, channels=("slack",))
    story = Story(tmp_path, routes=(team_a, others))
    for number, family in enumerate(("a-one", "b-one", "a-two", "b-two")):
        story.world.aws.refused_launch(number, family, startedBy="alice")
    await story.world.turns(2)
    assert ["2 tasks did not start" in one for one in story.posted()] == [True]
    assert ["2 tasks did not start" in one for one in story.posted("team-a")] == [True]
    told = " ".join(str(body) for name, _, body in story.slack if name == "team-a")
    assert "a-one" in told and "a-two" in told and "b-" not in told.replace("sub-", "")


async def test_a_wall_that_goes_on_is_told_ever_more_rarely(tmp_path: Path) -> None:
    story = Story(tmp_path, routes=(Route(match={}, channels=("slack",)),))
    for _ in range(300):
        await story.fails()
        await story.world.turns(5, step=5)
    # 30 s, 1, 2, 4, 8, 15 min: of half an hour's 300 failures a handful of messages, and the last of them knows all but the latest.
    assert len(story.posted()) == 6
    await story.world.turns(900, step=30)
    assert len(story.posted()) == 7 and "300 batches EXIT 3" in story.posted()[-1]
    await story.world.turns(3600, step=60)
    assert len(story.posted()) == 7, "nothing new, nothing told"
    groups_hold(story.world)


async def test_what_fails_later_is_told_by_itself_again(tmp_path: Path) -> None:
    story = Story(tmp_path)
    await story.fails()
    await story.world.turns(601, step=60)
    await story.fails()
    assert len(story.posted()) == 2
    assert len(story.world.watch.incidents(leads=True)["incidents"]) == 2


async def test_a_member_that_wakes_people_breaks_the_silence_at_once(tmp_path: Path) -> None:
    story = Story(tmp_path, routes=(Route(match={}, channels=("slack", "pagerduty")),))
    await story.fails(started_by="alice")
    assert (len(story.posted()), story.pages) == (1, [])
    await story.fails(started_by="events-rule/report")
    assert [(name, action) for name, action, _ in story.pages] == [("pagerduty", "trigger")]
    assert len(story.posted()) == 2


async def test_what_is_taken_on_for_a_group_holds_for_all_of_it(tmp_path: Path) -> None:
    story = Story(tmp_path, routes=(Route(match={}, channels=("slack", "pagerduty")),))
    await story.fails()
    await story.fails()
    story.world.watch.ack(story.lead(), None, "s.tanaka")
    await story.world.turns(1)
    assert [action for _, action, _ in story.pages] == ["trigger", "acknowledge"]
    await story.fails()
    await story.world.turns(600, step=30)
    assert {one.state for one in incidents(story.world).values()} == {"acknowledged"}, "also the one that came later"
    assert len(story.posted()) == 2
    story.world.watch.resolve(story.lead(), "s.tanaka")
    await story.world.turns(1)
    assert {one.state for one in incidents(story.world).values()} == {"resolved"}
    assert [action for _, action, _ in story.pages] == ["trigger", "acknowledge", "resolve"]
    assert "0 of 3 ran well, 3 did not" in story.posted()[-1]
    assert story.slack[-1][2]["text"].endswith("*Done*  3 batches over. Resolved by s.tanaka.")
    # It was not over after all: one act ended them, one act begins them again.
    story.world.watch.reopen(story.lead(), "s.tanaka")
    await story.world.turns(1)
    assert {one.state for one in incidents(story.world).values()} == {"open"}
    assert "3 batches EXIT 3" in story.posted()[-1]
    groups_hold(story.world)


async def test_a_snooze_ends_by_itself_over_a_restart(tmp_path: Path) -> None:
    story = Story(tmp_path, routes=(Route(match={}, channels=("slack",)),))
    await story.fails()
    story.world.watch.snooze(story.lead(), story.world.clock.now() + 7200, "s.tanaka")
    await story.world.turns(1)
    assert "snoozed by s.tanaka" in story.posted()[-1]
    told = len(story.posted())
    await story.world.turns(3600, step=300)
    story.world.crash()
    await story.world.turns(3300, step=300)
    assert (len(story.posted()), story.world.watch.incidents()["incidents"][0]["state"]) == (told, "snoozed")
    await story.world.turns(600, step=60)
    assert len(story.posted()) == told + 1 and "EXIT 3" in story.posted()[-1]
    assert story.world.watch.incidents()["incidents"][0]["state"] == "open"
    assert "*Done*  The snooze by s.tanaka ended." in story.texts()[-1]


@pytest.mark.parametrize(
    ("lang", "act", "said"),
    [
        ("en", "ack", "*Done*  The acknowledgement by s.tanaka ended."),
        ("en", "snooze", "*Done*  The snooze by s.tanaka ended."),
        ("ja", "ack", "*対応*  s.tanaka の確認の期限が切れた。"),
        ("ja", "snooze", "*対応*  s.tanaka のスヌーズの期限が切れた。"),
    ],
)
@pytest.mark.parametrize("size", [1, 3])
async def test_who_put_it_off_is_said_when_that_ends(tmp_path: Path, lang: str, act: str, said: str, size: int) -> None:
    story = Story(tmp_path, lang=lang, routes=(Route(match={}, channels=("slack",)),))
    for _ in range(size):
        await story.fails()
    await story.world.turns(60)
    assert said not in "".join(story.texts())
    for _ in range(2):
        getattr(story.world.watch, act)(story.lead(), story.world.clock.now() + 600, "s.tanaka")
        await story.world.turns(1)
        told = len(story.posted())
        await story.world.turns(660, step=60)
        assert len(story.posted()) == told + 1 and story.texts()[-1].count(said) == 1
    groups_hold(story.world)


async def test_what_is_over_before_its_snooze_ends_is_told_as_over(tmp_path: Path) -> None:
    story = Story(tmp_path, routes=(Route(match={}, channels=("slack",)),))
    await story.fails()
    story.world.watch.snooze(story.lead(), story.world.clock.now() + 7200, "s.tanaka")
    await story.fails(exit_code=0)
    await story.world.turns(10_000, step=600)
    assert "RESOLVED" in story.posted()[-1]
    assert len(story.posted()) == 3  # opened, snoozed, resolved


async def test_what_nobody_takes_is_told_to_further_people_step_by_step(tmp_path: Path) -> None:
    steps = (Escalation(after=900, channels=("pagerduty",)), Escalation(after=1800, channels=("boss",)))
    story = Story(tmp_path, routes=(Route(match={}, channels=("slack",)),), escalations=steps)
    await story.fails()
    await story.fails()
    await story.world.turns(800, step=60)
    assert story.pages == []
    story.world.crash()
    await story.world.turns(180, step=60)
    [(name, action, summary)] = story.pages
    assert (name, action) == ("pagerduty", "trigger")
    assert summary == f"ESCALATED after 15 min, nobody has acknowledged · 2 batches EXIT 3 (report:7) · {story.lead()}"
    await story.world.turns(1200, step=60)
    assert [name for name, _, _ in story.pages] == ["pagerduty", "boss"], "each step once"
    await story.fails(exit_code=0)
    assert [(name, action) for name, action, _ in story.pages[2:]] == [("pagerduty", "resolve"), ("boss", "resolve")]


@pytest.mark.parametrize("act", ["ack", "snooze", "resolve"])
async def test_what_somebody_has_does_not_escalate(tmp_path: Path, act: str) -> None:
    story = Story(tmp_path, routes=(Route(match={}, channels=("slack",)),), escalations=(Escalation(after=900, channels=("boss",)),))
    await story.fails()
    watch = story.world.watch
    if act == "ack":
        watch.ack(story.lead(), None, "me")
    elif act == "snooze":
        watch.snooze(story.lead(), story.world.clock.now() + 3600, "me")
    else:
        watch.resolve(story.lead(), "me")
    await story.world.turns(3500, step=100)
    assert story.pages == []
    if act == "snooze":
        await story.world.turns(1200, step=100)
        assert [name for name, _, _ in story.pages] == ["boss"], "15 minutes after it was told again"


async def test_a_ticket_does_not_escalate(tmp_path: Path) -> None:
    story = Story(tmp_path, escalations=(Escalation(after=60, channels=("boss",)),))
    await story.fails(started_by="alice")
    await story.world.turns(300, step=30)
    assert story.pages == []


async def test_why_names_the_one_that_speaks_for_all_and_lists_them(tmp_path: Path) -> None:
    story = Story(tmp_path)
    for _ in range(15):
        story.world.aws.finish(story.world.aws.start("report", None), 3)
    await story.world.turns(2)
    lead = story.lead()
    listed = story.world.watch.incidents(leads=True)["incidents"][0]
    short, full = story.world.watch.why(lead), story.world.watch.why(lead, full=True)
    assert short["lines"][0].endswith(f"{lead} (15 tasks, one cause)")
    assert len(short["lines"]) == 12 and short["lines"][-1].strip() == "... 9 more (--full)"
    assert all(any(member in line for line in full["lines"]) for member in listed["members"])
    member = story.world.watch.why(listed["members"][0])
    assert member["lines"][0].endswith(f"{lead} (15 tasks, one cause)") and member["lead"] == lead


async def test_three_tasks_of_a_service_without_their_image_are_one_matter(tmp_path: Path) -> None:
    story = Story(tmp_path)
    said = "CannotPullContainerError: failed to resolve ref registry.test/web-api:v1.8.3: registry.test/web-api:v1.8.3: not found"
    at = story.world.clock.now()
    for number in (41, 42, 43):
        failed = task_event(number, "STOPPED", at=at, family="web-api", started_by="ecs-svc/1", code="TaskFailedToStart", reason=said)
        story.world.aws.emit(failed)
    await story.world.turns(60, step=10)
    [line] = story.posted()
    assert "3 tasks did not start (web-api:7, image missing)" in line
    told = story.world.watch.why(task_id(42)[:8])["lines"][0]
    assert "NOT STARTED" in told and told.endswith(f"{story.lead()} (3 tasks, one cause)")


async def test_reopening_what_is_open_is_refused(tmp_path: Path) -> None:
    story = Story(tmp_path)
    await story.fails()
    with pytest.raises(HinobanError, match="is open already"):
        story.world.watch.reopen(story.lead(), "me")


async def test_a_mute_hides_a_group_and_counts_all_of_it(tmp_path: Path) -> None:
    story = Story(tmp_path)
    now = story.world.clock.now()
    mute = Mute(name="move", match={"hinoban": {"family": ["report"]}}, until=now + 300)
    notify = msgspec.structs.replace(story.world.config.notify, mutes=(mute,))
    story.world.config = msgspec.structs.replace(story.world.config, notify=notify)
    story.world.crash()
    await story.fails()
    await story.fails()
    await story.world.turns(200, step=20)
    assert (story.posted(), story.pages) == ([], [])
    await story.world.turns(100, step=20)
    assert "MUTE ENDED" in story.posted()[0]
    assert "hid 2 messages of 2 incidents; 2 still open." in story.slack[0][2]["text"]
    # What is still open is a page, of which nobody knows: it is told now.
    assert ["2 batches EXIT 3" in one for one in story.posted()] == [False, True]
    # What fails from now on is told, in a group of its own.
    await story.fails()
    assert "EXIT 3" in story.posted()[-1]
    assert len(story.world.watch.incidents(leads=True)["incidents"]) == 3


async def test_the_post_mortem_of_a_member_is_its_groups_and_needs_no_daemon(tmp_path: Path) -> None:
    story = Story(tmp_path, routes=(Route(match={}, channels=("slack",)),))
    for _ in range(3):
        await story.fails()
    await story.world.turns(60, step=10)
    await story.fails(exit_code=0)
    lead = story.lead()
    [one] = story.world.watch.incidents(leads=True)["incidents"]
    written = Answers.readonly(story.world.path).postmortem(one["members"][0], "ja")
    assert (written["id"], written["lang"]) == (lead, "ja")
    text = written["markdown"]
    assert text == story.world.watch.postmortem(lead, "ja")["markdown"]
    assert text.startswith(f"# 復旧: 3件とも 15:01 UTC までに実行 · {lead}")
    assert text.count("slack: 発生 (送信済み)") == 1 and text.count("slack: 復旧 (送信済み)") == 1
    assert "## 恒久対応" in text and "バッチ3件は後の実行で復旧" in text


async def test_in_japanese(tmp_path: Path) -> None:
    story = Story(tmp_path, tz="Asia/Tokyo", lang="ja", routes=(Route(match={}, channels=("slack",)),))
    for number, family in enumerate(("one", "two", "three", "four")):
        story.world.aws.refused_launch(number, family, startedBy="alice")
    await story.world.turns(2)
    first = story.slack[0][2]["text"].splitlines()
    assert first[0].startswith("タスク4件が未起動 (Fargate の空き不足) · inc-")
    assert first[1] == "状況: four · one · three ほか1件"
    assert first[2].startswith("AWS の応答(原文): ") and first[3].startswith("原因: ") and first[4].startswith("次の一手: ")
