"""docs/incidents.md: its table of states and its numbers are the code's."""

import re
from pathlib import Path

from hinoban.watch.groups import ACCOUNT_WIDE, FIRST_WAIT, LONGEST_WAIT, WINDOW
from hinoban.watch.incident_states import TABLE, Event
from hinoban.watch.notify.postmortem import HEADINGS

PAGE = (Path(__file__).resolve().parents[2] / "docs/incidents.md").read_text(encoding="utf-8")
COLUMNS: tuple[Event, ...] = ("evidence", "acknowledge", "snooze", "time is up", "reopen", "resolve")


def test_the_table_of_states() -> None:
    rows = re.findall(r"^\| (open|acknowledged|snoozed|resolved) \|(.*)\|$", PAGE, re.MULTILINE)
    shown = {state: [cell.strip() for cell in cells.split("|")] for state, cells in rows}
    assert shown == {state: [ways.get(event, "-") for event in COLUMNS] for state, ways in TABLE.items()}


def test_the_numbers_and_names() -> None:
    assert (WINDOW, FIRST_WAIT, LONGEST_WAIT) == (600, 30, 900)
    assert "within ten minutes" in PAGE and "30 s after the first" in PAGE and "every 15 minutes" in PAGE
    assert {"capacity", "throttling", "platform", "spot"} == ACCOUNT_WIDE
    assert ", ".join(HEADINGS["ja"]) in PAGE
