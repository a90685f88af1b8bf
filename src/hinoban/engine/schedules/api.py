"""EventBridge Scheduler's twelve operations; those on groups and tags are in `groups` (facts/eventbridge.md §8)."""

from typing import Any

import msgspec
from msgspec import structs

from hinoban.aws.call import Call, Handler, Params, Result
from hinoban.engine.schedules import errors
from hinoban.engine.schedules.checks import check_target, check_timing
from hinoban.engine.schedules.groups import Groups, existing_group
from hinoban.engine.schedules.model import DEFAULT_GROUP, Schedule
from hinoban.engine.schedules.paging import size_of, start_of, token_of
from hinoban.engine.schedules.state import SchedulerState, schedule_arn

# Per Region (facts/eventbridge.md §8.3).
_MOST_SCHEDULES = 10_000_000
# What a target without them is told to have, as it is delivered with (facts/eventbridge.md §8.3).
_RETRIES = {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}


class Scheduler:
    """CreateSchedule, GetSchedule, UpdateSchedule, DeleteSchedule, ListSchedules, and all of Groups."""

    def __init__(self, state: SchedulerState) -> None:
        self._state = state

    def operations(self) -> dict[str, Handler]:
        own: dict[str, Handler] = {
            "CreateSchedule": self.create,
            "GetSchedule": self.get,
            "UpdateSchedule": self.update,
            "DeleteSchedule": self.delete,
            "ListSchedules": self.list,
        }
        return own | Groups(self._state).operations()

    def create(self, call: Call, params: Params) -> Result:
        """Again with the same token and everything else: the answer of the first time."""
        check_timing(params, call.now)
        check_target(params["Target"])
        name, group = params["Name"], params.get("GroupName", DEFAULT_GROUP)
        existing_group(self._state, call.region, group)
        made = self._made(call, params, created_at=call.now, token=params.get("ClientToken"))
        found = self._state.schedules.get((call.region, group, name))
        if found is not None:
            same = structs.replace(made, created_at=found.created_at, modified_at=found.created_at)
            if made.token is None or same != found:
                raise errors.schedule_exists(name)
            return {"ScheduleArn": found.arn}
        if len(self._state.schedules) >= _MOST_SCHEDULES:
            raise errors.too_many("schedules", _MOST_SCHEDULES)
        self._state.put(made)
        return {"ScheduleArn": made.arn}

    def get(self, call: Call, params: Params) -> Result:
        return _told(self._existing(call, params))

    def update(self, call: Call, params: Params) -> Result:
        """The whole schedule is replaced: what is left out gets its default again."""
        found = self._existing(call, params)
        check_timing(params, call.now, known_start=found.start)
        check_target(params["Target"])
        self._state.put(self._made(call, params, created_at=found.created_at, token=found.token))
        return {"ScheduleArn": found.arn}

    def delete(self, call: Call, params: Params) -> Result:
        """Again with the same token: done."""
        token = params.get("ClientToken")
        group, name = params.get("GroupName", DEFAULT_GROUP), params["Name"]
        if (call.region, group, name) not in self._state.schedules and self._state.was_deleted(
            call.region, token, schedule_arn(call.region, self._state.account, group, name)
        ):
            return {}
        self._state.delete(self._existing(call, params), token)
        return {}

    def list(self, call: Call, params: Params) -> Result:
        """Summaries in the order of group and name; without GroupName those of every group."""
        group, after, size = params.get("GroupName"), start_of(params), size_of(params)
        prefix, state = params.get("NamePrefix", ""), params.get("State")
        if group is not None:
            existing_group(self._state, call.region, group)
        page: list[Schedule] = []
        for place, name in self._state.names(call.region, group, after=after):
            schedule = self._state.schedules[(call.region, place, name)]
            if name.startswith(prefix) and state in (None, schedule.state):
                page.append(schedule)
                if len(page) > size:
                    break
        told = page[:size]
        keys = [(each.group, each.name) for each in told]
        return {"Schedules": [_summary(each) for each in told]} | token_of(keys, len(page) > size)

    def _existing(self, call: Call, params: Params) -> Schedule:
        group = params.get("GroupName", DEFAULT_GROUP)
        existing_group(self._state, call.region, group)
        found = self._state.schedules.get((call.region, group, params["Name"]))
        if found is None:
            raise errors.no_such_schedule(params["Name"])
        return found

    def _made(self, call: Call, params: Params, *, created_at: float, token: str | None) -> Schedule:
        group, name, window = params.get("GroupName", DEFAULT_GROUP), params["Name"], params["FlexibleTimeWindow"]
        target = params["Target"]
        whole = {**target, "RetryPolicy": _RETRIES | target.get("RetryPolicy", {})}
        return Schedule(
            region=call.region,
            group=group,
            name=name,
            arn=schedule_arn(call.region, self._state.account, group, name),
            expression=params["ScheduleExpression"],
            timezone=params.get("ScheduleExpressionTimezone", "UTC"),
            state=params.get("State", "ENABLED"),
            target_json=msgspec.Raw(msgspec.json.encode(whole)),
            window_minutes=window["MaximumWindowInMinutes"] if window["Mode"] == "FLEXIBLE" else 0,
            after_completion=params.get("ActionAfterCompletion", "NONE"),
            created_at=created_at,
            modified_at=call.now,
            start=params.get("StartDate"),
            end=params.get("EndDate"),
            description=params.get("Description"),
            kms_key=params.get("KmsKeyArn"),
            token=token,
        )


def _told(schedule: Schedule) -> Result:
    window: dict[str, Any] = {"Mode": "OFF"}
    if schedule.window_minutes:
        window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": schedule.window_minutes}
    told = {
        "Arn": schedule.arn,
        "GroupName": schedule.group,
        "Name": schedule.name,
        "ScheduleExpression": schedule.expression,
        "StartDate": schedule.start,
        "EndDate": schedule.end,
        "Description": schedule.description,
        "ScheduleExpressionTimezone": schedule.timezone,
        "State": schedule.state,
        "CreationDate": schedule.created_at,
        "LastModificationDate": schedule.modified_at,
        "KmsKeyArn": schedule.kms_key,
        "Target": schedule.target,
        "FlexibleTimeWindow": window,
        "ActionAfterCompletion": schedule.after_completion,
    }
    return {member: value for member, value in told.items() if value is not None}


def _summary(schedule: Schedule) -> Result:
    """No expression in it, and of the target only the ARN."""
    return {
        "Arn": schedule.arn,
        "Name": schedule.name,
        "GroupName": schedule.group,
        "State": schedule.state,
        "CreationDate": schedule.created_at,
        "LastModificationDate": schedule.modified_at,
        "Target": {"Arn": schedule.target["Arn"]},
    }
