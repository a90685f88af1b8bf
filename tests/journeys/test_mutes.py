"""What a mute hid is not lost at its end: pages that are still open are paged, nobody's are escalated, and each team hears of its own."""

from pathlib import Path

import msgspec

from hinoban.base.clock import DAYS, HOURS
from hinoban.watch.config import Escalation, Keep, Mute, Route
from tests.support.telling import Story

BOSS_AFTER_10_MIN = Escalation(after=600, channels=("boss",))
TO_TEAM_A = Route(match={"hinoban": {"family": [{"prefix": "a-"}]}}, channels=("team-a", "pagerduty"))
TO_SLACK = Route(match={"hinoban": {"family": [{"anything-but": {"prefix": "a-"}}]}}, channels=("slack",))


def mute(story: Story, seconds: float, *, name: str = "move", family: str = "") -> None:
    """From now on for so long, of families that begin so; beside the mutes that there are."""
    match = {"hinoban": {"family": [{"prefix": family}]}}
    notify = story.world.config.notify
    mutes = (*notify.mutes, Mute(name=name, match=match, until=story.world.clock.now() + seconds))
    story.world.config = msgspec.structs.replace(story.world.config, notify=msgspec.structs.replace(notify, mutes=mutes))
    story.world.crash()


def reports(story: Story, channel: str = "slack") -> list[str]:
    """The texts of the reports of mutes, whole."""
    return [body["text"] for name, method, body in story.slack if name == channel and "MUTE ENDED" in body["text"] and "post" in method]


async def test_a_page_that_is_still_open_as_its_mute_ends_is_paged_and_escalates_from_then_on(tmp_path: Path) -> None:
    story = Story(tmp_path, routes=(Route(match={}, channels=("slack", "pagerduty")),), escalations=(BOSS_AFTER_10_MIN,))
    mute(story, 1200)
    await story.fails()
    await story.world.turns(1170, step=30)
    assert (story.pages, story.posted()) == ([], [])
    await story.world.turns(30, step=30)
    [(name, action, summary)] = story.pages
    assert (name, action) == ("pagerduty", "trigger") and summary.startswith("report:7 · ")
    assert ["MUTE ENDED" in one for one in story.posted()] == [True, False]
    story.world.crash()
    await story.world.turns(570, step=30)
    assert len(story.pages) == 1
    await story.world.turns(60, step=30)
    assert [name for name, _, _ in story.pages] == ["pagerduty", "boss"], "ten minutes after people were told"
    # Whoever was paged hears that it is over.
    await story.fails(exit_code=0)
    assert [(name, action) for name, action, _ in story.pages[2:]] == [("pagerduty", "resolve"), ("boss", "resolve")]
    assert "RESOLVED" in story.posted()[-1]


async def test_a_mute_outlasts_the_time_that_messages_are_kept(tmp_path: Path) -> None:
    story = Story(tmp_path, routes=(Route(match={}, channels=("slack", "pagerduty")),))
    story.world.config = msgspec.structs.replace(story.world.config, keep=Keep(messages=1 * DAYS))
    mute(story, 3 * DAYS)
    await story.fails("first")
    await story.fails("second")
    await story.world.turns(3 * DAYS, step=3 * HOURS)
    assert "of 2 incidents; 2 still open." in reports(story)[0]
    assert [summary.split(":")[0] for _, _, summary in story.pages] == ["first", "second"]
    # Told now, it is one of those that are kept for a while.
    await story.world.turns(2 * DAYS, step=3 * HOURS)
    assert story.world.watch.status()["outbox"].keys().isdisjoint({"muted", "reported"})


async def test_an_escalation_that_a_mute_hides_is_taken_as_it_ends(tmp_path: Path) -> None:
    story = Story(tmp_path, routes=(Route(match={}, channels=("slack", "pagerduty")),), escalations=(BOSS_AFTER_10_MIN,))
    await story.fails()
    mute(story, 900)
    await story.world.turns(870, step=30)
    assert [name for name, _, _ in story.pages] == ["pagerduty"]
    # The mute has hidden nothing else: the step alone knows when to try again.
    assert await story.world.watch.escalator.step(story.world.clock.now()) == story.world.config.notify.mutes[0].until
    await story.world.turns(30, step=30)
    [_, (name, action, summary)] = story.pages
    assert (name, action) == ("boss", "trigger") and summary.startswith("ESCALATED after 10 min")
    await story.world.turns(3600, step=60)
    assert len(story.pages) == 2, "once"
    assert len(story.posted()) == 1, "a mute that hid nothing ends in silence"


async def test_a_page_that_people_know_is_not_told_again_as_a_mute_ends(tmp_path: Path) -> None:
    story = Story(tmp_path, routes=(Route(match={}, channels=("slack", "pagerduty")),))
    await story.fails()
    await story.fails()
    mute(story, 300)
    await story.world.turns(600, step=30)
    # What the mute hid, and reported, is that the group had grown.
    assert [action for _, action, _ in story.pages] == ["trigger"]
    assert "this mute hid 1 message of 2 incidents; 2 still open." in reports(story)[0]


async def test_what_somebody_took_or_ended_under_the_mute_pages_nobody(tmp_path: Path) -> None:
    story = Story(tmp_path, routes=(Route(match={}, channels=("slack", "pagerduty")),))
    mute(story, 1200)
    await story.fails("one")
    await story.fails("two")
    await story.fails("three")
    ids = {one["family"]: one["id"] for one in story.world.watch.incidents()["incidents"]}
    story.world.watch.ack(ids["one"], None, "s.tanaka")
    story.world.watch.snooze(ids["two"], story.world.clock.now() + 3600, "s.tanaka")
    story.world.watch.resolve(ids["three"], "s.tanaka")
    await story.world.turns(1800, step=60)
    assert story.pages == [] and len(story.posted()) == 1
    assert "of 3 incidents; 2 still open." in reports(story)[0]
    await story.world.turns(2400, step=60)
    assert [summary.split(":")[0] for _, _, summary in story.pages] == ["two"], "as its snooze ended"


async def test_a_page_under_two_mutes_waits_for_the_second(tmp_path: Path) -> None:
    story = Story(tmp_path, routes=(Route(match={}, channels=("slack", "pagerduty")),))
    mute(story, 300, name="first")
    mute(story, 900, name="second")
    await story.fails()
    await story.world.turns(600, step=30)
    assert story.pages == [] and len(reports(story)) == 1
    await story.world.turns(300, step=30)
    assert [action for _, action, _ in story.pages] == ["trigger"]
    assert [one.split(" · ")[0] for one in reports(story)] == ["first", "second"]


async def test_a_muted_ticket_is_reported_and_not_told_by_itself(tmp_path: Path) -> None:
    to_boss = msgspec.structs.replace(BOSS_AFTER_10_MIN, levels=("ticket",))
    story = Story(tmp_path, routes=(Route(match={}, channels=("slack", "pagerduty")),), escalations=(to_boss,))
    mute(story, 1200)
    await story.fails(started_by="alice")
    await story.world.turns(1770, step=30)
    assert story.pages == [] and ["MUTE ENDED" in one for one in story.posted()] == [True]
    await story.world.turns(60, step=30)
    assert [name for name, _, _ in story.pages] == ["boss"], "ten minutes after the report"


async def test_each_team_is_told_what_a_mute_hid_of_its_own(tmp_path: Path) -> None:
    story = Story(tmp_path, routes=(TO_TEAM_A, TO_SLACK))
    # By its name it would be team a's.
    mute(story, 120, name="a-move")
    await story.fails("a-job", started_by="alice")
    await story.fails("b-job", started_by="alice")
    await story.world.turns(180, step=30)
    [to_a], [to_b] = reports(story, "team-a"), reports(story)
    assert "a-job" in to_a and "b-job" not in to_a and "1 message of 1 incident; 1 still open." in to_a
    assert "b-job" in to_b and "a-job" not in to_b


async def test_a_mute_over_one_team_is_not_reported_to_another(tmp_path: Path) -> None:
    story = Story(tmp_path, routes=(TO_TEAM_A, TO_SLACK))
    mute(story, 120, name="x", family="a-")
    await story.fails("a-job", started_by="alice")
    await story.world.turns(180, step=30)
    assert (len(reports(story, "team-a")), story.posted()) == (1, [])


async def test_the_report_says_what_to_do_in_either_language(tmp_path: Path) -> None:
    for lang in ("en", "ja"):
        folder = tmp_path / lang
        folder.mkdir()
        story = Story(folder, tz="Asia/Tokyo", lang=lang, routes=(Route(match={}, channels=("slack",)),))
        mute(story, 120)
        await story.fails(started_by="alice")
        await story.world.turns(120, step=30)
        mute(story, 600, name="later")
        await story.fails("other", started_by="bob")
        await story.fails("other", started_by="bob", exit_code=0)
        await story.world.turns(660, step=30)
        [left, nothing_left] = (one.splitlines() for one in reports(story))
        if lang == "en":
            assert left[1] == "Cause: Until Fri 27 Nov 00:02 JST this mute hid 1 message of 1 incident; 1 still open."
            assert left[3] == "Next: See what is left: hinoban incidents --open"
            assert nothing_left[1].endswith("none is open any more.") and nothing_left[3] == "Next: Nothing now."
        else:
            assert left[1] == "原因: Fri 27 Nov 00:02 JST までに、このミュートが 1 件の通知(1 インシデント)を保留。うち 1 件が未解決。"
            assert left[3] == "次の一手: 残りを確認: hinoban incidents --open"
            assert nothing_left[1].endswith("すべて解決済み。") and nothing_left[3] == "次の一手: 対応不要。"
