"""docs/channels.md: its table of levels is the code's, and every kind of channel has its section and its row."""

import re
from pathlib import Path

from hinoban.watch.config import NotifyConfig
from hinoban.watch.notify.channels import CHANNELS
from hinoban.watch.notify.levels import LEVELS
from hinoban.watch.notify.links import FIELDS
from hinoban.watch.notify.masking import LINES_MOST
from hinoban.watch.notify.routes import WORDS

PAGE = (Path(__file__).resolve().parents[2] / "docs/channels.md").read_text(encoding="utf-8")


def row(level: str) -> set[str]:
    found = re.search(rf"^\| {level} \|.*\|(.*)\|$", PAGE, re.MULTILINE)
    assert found is not None
    return set(re.findall(r"`(\w+)`", found[1]))


def test_the_table_of_levels() -> None:
    lost = {name for name, level in LEVELS.items() if level == "lost run"}
    assert row("page") == lost | {name for name, level in LEVELS.items() if level == "page"}
    assert row("ticket") == {name for name, level in LEVELS.items() if level == "ticket"}
    assert row("digest") == {name for name, level in LEVELS.items() if level == "digest"}


def test_every_channel_and_every_word() -> None:
    assert {kind for kind in CHANNELS if kind not in ("console",) and f"`[[notify.{kind}]]`" not in PAGE} == set()
    assert [word for word in WORDS if f'"{word}"' not in PAGE] == []
    assert [field for field in FIELDS if f"`{{{field}}}`" not in PAGE] == []
    assert f"{LINES_MOST} at the most" in PAGE
    assert "3 days" in PAGE and NotifyConfig().dead_after == 3 * 86400
