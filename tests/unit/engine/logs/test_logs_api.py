"""CloudWatch Logs' operations, each rule with AWS's text (facts/logs.md §§1-3)."""

import pytest

from hinoban.aws.errors import AwsError

DAY = 24 * 3600 * 1000
HOUR = 3600 * 1000


def refused(desk, code, text, operation, **params):
    with pytest.raises(AwsError) as caught:
        desk.ask(operation, **params)
    assert (caught.value.code, caught.value.message) == (code, text)


def texts(answer):
    return [event["message"] for event in answer["events"]]


async def test_a_group_is_described_with_both_spellings_of_its_arn(desk):
    [group] = desk.ask("DescribeLogGroups")["logGroups"]
    arn = "arn:aws:logs:ap-northeast-1:123456789012:log-group:/g"
    assert group == {
        "logGroupName": "/g",
        "creationTime": desk.now,
        "metricFilterCount": 0,
        "arn": arn + ":*",
        "logGroupArn": arn,
        "storedBytes": 0,
        "logGroupClass": "STANDARD",
        "deletionProtectionEnabled": False,
    }


async def test_existing_and_missing_things_are_told_in_the_words_of_aws(desk):
    refused(desk, "ResourceAlreadyExistsException", "The specified log group already exists", "CreateLogGroup", logGroupName="/g")
    exists = "The specified log stream already exists"
    refused(desk, "ResourceAlreadyExistsException", exists, "CreateLogStream", logGroupName="/g", logStreamName="s")
    no_group, no_stream = "The specified log group does not exist.", "The specified log stream does not exist."
    missing = "ResourceNotFoundException"
    refused(desk, missing, no_group, "CreateLogStream", logGroupName="/x", logStreamName="s")
    refused(desk, missing, no_group, "DeleteLogGroup", logGroupName="/x")
    refused(desk, missing, no_group, "FilterLogEvents", logGroupName="/x")
    refused(desk, missing, no_group, "DescribeLogStreams", logGroupName="/x")
    refused(desk, missing, no_group, "GetLogEvents", logGroupName="/x", logStreamName="s")
    refused(desk, missing, no_stream, "GetLogEvents", logGroupName="/g", logStreamName="x")
    refused(desk, missing, no_stream, "FilterLogEvents", logGroupName="/g", logStreamNames=["x"])
    refused(
        desk, missing, no_stream, "PutLogEvents", logGroupName="/g", logStreamName="x", logEvents=[{"timestamp": desk.now, "message": "m"}]
    )


async def test_groups_are_found_by_prefix_or_pattern_and_paged(desk):
    for name in ("/app/a", "/app/b", "/other"):
        desk.ask("CreateLogGroup", logGroupName=name)
    first = desk.ask("DescribeLogGroups", logGroupNamePrefix="/app", limit=1)
    assert [group["logGroupName"] for group in first["logGroups"]] == ["/app/a"]
    second = desk.ask("DescribeLogGroups", logGroupNamePrefix="/app", limit=1, nextToken=first["nextToken"])
    assert [group["logGroupName"] for group in second["logGroups"]] == ["/app/b"] and "nextToken" not in second
    assert [group["logGroupName"] for group in desk.ask("DescribeLogGroups", logGroupNamePattern="THER")["logGroups"]] == ["/other"]
    both = "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."
    refused(desk, "InvalidParameterException", both, "DescribeLogGroups", logGroupNamePrefix="/a", logGroupNamePattern="a")
    refused(desk, "InvalidParameterException", "The specified nextToken is invalid.", "DescribeLogGroups", nextToken="x")


async def test_streams_are_listed_by_name_or_by_their_last_event(desk):
    for name in ("a", "b"):
        desk.ask("CreateLogStream", logGroupName="/g", logStreamName=name)
    desk.put((desk.now - 5, "x"), stream="b")
    desk.put((desk.now, "x"), stream="a")

    def names(**params):
        return [stream["logStreamName"] for stream in desk.ask("DescribeLogStreams", logGroupName="/g", **params)["logStreams"]]

    assert names() == ["a", "b", "s"]
    assert names(orderBy="LastEventTime", descending=True) == ["a", "b", "s"]
    assert names(orderBy="LastEventTime") == ["s", "b", "a"]
    assert names(logStreamNamePrefix="b") == ["b"]
    page = desk.ask("DescribeLogStreams", logGroupName="/g", limit=2)
    assert names(nextToken=page["nextToken"]) == ["s"]
    a = page["logStreams"][0]
    assert (a["firstEventTimestamp"], a["lastEventTimestamp"], a["lastIngestionTime"]) == (desk.now, desk.now, desk.now)
    assert a["arn"].endswith(":log-group:/g:log-stream:a")


async def test_events_too_old_or_too_new_are_dropped_and_told_by_index(desk):
    answer = desk.put((desk.now - 14 * DAY - 1, "old"), (desk.now, "good"), (desk.now + 2 * HOUR + 1, "new"))
    assert answer["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1, "tooNewLogEventStartIndex": 2}
    assert texts(desk.ask("GetLogEvents", logGroupName="/g", logStreamName="s")) == ["good"]
    assert "rejectedLogEventsInfo" not in desk.put((desk.now - 14 * DAY, "just"))
    assert "rejectedLogEventsInfo" not in desk.put((desk.now + 2 * HOUR, "just"))


async def test_a_batch_out_of_order_too_long_or_too_large_fails_as_a_whole(desk):
    def fails(text, *events):
        with pytest.raises(AwsError) as caught:
            desk.put(*events)
        assert (caught.value.code, caught.value.message) == ("InvalidParameterException", text)

    fails("Log events in a single PutLogEvents request must be in chronological order.", (desk.now, "b"), (desk.now - 1, "a"))
    fails(
        "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
        (desk.now - DAY - 1, "a"),
        (desk.now, "b"),
    )
    half = "x" * (1_048_576 // 2)
    fails("Upload too large: 1048628 bytes exceeds limit of 1048576", (desk.now, half), (desk.now, half))
    assert texts(desk.ask("GetLogEvents", logGroupName="/g", logStreamName="s")) == []


async def test_without_a_token_the_latest_page_comes_first_and_in_order(desk):
    desk.put(*((desk.now + index, f"m{index}") for index in range(5)))
    latest = desk.ask("GetLogEvents", logGroupName="/g", logStreamName="s", limit=2)
    assert texts(latest) == ["m3", "m4"]
    earlier = desk.ask("GetLogEvents", logGroupName="/g", logStreamName="s", limit=2, nextToken=latest["nextBackwardToken"])
    assert texts(earlier) == ["m1", "m2"]
    assert texts(desk.ask("GetLogEvents", logGroupName="/g", logStreamName="s", limit=2, startFromHead=True)) == ["m0", "m1"]


async def test_the_end_is_reached_when_the_token_comes_back_and_new_events_follow_it(desk):
    desk.put((desk.now, "a"))
    first = desk.ask("GetLogEvents", logGroupName="/g", logStreamName="s", startFromHead=True)
    token = first["nextForwardToken"]
    again = desk.ask("GetLogEvents", logGroupName="/g", logStreamName="s", startFromHead=True, nextToken=token)
    assert again["events"] == [] and again["nextForwardToken"] == token
    desk.put((desk.now, "b"))
    assert texts(desk.ask("GetLogEvents", logGroupName="/g", logStreamName="s", nextToken=token)) == ["b"]
    refused(
        desk, "InvalidParameterException", "The specified nextToken is invalid.", "GetLogEvents", logGroupName="/g", logStreamName="s",
        nextToken="f/1/s",
    )  # fmt: skip


async def test_an_empty_stream_has_tokens_that_lead_to_its_first_event(desk):
    empty = desk.ask("GetLogEvents", logGroupName="/g", logStreamName="s")
    desk.put((desk.now - 9, "a"))
    assert texts(desk.ask("GetLogEvents", logGroupName="/g", logStreamName="s", nextToken=empty["nextForwardToken"])) == ["a"]


async def test_the_end_time_is_exclusive_for_get_and_inclusive_for_filter(desk):
    desk.put((desk.now, "a"), (desk.now + 1, "b"))
    window = {"startTime": desk.now, "endTime": desk.now + 1}
    assert texts(desk.ask("GetLogEvents", logGroupName="/g", logStreamName="s", **window)) == ["a"]
    assert texts(desk.ask("FilterLogEvents", logGroupName="/g", **window)) == ["a", "b"]


async def test_filter_interleaves_streams_and_pages_without_a_gap(desk):
    desk.ask("CreateLogStream", logGroupName="/g", logStreamName="t")
    desk.put((desk.now, "s0"), (desk.now + 2, "s2"))
    desk.put((desk.now + 1, "t1"), (desk.now + 3, "t3"), stream="t")
    first = desk.ask("FilterLogEvents", logGroupName="/g", limit=3, filterPattern=" ")
    assert texts(first) == ["s0", "t1", "s2"] and first["searchedLogStreams"] == []
    second = desk.ask("FilterLogEvents", logGroupName="/g", limit=3, nextToken=first["nextToken"])
    assert texts(second) == ["t3"] and "nextToken" not in second
    assert texts(desk.ask("FilterLogEvents", logGroupName="/g", logStreamNamePrefix="t")) == ["t1", "t3"]
    ids = {event["eventId"] for event in first["events"] + second["events"]}
    assert len(ids) == 4 and {len(id_) for id_ in ids} == {56}


async def test_a_filter_token_expires_after_a_day(desk):
    desk.put((desk.now, "a"), (desk.now, "b"))
    token = desk.ask("FilterLogEvents", logGroupName="/g", limit=1)["nextToken"]
    desk.tick(24 * 3600 + 1)
    refused(desk, "InvalidParameterException", "The specified nextToken is invalid.", "FilterLogEvents", logGroupName="/g", nextToken=token)


async def test_a_filter_pattern_is_refused_rather_than_ignored(desk):
    with pytest.raises(AwsError, match="filterPattern"):
        desk.ask("FilterLogEvents", logGroupName="/g", filterPattern="ERROR")


async def test_a_group_may_be_named_by_its_arn_without_the_star(desk):
    desk.put((desk.now, "a"))
    arn = "arn:aws:logs:ap-northeast-1:123456789012:log-group:/g"
    assert texts(desk.ask("GetLogEvents", logGroupIdentifier=arn, logStreamName="s")) == ["a"]
    with pytest.raises(AwsError):
        desk.ask("GetLogEvents", logGroupIdentifier=arn + ":*", logStreamName="s")
    with pytest.raises(AwsError):
        desk.ask("GetLogEvents", logGroupIdentifier=arn, logGroupName="/g", logStreamName="s")


async def test_a_page_holds_no_more_than_a_megabyte(desk):
    for index in range(3):
        desk.put((desk.now + index, str(index) * 500_000))
    page = desk.ask("GetLogEvents", logGroupName="/g", logStreamName="s", startFromHead=True)
    assert len(page["events"]) == 2
    assert len(desk.ask("GetLogEvents", logGroupName="/g", logStreamName="s", nextToken=page["nextForwardToken"])["events"]) == 1


async def test_a_protected_group_is_not_deleted(desk):
    desk.ask("CreateLogGroup", logGroupName="/p", deletionProtectionEnabled=True)
    with pytest.raises(AwsError) as caught:
        desk.ask("DeleteLogGroup", logGroupName="/p")
    assert caught.value.code == "ValidationException"


async def test_a_deleted_group_takes_its_events_along_and_its_name_is_free_again(desk):
    desk.put((desk.now, "a"))
    await desk.database.committed()
    desk.ask("DeleteLogGroup", logGroupName="/g")
    desk.ask("CreateLogGroup", logGroupName="/g")
    desk.ask("CreateLogStream", logGroupName="/g", logStreamName="s")
    desk.put((desk.now, "b"))
    await desk.database.committed()
    assert texts(desk.ask("GetLogEvents", logGroupName="/g", logStreamName="s")) == ["b"]
    assert len(list((desk.root / "logs").iterdir())) == 1


async def test_an_empty_stream_deleted_and_made_again_in_one_turn_keeps_what_is_written_then(desk):
    await desk.database.committed()
    desk.ask("DeleteLogGroup", logGroupName="/g")
    desk.ask("CreateLogGroup", logGroupName="/g")
    desk.ask("CreateLogStream", logGroupName="/g", logStreamName="s")
    desk.put((desk.now, "b"))
    await desk.database.committed()
    assert texts(desk.ask("GetLogEvents", logGroupName="/g", logStreamName="s")) == ["b"]
    desk.reopen()
    assert texts(desk.ask("GetLogEvents", logGroupName="/g", logStreamName="s")) == ["b"]
