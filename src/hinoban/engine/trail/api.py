"""The API of trails (facts/cloudtrail_sns_lambda.md §1): make, change, tell and delete them, start and stop their logging.

Differs from AWS: nothing is delivered to S3 or SNS, so the bucket, the topic, the key and the role are kept and not looked at.
"""

from typing import Any

from msgspec import structs

from hinoban.aws import arns
from hinoban.aws.call import Call, Handler, Params, Result
from hinoban.base.units import iso_seconds
from hinoban.engine.trail import errors
from hinoban.engine.trail.model import TrailConfig, trail_arn
from hinoban.engine.trail.names import check_name, find, find_to_change
from hinoban.engine.trail.publish import group_of
from hinoban.engine.trail.state import TrailState
from hinoban.engine.trail.tags import tags_of

# Member of CreateTrail and UpdateTrail -> ours.
_SETTINGS = {
    "S3BucketName": "bucket",
    "S3KeyPrefix": "prefix",
    "SnsTopicName": "topic",
    "IncludeGlobalServiceEvents": "global_events",
    "IsMultiRegionTrail": "multi_region",
    "EnableLogFileValidation": "validation",
    "CloudWatchLogsLogGroupArn": "group_arn",
    "CloudWatchLogsRoleArn": "role_arn",
    "KmsKeyId": "kms_key",
}


class Trails:
    """The operations on trails themselves."""

    def __init__(self, state: TrailState) -> None:
        self._state = state

    def operations(self) -> dict[str, Handler]:
        return {
            "CreateTrail": self.create_trail,
            "UpdateTrail": self.update_trail,
            "DeleteTrail": self.delete_trail,
            "DescribeTrails": self.describe_trails,
            "GetTrail": self.get_trail,
            "GetTrailStatus": self.get_trail_status,
            "ListTrails": self.list_trails,
            "StartLogging": self.start_logging,
            "StopLogging": self.stop_logging,
        }

    def create_trail(self, call: Call, params: Params) -> Result:
        """A trail that does not log yet. Five of a region, the shadows of multi-region ones among them."""
        name = params["Name"]
        check_name(name)
        if not params["S3BucketName"].strip():
            raise errors.no_bucket()
        if (call.region, name) in self._state.trails:
            raise errors.trail_exists(name, call.account)
        made = _with_settings(TrailConfig(region=call.region, name=name, arn=trail_arn(call.region, call.account, name), bucket=""), params)
        if len(self._state.seen_in(call.region)) >= errors.MOST_TRAILS:
            raise errors.too_many_trails(call.account, call.region)
        made = structs.replace(made, tags=tags_of({}, params.get("TagsList", [])))
        self._state.put(made)
        return _answer(made)

    def update_trail(self, call: Call, params: Params) -> Result:
        """Change what is given; an empty text takes the setting away."""
        trail = find_to_change(self._state, call, params["Name"])
        if "S3BucketName" in params and not params["S3BucketName"].strip():
            raise errors.no_bucket()
        changed = _with_settings(trail, params)
        self._state.put(changed)
        return _answer(changed)

    def delete_trail(self, call: Call, params: Params) -> Result:
        self._state.delete(find_to_change(self._state, call, params["Name"]).key)
        return {}

    def describe_trails(self, call: Call, params: Params) -> Result:
        """The region's trails and, unless `includeShadowTrails` is false, the shadows of multi-region ones; names nobody has are left out."""
        trails = self._state.seen_in(call.region, shadows=params.get("includeShadowTrails", True))
        if wanted := params.get("trailNameList"):
            trails = [trail for trail in trails if trail.arn in wanted or (trail.region == call.region and trail.name in wanted)]
        return {"trailList": [_described(trail) for trail in trails]}

    def get_trail(self, call: Call, params: Params) -> Result:
        return {"Trail": _described(find(self._state, call, params["Name"], as_asked=True))}

    def get_trail_status(self, call: Call, params: Params) -> Result:
        """The members that end in Time and are texts are what the console's first version showed; empty where nothing happened."""
        trail = find(self._state, call, params["Name"])
        told: dict[str, Any] = {
            "IsLogging": trail.logging,
            "StartLoggingTime": trail.started_at,
            "StopLoggingTime": trail.stopped_at,
            "LatestCloudWatchLogsDeliveryTime": trail.delivered_at,
            "LatestCloudWatchLogsDeliveryError": trail.delivery_error,
            "LatestDeliveryAttemptTime": "",
            "LatestNotificationAttemptTime": "",
            "LatestNotificationAttemptSucceeded": "",
            "LatestDeliveryAttemptSucceeded": "",
            "TimeLoggingStarted": "" if trail.started_at is None else iso_seconds(trail.started_at),
            "TimeLoggingStopped": "" if trail.stopped_at is None else iso_seconds(trail.stopped_at),
        }
        return {name: value for name, value in told.items() if value is not None}

    def list_trails(self, call: Call, params: Params) -> Result:
        """The account's trails of every region ("ListTrails", CloudTrail API Reference), on one page: a region has five."""
        trails = sorted(self._state.trails.values(), key=lambda trail: trail.arn)
        return {"Trails": [{"TrailARN": trail.arn, "Name": trail.name, "HomeRegion": trail.region} for trail in trails]}

    def start_logging(self, call: Call, params: Params) -> Result:
        self._state.start(find_to_change(self._state, call, params["Name"]).key, call.now)
        return {}

    def stop_logging(self, call: Call, params: Params) -> Result:
        self._state.stop(find_to_change(self._state, call, params["Name"]).key, call.now)
        return {}


def _with_settings(trail: TrailConfig, params: Params) -> TrailConfig:
    """The trail with what the call sets; AwsError where it does not go together."""
    if params.get("IsOrganizationTrail"):
        raise errors.no_organization()
    given = {ours: params[member] for member, ours in _SETTINGS.items() if member in params}
    changed = structs.replace(trail, **{name: None if value == "" else value for name, value in given.items()})
    if changed.multi_region and not changed.global_events:
        raise errors.needs_global_events()
    if changed.group_arn is not None and changed.role_arn is None:
        raise errors.no_role()
    if changed.role_arn is not None and changed.group_arn is None:
        raise errors.no_group()
    if changed.group_arn is not None:
        _check_group(changed.group_arn, changed.region)
        if not (changed.role_arn or "").startswith("arn:") or ":role/" not in (changed.role_arn or ""):
            raise errors.bad_role()
    return changed


def _check_group(group_arn: str, region: str) -> None:
    """It must be a log group's ARN of the trail's own region. Whether the group exists is seen at the first delivery."""
    try:
        where, _ = group_of(group_arn)
    except ValueError:
        raise errors.bad_group() from None
    if where != region:
        raise errors.bad_group()


def _answer(trail: TrailConfig) -> Result:
    """What CreateTrail and UpdateTrail answer."""
    topic = trail.topic
    told = {
        "Name": trail.name,
        "S3BucketName": trail.bucket,
        "S3KeyPrefix": trail.prefix,
        "SnsTopicName": topic if topic is None else topic.rpartition(":")[2],
        "SnsTopicARN": topic if topic is None or arns.is_arn(topic) else _topic_arn(trail, topic),
        "IncludeGlobalServiceEvents": trail.global_events,
        "IsMultiRegionTrail": trail.multi_region,
        "TrailARN": trail.arn,
        "LogFileValidationEnabled": trail.validation,
        "CloudWatchLogsLogGroupArn": trail.group_arn,
        "CloudWatchLogsRoleArn": trail.role_arn,
        "KmsKeyId": trail.kms_key,
        "IsOrganizationTrail": False,
    }
    return {name: value for name, value in told.items() if value is not None}


def _described(trail: TrailConfig) -> Result:
    return _answer(trail) | {
        "HomeRegion": trail.region,
        "HasCustomEventSelectors": trail.selectors is not None or trail.advanced is not None,
        "HasInsightSelectors": bool(trail.insights),
    }


def _topic_arn(trail: TrailConfig, name: str) -> str:
    found = arns.parse(trail.arn)
    return f"arn:{found.partition}:sns:{found.region}:{found.account}:{name}"
