"""Who is told of what a mute hid: each channel of what it would have heard of, those alike together."""

from zoneinfo import ZoneInfo

import pytest

from hinoban.watch.config import Mute
from hinoban.watch.explain.language import speaking
from hinoban.watch.history.ledger import Message
from hinoban.watch.notify.levels import LEVELS, notice_level
from hinoban.watch.notify.mute_reports import mute_reports, parted
from tests.unit.watch.notify.samples import AT, incident, over

MUTE = Mute(match={}, until=AT, name="move")
A, B = incident(subject="task:a", family="a"), incident(subject="task:b", family="b")
A_OPENED, B_OPENED, A_OVER = Message(A, "opened"), Message(B, "opened"), Message(over(A), "resolved")


def to(people: dict[str, set[str]]) -> list[tuple[tuple[str, ...], list[Message]]]:
    """Of a's opening and end and b's opening, with `people` by family; whom an end would reach is nobody, as nobody knew."""
    return parted([A_OPENED, B_OPENED, A_OVER], lambda one: people[one.incident.finding.family] if one.change == "opened" else set())


def test_channels_that_would_have_heard_the_same_share_a_report() -> None:
    assert to({"a": {"slack", "mail"}, "b": {"slack", "mail"}}) == [(("mail", "slack"), [A_OPENED, B_OPENED, A_OVER])]


def test_a_channel_of_one_team_is_told_of_its_incidents_from_beginning_to_end() -> None:
    parts = to({"a": {"slack", "team-a"}, "b": {"slack"}})
    assert parts == [(("slack",), [A_OPENED, B_OPENED, A_OVER]), (("team-a",), [A_OPENED, A_OVER])]
    subjects = {one.subject for one in mute_reports(MUTE, parts, {A.id: (1, 0), B.id: (1, 1)}, ZoneInfo("UTC"))}
    assert len(subjects) == 2, "an incident each"


def test_what_nobody_would_have_heard_of_is_still_reported_on_the_console() -> None:
    parts = to({"a": set(), "b": set()})
    [one] = mute_reports(MUTE, parts, {A.id: (1, 0), B.id: (1, 1)}, ZoneInfo("UTC"))
    assert one.facts["channels"] == [] and "3 messages of 2 incidents; 1 still open." in one.explanation.cause


@pytest.mark.parametrize(("lang", "more"), [("en", "and 2 more"), ("ja", "他 2 件")])
def test_a_long_list_is_cut_and_says_so(lang: str, more: str) -> None:
    many = [Message(incident(subject=f"task:{number}"), "opened") for number in range(12)]
    with speaking(lang):
        [one] = mute_reports(MUTE, [(("slack",), many)], {each.incident.id: (1, 1) for each in many}, ZoneInfo("UTC"))
    assert len(one.explanation.said) == 11 and one.explanation.said[-1] == more


def test_a_notice_is_as_loud_as_configured() -> None:
    assert notice_level("mute_ended", {}) == LEVELS["mute_ended"] == "ticket"
    assert notice_level("mute_ended", {"mute_ended": "page"}) == "page"
