"""A post-mortem: the seven headings in both languages, what is known below them, and unknown where nothing is."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hinoban.watch.config import Lang
from hinoban.watch.explain.language import speaking
from hinoban.watch.notify.background import NOTHING, Background
from hinoban.watch.notify.postmortem import HEADINGS, Told, markdown
from tests.unit.watch.notify.samples import AT, incident, over, said
from tests.unit.watch.test_groups import lost, wall

TOKYO = ZoneInfo("Asia/Tokyo")
TOLD = [
    Told(at=AT + 2, channel="slack", state="sent", change="opened"),
    Told(at=AT + 2, channel="pagerduty", state="dead", change="opened"),
    Told(at=AT + 600, channel="slack", state="queued", change="resolved"),
]


def sections(text: str) -> dict[str, str]:
    _, *parts = text.split("\n## ")
    return {heading: body.strip() for heading, _, body in (part.partition("\n") for part in parts)}


def written(one: Any, everyone: Any = None, lang: Lang = "en", **words: Any) -> str:
    given: dict[str, Any] = {"zone": TOKYO, "told": TOLD, "log": ["Traceback", "KeyError: 'STAGE'"], "background": NOTHING} | words
    with speaking(lang):
        return markdown(one, everyone or [one], **given)


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_seven_headings_in_order(lang: Lang) -> None:
    text = written(over(incident()), lang=lang)
    assert tuple(sections(text)) == HEADINGS[lang]
    assert HEADINGS["ja"] == ("発生", "検知", "復旧", "影響", "原因", "暫定対応", "恒久対応")
    assert text.startswith("# nightly-billing:31") and all(sections(text).values())


def test_what_is_known_stands_below_them() -> None:
    parts = sections(written(over(incident()), background=Background(changed=":30 → :31, environment DB_HOST")))
    assert parts["Occurred"].startswith("- 2026-11-27T00:00+09:00")
    assert "by the detector `failed_exit`, 0 s after it happened" in parts["Detected"]
    assert "told first: 2026-11-27T00:00:02+09:00 (slack)" in parts["Detected"]
    assert parts["Recovered"].startswith("- 2026-11-27T00:10+09:00, 10 m after it was detected")
    assert "> Essential container in task exited" in parts["Cause"] and ":30 → :31, environment DB_HOST" in parts["Cause"]
    assert "```\nTraceback\nKeyError: 'STAGE'\n```" in parts["Cause"]
    assert "2026-11-27T00:10+09:00 slack: resolved (queued)" in parts["Stopgap"] and "pagerduty: opened (dead)" in parts["Stopgap"]
    assert parts["Permanent fix"].splitlines() == ["- suggested: Look at its log.", "- [ ] lasting measure, owner, date:"]


def test_what_still_waits_has_told_nobody() -> None:
    parts = sections(written(incident(), told=TOLD[1:]))
    assert "told first: not yet arrived" in parts["Detected"]


def test_what_is_not_known_reads_unknown() -> None:
    parts = sections(written(incident(started_by=None), told=[], log=[]))
    assert "launched by: unknown" in parts["Occurred"]
    assert parts["Recovered"] == "- not yet"
    assert "what else depended on it: unknown" in parts["Impact"]
    assert "changed: unknown" in parts["Cause"] and "last log lines, secrets masked: unknown" in parts["Cause"]
    assert "nobody was told" in parts["Detected"] and "nothing was done" in parts["Stopgap"]


def test_a_group_is_written_up_as_one() -> None:
    everyone = [over(lost("batch-1")), lost("nightly-billing"), lost("point-expire")]
    parts = sections(written(wall(*everyone), everyone))
    assert parts["Impact"].startswith("- 2 batches did not run, 1 recovered by retry")
    assert all(f"{name}:31" in parts["Impact"] for name in ("batch-1", "nightly-billing", "point-expire"))
    assert parts["Stopgap"].count("nightly-billing:31 · ") == 6


def test_others_words_are_no_markup() -> None:
    text = written(said(incident(), cause="<b>a | b</b>", said=("x\n# y",)), log=["```", "# no heading"])
    assert "&lt;b>a \\| b&lt;/b>" in text and "\n# y" not in text
    assert "````\n```\n# no heading\n````" in text
