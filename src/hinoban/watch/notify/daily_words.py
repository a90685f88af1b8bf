"""The daily report in words: one line that says it all, labels for the rest; English or Japanese. Pure."""

from collections import Counter
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from hinoban.base.clock import DAYS, HOURS, MINUTES
from hinoban.base.text import one_line
from hinoban.base.units import format_duration, iso, local
from hinoban.watch.explain.language import spoken
from hinoban.watch.history.daily import Daily, Unwell
from hinoban.watch.notify.wording import SEPARATOR, day_time

_NAMES_MOST = 5
_USUAL = (23 * HOURS - 1, 25 * HOURS + 1)
"""A day from one report to the next, also where a clock is changed."""
_UNWELL_MOST = 3


def daily_title(daily: Daily, zone: ZoneInfo) -> str:
    """`118 of 118 due runs happened: 95 at once, 21 by retry, 2 by hand (inc-4k2p). 0 failed. Disabled > 7 d: old-export. Watch well 24 h.`"""
    return one_line(_title_ja(daily, zone) if spoken() == "ja" else _title_en(daily, zone))


def daily_labels(daily: Daily, zone: ZoneInfo) -> tuple[tuple[str, str], ...]:
    """What is wrong and open, what is only for the report, what mutes hid; empty where there is nothing of it."""
    ja = spoken() == "ja"
    more = daily.open_count - len(daily.open)
    still = [f"{one.family or one.id} {one.verdict} {format_duration(daily.at - one.since)} ({one.id})" for one in daily.open]
    if more:
        still.append(f"他 {more} 件" if ja else f"and {more} more")
    matters = [f"{one.kind} {one.count} ({', '.join(one.families)})" for one in daily.digest]
    hid = "「{name}」が {messages} 件の通知({incidents} インシデント)を保留" if ja else "{name} hid {messages} of {incidents}"
    muted = [
        hid.format(
            name=one.name,
            messages=one.messages if ja else _count(one.messages, "message"),
            incidents=one.incidents if ja else _count(one.incidents, "incident"),
        )
        for one in daily.muted
    ]
    labels = (("Open", still), ("Digest", matters), ("Muted", muted))
    return tuple((label, one_line(SEPARATOR.join(parts))) for label, parts in labels if parts)


def daily_payload(daily: Daily) -> dict[str, Any]:
    """The report as a webhook's JSON; docs/webhook.md lists the fields."""
    runs = daily.runs
    return {
        "schema": 1,
        "id": daily.id,
        "change": "daily",
        "severity": "info",
        "title": daily_title(daily, ZoneInfo("UTC")),
        "day": daily.day,
        "since": iso(daily.since),
        "until": iso(daily.until),
        "runs": {**msgspec.to_builtins(runs), "happened": runs.happened},
        "others_failed": daily.others_failed,
        "disabled": list(daily.disabled),
        "digest": msgspec.to_builtins(daily.digest),
        "muted": msgspec.to_builtins(daily.muted),
        "open": [{"incident": one.id, "family": one.family, "verdict": one.verdict, "opened_at": iso(one.since)} for one in daily.open],
        "open_count": daily.open_count,
        "unwell": [{"since": iso(one.since), "until": iso(one.until or daily.until), "why": one.why} for one in daily.unwell],
    }


def _title_en(daily: Daily, zone: ZoneInfo) -> str:
    runs = daily.runs
    how = [(runs.at_once, "at once"), (runs.by_retry, "by retry"), (runs.by_hand, f"by hand ({', '.join(runs.by_hand_incidents)})")]
    parts = ", ".join(f"{count} {words}" for count, words in how if count)
    happened = f"{runs.happened} of {runs.due} due runs happened" + (f": {parts}." if parts else ".")
    lines = [happened if runs.due else "No scheduled run was due."]
    if runs.lost:
        lines.append(f"{len(runs.lost)} lost: {_names(runs.lost, 'and {} more')}.")
    if runs.pending:
        lines.append(f"{runs.pending} not seen yet.")
    lines.append(f"{len(runs.failed)} failed" + (f": {_names(runs.failed, 'and {} more')}." if runs.failed else "."))
    if daily.others_failed:
        lines.append(f"{daily.others_failed} other {'failure' if daily.others_failed == 1 else 'failures'} of tasks outside of schedules.")
    if daily.disabled:
        lines.append(f"Disabled > 7 d: {_names(daily.disabled, 'and {} more')}.")
    length = daily.until - daily.since
    bad = _seconds(daily.unwell)
    if bad:
        spans = "; ".join(f"{one.why} {_span(one, daily, zone)}" for one in daily.unwell[:_UNWELL_MOST])
        lines.append(f"Watch well {_hours(length - bad)} of {_hours(length)}: {spans}.")
    else:
        lines.append(f"Watch well {_hours(length)}.")
    if not _USUAL[0] <= length <= _USUAL[1]:
        lines.insert(0, f"Since {day_time(daily.since, zone)}:")
    return " ".join(lines)


def _title_ja(daily: Daily, zone: ZoneInfo) -> str:
    runs = daily.runs
    how = [(runs.at_once, "即時 {}"), (runs.by_retry, "再試行 {}"), (runs.by_hand, f"手動 {{}}({', '.join(runs.by_hand_incidents)})")]
    parts = "、".join(words.format(count) for count, words in how if count)
    happened = f"予定 {runs.due} 件中 {runs.happened} 件が実行済み" + (f":{parts}。" if parts else "。")
    lines = [happened if runs.due else "予定された実行はありませんでした。"]
    if runs.lost:
        lines.append(f"未実行 {len(runs.lost)} 件:{_names(runs.lost, '他 {} 件')}。")
    if runs.pending:
        lines.append(f"未確認 {runs.pending} 件。")
    lines.append(f"失敗 {len(runs.failed)} 件" + (f":{_names(runs.failed, '他 {} 件')}。" if runs.failed else "。"))
    if daily.others_failed:
        lines.append(f"スケジュール外のタスクの失敗 {daily.others_failed} 件。")
    if daily.disabled:
        lines.append(f"無効のまま 7 日超:{_names(daily.disabled, '他 {} 件')}。")
    length = daily.until - daily.since
    bad = _seconds(daily.unwell)
    if bad:
        spans = "、".join(f"{_span(one, daily, zone)} {one.why}" for one in daily.unwell[:_UNWELL_MOST])
        lines.append(f"監視は {_hours(length)}中 {_hours(length - bad)}が正常({spans})。")
    else:
        lines.append(f"監視は {_hours(length)}正常。")
    if not _USUAL[0] <= length <= _USUAL[1]:
        lines.insert(0, f"{day_time(daily.since, zone)} 以降:")
    return "".join(lines)


def _names(names: Sequence[str], more: str) -> str:
    """`nightly-billing, point-expire (3), and 2 more`."""
    counted = [name if count == 1 else f"{name} ({count})" for name, count in Counter(names).items()]
    rest = len(counted) - _NAMES_MOST
    return ", ".join(counted[:_NAMES_MOST] + ([more.format(rest)] if rest > 0 else []))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _seconds(spans: Sequence[Unwell]) -> float:
    return sum((one.until or one.since) - one.since for one in spans)


def _hours(seconds: float) -> str:
    """`24 h`, `7 h 29 m`, `40 m`, `5 d`."""
    ja = spoken() == "ja"
    if seconds >= 3 * DAYS:
        return f"{round(seconds / DAYS)} 日間" if ja else f"{round(seconds / DAYS)} d"
    hours, minutes = divmod(round(seconds / MINUTES), 60)
    said = [f"{hours} 時間" if ja else f"{hours} h"] if hours else []
    if minutes or not hours:
        said.append(f"{minutes} 分" if ja else f"{minutes} m")
    return " ".join(said)


def _span(one: Unwell, daily: Daily, zone: ZoneInfo) -> str:
    begin, end = (local(moment, zone) for moment in (one.since, one.until or daily.until))
    day = "" if begin.date().isoformat() == daily.day else f"{begin:%a} "
    return f"{day}{begin:%H:%M}–{end:%H:%M}"
