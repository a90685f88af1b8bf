"""The webhook's JSON as a CloudEvent 1.0 in structured mode (facts/monitoring.md §5.4). Pure."""

from collections.abc import Mapping
from typing import Any

from hinoban.watch.incidents import Change

TYPE = "dev.hinoban.incident."
DAILY = "dev.hinoban.report.daily"


def cloud_event(payload: Mapping[str, Any]) -> dict[str, Any]:
    """`id` is the message's: with `source` it names the event, so a receiver knows a repeat. `subject` is the incident."""
    change: Change = payload["change"]
    resolved = change in ("resolved", "quiet") and payload["resolved_at"]
    return {
        "specversion": "1.0",
        "id": payload["id"],
        "source": f"/hinoban/{payload['account']}/{payload['region']}",
        "type": TYPE + change,
        "subject": payload["incident"],
        "time": payload["opened_at"] if change == "opened" else resolved or payload["changed_at"],
        "datacontenttype": "application/json",
        "data": dict(payload),
    }


def daily_event(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The daily report. It is about every account that is watched, so its source names none."""
    return {
        "specversion": "1.0",
        "id": payload["id"],
        "source": "/hinoban",
        "type": DAILY,
        "subject": payload["day"],
        "time": payload["until"],
        "datacontenttype": "application/json",
        "data": dict(payload),
    }
