"""The operations on trails, and AWS's words for what is wrong with them."""

from typing import Any

import pytest

from tests.unit.engine.trail.conftest import ACCOUNT, GROUP_ARN, REGION, ROLE_ARN, Desk

ARN = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/main"


async def test_a_trail_is_made_told_and_deleted(desk: Desk) -> None:
    made = await desk.call("CreateTrail", Name="main", S3BucketName="b", S3KeyPrefix="p", SnsTopicName="news", TagsList=[{"Key": "a"}])
    expected = {
        "Name": "main", "S3BucketName": "b", "S3KeyPrefix": "p", "SnsTopicName": "news",
        "SnsTopicARN": f"arn:aws:sns:{REGION}:{ACCOUNT}:news", "IncludeGlobalServiceEvents": True, "IsMultiRegionTrail": False,
        "TrailARN": ARN, "LogFileValidationEnabled": False, "IsOrganizationTrail": False,
    }  # fmt: skip
    assert made == expected
    described = expected | {"HomeRegion": REGION, "HasCustomEventSelectors": False, "HasInsightSelectors": False}
    assert await desk.call("GetTrail", Name=ARN) == {"Trail": described}
    assert await desk.call("DescribeTrails") == {"trailList": [described]}
    assert await desk.call("ListTrails") == {"Trails": [{"TrailARN": ARN, "Name": "main", "HomeRegion": REGION}]}
    await desk.call("DeleteTrail", Name="main")
    assert await desk.call("DescribeTrails") == {"trailList": []}


@pytest.mark.parametrize(
    "name, text",
    [
        (" ", "Trail name cannot be blank!"),
        ("a", "Trail name too short. Minimum allowed length: 3 characters. Specified name length: 1 characters."),
        ("a" * 129, "Trail name too long. Maximum allowed length: 128 characters. Specified name length: 129 characters."),
        ("-abc", "Trail name must starts with a letter or number."),
        ("abc-", "Trail name must ends with a letter or number."),
        (
            "a b c",
            "Trail name or ARN can only contain uppercase letters, lowercase letters, numbers, periods (.), hyphens (-), and underscores (_).",
        ),
        ("my-_name", "Trail name cannot have adjacent periods, underscores or dashes."),
        ("192.168.5.4", "Trail names must not be formatted as an IP address."),
    ],
)
async def test_names_that_no_trail_may_have(desk: Desk, name: str, text: str) -> None:
    assert await desk.refused("CreateTrail", Name=name, S3BucketName="b") == ("InvalidTrailNameException", text)


@pytest.mark.parametrize(
    "settings, code",
    [
        ({"S3BucketName": ""}, "InvalidS3BucketNameException"),
        ({"CloudWatchLogsLogGroupArn": GROUP_ARN}, "InvalidCloudWatchLogsRoleArnException"),
        ({"CloudWatchLogsRoleArn": ROLE_ARN}, "InvalidCloudWatchLogsLogGroupArnException"),
        ({"CloudWatchLogsLogGroupArn": "trail", "CloudWatchLogsRoleArn": ROLE_ARN}, "InvalidCloudWatchLogsLogGroupArnException"),
        (
            {"CloudWatchLogsLogGroupArn": GROUP_ARN.replace(REGION, "us-east-1"), "CloudWatchLogsRoleArn": ROLE_ARN},
            "InvalidCloudWatchLogsLogGroupArnException",
        ),
        ({"CloudWatchLogsLogGroupArn": GROUP_ARN, "CloudWatchLogsRoleArn": "trail"}, "InvalidCloudWatchLogsRoleArnException"),
        ({"IsMultiRegionTrail": True, "IncludeGlobalServiceEvents": False}, "InvalidParameterCombinationException"),
        ({"IsOrganizationTrail": True}, "OrganizationsNotInUseException"),
        ({"TagsList": [{"Key": "a"}, {"Key": "a"}]}, "InvalidTagParameterException"),
        ({"TagsList": [{"Key": f"k{n}"} for n in range(51)]}, "TagsLimitExceededException"),
    ],
)
async def test_settings_that_do_not_go_together(desk: Desk, settings: dict[str, Any], code: str) -> None:
    found, _ = await desk.refused("CreateTrail", **({"Name": "main", "S3BucketName": "b"} | settings))
    assert found == code
    assert await desk.call("DescribeTrails") == {"trailList": []}


async def test_a_name_is_taken_once_and_five_are_the_most(desk: Desk) -> None:
    await desk.make("main", logging=False)
    assert await desk.refused("CreateTrail", Name="main", S3BucketName="b") == (
        "TrailAlreadyExistsException",
        f"Trail main already exists for customer: {ACCOUNT}",
    )
    for number in range(4):
        await desk.make(f"more{number}", logging=False)
    assert await desk.refused("CreateTrail", Name="sixth", S3BucketName="b") == (
        "MaximumNumberOfTrailsExceededException",
        f"User: {ACCOUNT} already has 5 trails in {REGION}.",
    )


@pytest.mark.parametrize("operation", ["GetTrail", "UpdateTrail", "DeleteTrail", "StartLogging", "StopLogging"])
async def test_an_unknown_trail_is_told_as_it_was_asked_for(desk: Desk, operation: str) -> None:
    assert await desk.refused(operation, Name="main") == ("TrailNotFoundException", f"Unknown trail: main for the user: {ACCOUNT}")


@pytest.mark.parametrize(
    "operation, member", [("GetTrailStatus", "Name"), ("GetEventSelectors", "TrailName")]
)  # fmt: skip
async def test_an_unknown_trail_is_told_by_its_arn(desk: Desk, operation: str, member: str) -> None:
    text = f"Unknown trail: {ARN} for the user: {ACCOUNT}"
    assert await desk.refused(operation, **{member: "main"}) == ("TrailNotFoundException", text)
    assert await desk.refused(operation, **{member: ARN}) == ("TrailNotFoundException", text)


@pytest.mark.parametrize("arn", ["arn:aws:cloudtrail", f"arn:aws:s3:::{ACCOUNT}", ARN.replace(ACCOUNT, "000000000000")])
async def test_arns_of_something_else(desk: Desk, arn: str) -> None:
    assert (await desk.refused("GetTrail", Name=arn))[0] == "CloudTrailARNInvalidException"


async def test_a_multi_region_trail_has_a_shadow_in_every_region_and_is_changed_at_home(desk: Desk) -> None:
    await desk.make("main", logging=False, IsMultiRegionTrail=True)
    (shadow,) = (await desk.call("DescribeTrails", region="us-east-1"))["trailList"]
    assert (shadow["TrailARN"], shadow["HomeRegion"]) == (ARN, REGION)
    assert (await desk.call("DescribeTrails", region="us-east-1", includeShadowTrails=False))["trailList"] == []
    assert (await desk.call("GetTrailStatus", region="us-east-1", Name=ARN))["IsLogging"] is False
    assert (await desk.refused("StopLogging", region="us-east-1", Name=ARN))[0] == "InvalidHomeRegionException"
    assert (await desk.refused("StopLogging", region="us-east-1", Name="main"))[0] == "TrailNotFoundException"
    await desk.call("UpdateTrail", Name="main", IsMultiRegionTrail=False)
    assert (await desk.call("DescribeTrails", region="us-east-1"))["trailList"] == []


async def test_an_update_changes_what_is_given_and_takes_away_what_is_empty(desk: Desk) -> None:
    await desk.make("main", logging=False, CloudWatchLogsLogGroupArn=GROUP_ARN, CloudWatchLogsRoleArn=ROLE_ARN, S3KeyPrefix="p")
    changed = await desk.call(
        "UpdateTrail", Name="main", CloudWatchLogsLogGroupArn="", CloudWatchLogsRoleArn="", EnableLogFileValidation=True
    )
    assert (changed["S3KeyPrefix"], changed["S3BucketName"], changed["LogFileValidationEnabled"]) == ("p", "bucket", True)
    assert "CloudWatchLogsLogGroupArn" not in changed
    assert (await desk.refused("UpdateTrail", Name="main", S3BucketName=""))[0] == "InvalidS3BucketNameException"


async def test_logging_is_told_with_its_moments(desk: Desk) -> None:
    await desk.make("main", logging=False)
    before = await desk.call("GetTrailStatus", Name="main")
    assert (before["IsLogging"], before["TimeLoggingStarted"], "StartLoggingTime" in before) == (False, "", False)
    started = desk.clock.now()
    await desk.call("StartLogging", Name="main")
    await desk.clock.advance(60)
    await desk.call("StopLogging", Name="main")
    after = await desk.call("GetTrailStatus", Name="main")
    assert (after["IsLogging"], after["StartLoggingTime"], after["StopLoggingTime"]) == (False, started, started + 60)
    assert after["TimeLoggingStarted"] == "2026-11-26T15:00:00Z"


async def test_event_selectors_are_kept_and_either_kind_replaces_the_other(desk: Desk) -> None:
    await desk.make("main", logging=False)
    default = {"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": [], "ExcludeManagementEventSources": []}
    assert (await desk.call("GetEventSelectors", TrailName="main"))["EventSelectors"] == [default]
    told = await desk.call("PutEventSelectors", TrailName="main", EventSelectors=[{"ReadWriteType": "WriteOnly"}])
    assert told == {"TrailARN": ARN, "EventSelectors": [default | {"ReadWriteType": "WriteOnly"}]}
    advanced = [{"Name": "all", "FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}]
    await desk.call("PutEventSelectors", TrailName="main", AdvancedEventSelectors=advanced)
    assert await desk.call("GetEventSelectors", TrailName="main") == {"TrailARN": ARN, "AdvancedEventSelectors": advanced}
    assert (await desk.call("GetTrail", Name="main"))["Trail"]["HasCustomEventSelectors"] is True


@pytest.mark.parametrize(
    "selectors",
    [
        {},
        {"EventSelectors": [{}], "AdvancedEventSelectors": [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Data"]}]}]},
        {"EventSelectors": [{}] * 6},
        {"AdvancedEventSelectors": [{"FieldSelectors": [{"Field": "readOnly", "Equals": ["true"]}]}]},
        {"AdvancedEventSelectors": [{"FieldSelectors": [{"Field": "eventCategory"}]}]},
    ],
)
async def test_event_selectors_that_make_no_sense(desk: Desk, selectors: dict[str, Any]) -> None:
    await desk.make("main", logging=False)
    assert (await desk.refused("PutEventSelectors", TrailName="main", **selectors))[0] == "InvalidEventSelectorsException"


async def test_insight_selectors(desk: Desk) -> None:
    await desk.make("main", logging=False)
    assert await desk.refused("GetInsightSelectors", TrailName="main") == (
        "InsightNotEnabledException",
        f"Trail {ARN} does not have Insights enabled. Edit the trail settings to enable Insights, and then try the operation again.",
    )
    chosen = [{"InsightType": "ApiCallRateInsight"}]
    await desk.call("PutInsightSelectors", TrailName="main", InsightSelectors=chosen)
    assert await desk.call("GetInsightSelectors", TrailName="main") == {"TrailARN": ARN, "InsightSelectors": chosen}
    assert (await desk.refused("PutInsightSelectors", TrailName="main", InsightSelectors=[{}]))[0] == "InvalidInsightSelectorsException"
    assert (await desk.refused("GetInsightSelectors"))[0] == "InvalidParameterCombinationException"
    assert (await desk.refused("GetInsightSelectors", EventDataStore="store"))[0] == "UnsupportedOperationException"


async def test_tags_are_added_told_and_removed(desk: Desk) -> None:
    await desk.make("main", logging=False)
    await desk.call("AddTags", ResourceId=ARN, TagsList=[{"Key": "a", "Value": "1"}, {"Key": "b"}])
    await desk.call("AddTags", ResourceId=ARN, TagsList=[{"Key": "a", "Value": "2"}])
    await desk.call("RemoveTags", ResourceId=ARN, TagsList=[{"Key": "b"}, {"Key": "c"}])
    told = await desk.call("ListTags", ResourceIdList=[ARN])
    assert told == {"ResourceTagList": [{"ResourceId": ARN, "TagsList": [{"Key": "a", "Value": "2"}]}]}
    assert (await desk.refused("ListTags", ResourceIdList=[ARN + "x"]))[0] == "ResourceNotFoundException"
    assert (await desk.refused("AddTags", ResourceId="main", TagsList=[]))[0] == "CloudTrailARNInvalidException"
    assert (await desk.refused("AddTags", ResourceId=ARN, TagsList=[{"Key": "aws:a"}]))[0] == "InvalidTagParameterException"
