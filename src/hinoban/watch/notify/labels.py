"""The labels of messages as people read them. Keys (of JSON, and of a message's labels in code) are always the English ones."""

import unicodedata

from hinoban.watch.explain.language import spoken
from hinoban.watch.notify.wording import LABEL_WIDTH

_JA = {
    "Lost": "状況",
    "Trying": "再試行中",
    "Tasks": "対象",
    "Together": "同じ原因",
    "Cause": "原因",
    "Said": "AWS の応答(原文)",
    "Hops": "経路",
    "Done": "対応",
    "Started": "開始",
    "Owner": "担当",
    "Stopped": "停止",
    "Log": "ログ",
    "Changed": "変更点",
    "Usual": "通常",
    "Cost": "費用",
    "Next": "次の一手",
    "Where": "場所",
    "When": "日時",
    "More": "詳細",
    "Open": "未解決",
    "Digest": "参考",
    "Muted": "通知の保留",
}
_WIDTH_JA = 18


def label_words(label: str) -> str:
    """The label in the language that is spoken."""
    return _JA.get(label, label) if spoken() == "ja" else label


def label_width() -> int:
    """The columns that a label takes, with the gap after it."""
    return _WIDTH_JA if spoken() == "ja" else LABEL_WIDTH


def padded(label: str) -> str:
    """The label, filled up to `label_width`; a Japanese character takes two columns."""
    words = label_words(label)
    taken = sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in words)
    return words + " " * (label_width() - taken)
