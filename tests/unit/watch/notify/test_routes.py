"""Who hears of what: levels, routes, mutes; and that whoever was told of a beginning is told of the end."""

from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from hinoban.watch.config import Level, Mute, NotifyConfig, PagerDuty, Route, Slack, WatchConfig, Webhook
from hinoban.watch.history.database import open_file
from hinoban.watch.history.ledger import Ledger
from hinoban.watch.incidents import Change, Step
from hinoban.watch.model import Attempt, Detector, Incident
from hinoban.watch.notify.levels import LEVELS, level_of
from hinoban.watch.notify.mute_reports import MuteReports
from hinoban.watch.notify.routes import Dispatch, levels_of, view_of
from tests.unit.watch.notify.samples import AT, incident, over

UTC = ZoneInfo("UTC")
CONFIG = NotifyConfig(
    webhooks=(Webhook(url="https://h.test", secret="x" * 16),),
    slack=(Slack(url="https://a.test/x"), Slack(name="team-a", url="https://b.test/x")),
    pagerduty=(PagerDuty(routing_key="k" * 32),),
)
ALL = ("console", "webhook", "slack", "team-a", "pagerduty")
SCHEDULED = incident(started_by="events-rule/nightly")
TO_TEAM_A = Route(match={"hinoban": {"family": ["nightly-billing"]}}, channels=("team-a", "pagerduty"))


def told(config: NotifyConfig, one: Incident, change: Change = "opened", now: float = AT) -> tuple[str, ...]:
    return Dispatch(config, ALL).decide(one, change, now).channels


def test_every_detector_has_a_level() -> None:
    assert set(get_args(Detector)) <= LEVELS.keys()


def test_only_what_is_lost_for_good_wakes_anybody() -> None:
    again = Attempt(number=2, at=AT, started_by="hinoban/inc/2", outcome="waiting")
    assert level_of(SCHEDULED, "opened", {}) == "page"
    assert level_of(msgspec.structs.replace(SCHEDULED, attempts=(*SCHEDULED.attempts, again)), "opened", {}) == "ticket"
    assert level_of(incident(), "opened", {}) == "ticket", "who started it by hand knows"
    assert level_of(incident(detector="overdue"), "opened", {}) == "ticket"
    assert level_of(incident(detector="overdue"), "opened", {"overdue": "page"}) == "page"
    assert level_of(SCHEDULED, "quiet", {"failed_exit": "page"}) == "digest"


def test_without_a_route_all_are_told_that_take_the_level() -> None:
    assert told(CONFIG, SCHEDULED) == ALL
    assert told(CONFIG, incident()) == ("console", "webhook", "slack", "team-a")
    assert told(CONFIG, over(incident()), "quiet") == ("console", "webhook")


def test_a_route_names_the_channels_and_the_level_holds_all_the_same() -> None:
    config = msgspec.structs.replace(CONFIG, routes=(TO_TEAM_A,))
    assert told(config, SCHEDULED) == ("console", "team-a", "pagerduty")
    assert told(config, incident()) == ("console", "team-a")
    assert told(config, incident(family="other")) == ("console", "webhook", "slack", "team-a")
    both = msgspec.structs.replace(config, routes=(TO_TEAM_A, Route(match={"hinoban": {"severity": ["page"]}}, channels=("webhook",))))
    assert told(both, SCHEDULED) == ("console", "webhook", "team-a", "pagerduty")


def test_a_pattern_sees_what_the_page_says() -> None:
    facts = {"due_at": AT, "schedule": "nightly", "group": "family:nightly-billing", "tags": {"team": "a"}}
    view = view_of(incident(started_by="events-rule/nightly", facts=facts), "opened", "page")
    assert view["detail"]["group"] == "family:nightly-billing"
    seen = view["hinoban"]
    assert (seen["schedule"], seen["slot"], seen["class"], seen["severity"]) == ("nightly", "2026-11-26T15:00:00Z", "exit", "page")
    assert seen["tags"] == {"team": "a"}


def test_a_mute_hides_from_all_but_the_console_until_it_ends() -> None:
    mute = Mute(match={"hinoban": {"cluster": ["batch"]}}, until=AT + 60, name="move")
    config = msgspec.structs.replace(CONFIG, mutes=(mute,))
    hidden = Dispatch(config, ALL).decide(SCHEDULED, "opened", AT)
    assert (hidden.channels, hidden.mute) == (("console",), "move")
    assert told(config, SCHEDULED, now=AT + 60) == ALL
    assert told(config, incident(cluster="other", started_by="events-rule/x")) == ALL
    known = msgspec.structs.replace(over(SCHEDULED), told_to=ALL)
    assert told(config, known, "resolved") == ALL, "a page that nobody ends goes on"


@st.composite
def configs(draw: st.DrawFn) -> NotifyConfig:
    channels = st.lists(st.sampled_from(ALL), unique=True).map(tuple)
    matches: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
        [{}, {"hinoban": {"severity": ["page"]}}, {"hinoban": {"change": ["opened"]}}, {"hinoban": {"family": ["nightly-billing"]}}]
    )
    routes = draw(st.lists(st.builds(Route, match=matches, channels=channels), max_size=3).map(tuple))
    mutes = draw(st.lists(st.builds(Mute, match=matches, until=st.sampled_from([AT - 1, AT + 30, AT + 90]), name=st.just("m")), max_size=2))
    severity = draw(st.dictionaries(st.just("failed_exit"), st.sampled_from(get_args(Level)), max_size=1))
    return msgspec.structs.replace(CONFIG, routes=routes, mutes=tuple(mutes), severity=severity)


@given(configs(), st.lists(st.sampled_from(["opened", "changed"]), min_size=1, max_size=4), st.booleans())
def test_who_was_told_of_a_beginning_is_told_of_the_end_and_the_console_of_everything(
    config: NotifyConfig, changes: list[Change], scheduled: bool
) -> None:
    one, dispatch, now = SCHEDULED if scheduled else incident(), Dispatch(config, ALL), AT
    for change in changes:
        decision = dispatch.decide(one, change, now)
        assert "console" in decision.channels
        one = msgspec.structs.replace(one, told_to=tuple(dict.fromkeys((*one.told_to, *decision.channels))))
        now += 40
    end = dispatch.decide(over(one), "resolved", now)
    people = set(one.told_to) - {"console"}
    assert people <= set(end.channels)
    assert not people or set(end.channels) == {*people, "console"}


def test_every_configured_channel_is_known_to_routes() -> None:
    assert tuple(levels_of(CONFIG)) == ALL


async def test_a_mute_tells_at_its_end_what_it_hid_once(tmp_path: Path) -> None:
    mute = Mute(match={"hinoban": {"cluster": ["batch"]}}, until=AT + 60, name="move")
    config = WatchConfig(notify=msgspec.structs.replace(CONFIG, mutes=(mute,)))
    engine, ledger = open_file(tmp_path / "watch.db"), Ledger(ALL)
    ledger.telling.decide = Dispatch(config.notify, ALL).decide
    other = incident(subject="task:2", family="point-expire")
    with engine.begin() as connection:
        ledger.put(connection, Step(SCHEDULED, "opened"), AT)
        ledger.put(connection, Step(other, "opened"), AT)
        ledger.put(connection, Step(over(other), "resolved"), AT + 10)
    reports = MuteReports(engine.begin, ledger, config)
    assert await reports.step(AT + 10) == AT + 60
    assert await reports.step(AT + 60) is None
    with engine.connect() as connection:
        [report] = [one for one in rows(connection) if one[1] == "mute_ended" and one[0] == "slack"]
    assert report[2] == "Until Thu 26 Nov 15:01 UTC this mute hid 3 messages of 2 incidents; 1 still open."
    # After a crash, and where the file has no such mute any more, nothing is told twice.
    forgetful = MuteReports(engine.begin, ledger, WatchConfig(notify=CONFIG))
    assert await forgetful.step(AT + 61) is None
    with engine.connect() as connection:
        assert [one[0] for one in rows(connection) if one[1] == "mute_ended"] == ["console", "webhook", "slack", "team-a"]
    engine.dispose()


async def test_a_mute_that_the_file_has_no_more_reports_too(tmp_path: Path) -> None:
    mute = Mute(match={}, until=AT + 9_999, name="gone")
    engine, ledger = open_file(tmp_path / "watch.db"), Ledger(ALL)
    ledger.telling.decide = Dispatch(msgspec.structs.replace(CONFIG, mutes=(mute,)), ALL).decide
    with engine.begin() as connection:
        ledger.put(connection, Step(SCHEDULED, "opened"), AT)
    ledger.telling.decide = Dispatch(CONFIG, ALL).decide
    await MuteReports(engine.begin, ledger, WatchConfig(notify=CONFIG)).step(AT + 20)
    with engine.connect() as connection:
        assert ("slack", "mute_ended") in [one[:2] for one in rows(connection)]
    engine.dispose()


def rows(connection: Any) -> list[tuple[str, str, str]]:
    """Channel, detector and cause of what waits in the outbox."""
    from sqlalchemy import select

    from hinoban.watch.history.ledger import Message
    from hinoban.watch.history.schema import outbox

    found = connection.execute(select(outbox.c.channel, outbox.c.value).where(outbox.c.state == "queued").order_by(outbox.c.id))
    read = [(channel, msgspec.json.decode(value, type=Message).incident.finding) for channel, value in found]
    return [(channel, finding.detector, finding.explanation.cause) for channel, finding in read]
