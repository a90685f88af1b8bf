"""Tags of what runs, put on and taken off; task protection of tasks that no service owns."""

import pytest

from tests.support.engine import Bench, Refused


async def tags_of(bench: Bench, arn: str) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in (await bench.call("ListTagsForResource", resourceArn=arn))["tags"]}


async def test_a_tag_that_is_put_on_a_task_is_described_and_a_later_value_takes_its_place(bench: Bench) -> None:
    await bench.define("job", "run_for=forever")
    arn = await bench.run_one("job", tags=[{"key": "team", "value": "a"}])
    await bench.call("TagResource", resourceArn=arn, tags=[{"key": "hinoban:keep", "value": "true"}, {"key": "team", "value": "b"}])
    assert await tags_of(bench, arn) == {"team": "b", "hinoban:keep": "true"}
    described = await bench.task(arn, include=["TAGS"])
    assert {tag["key"] for tag in described["tags"]} == {"team", "hinoban:keep"}
    assert described["version"] == (await bench.task(arn))["version"]
    await bench.call("UntagResource", resourceArn=arn, tagKeys=["team", "never"])
    assert await tags_of(bench, arn) == {"hinoban:keep": "true"}
    await bench.reopen()
    assert await tags_of(bench, arn) == {"hinoban:keep": "true"}


async def test_a_definition_and_a_cluster_can_be_tagged_too(bench: Bench) -> None:
    definition = await bench.define("job")
    cluster = (await bench.call("CreateCluster", clusterName="batch"))["cluster"]["clusterArn"]
    for arn in (definition, cluster):
        await bench.call("TagResource", resourceArn=arn, tags=[{"key": "team", "value": "a"}])
        assert await tags_of(bench, arn) == {"team": "a"}


@pytest.mark.parametrize(
    ("arn", "code"),
    [
        ("nonsense", "InvalidParameterException"),
        ("arn:aws:ecs:ap-northeast-1:123456789012:task/" + "0" * 32, "InvalidParameterException"),
        ("arn:aws:ecs:ap-northeast-1:123456789012:task/default/" + "0" * 32, "ResourceNotFoundException"),
    ],
)
async def test_what_is_not_there_cannot_be_tagged(bench: Bench, arn: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        await bench.call("TagResource", resourceArn=arn, tags=[{"key": "a", "value": "b"}])
    assert refused.value.code == code


async def test_no_more_than_fifty_tags_and_none_of_awss_own(bench: Bench) -> None:
    arn = await bench.define("job")
    many = [{"key": f"k{number}", "value": ""} for number in range(50)]
    await bench.call("TagResource", resourceArn=arn, tags=many)
    for one_more in ("k50", "aws:mine"):
        with pytest.raises(Refused):
            await bench.call("TagResource", resourceArn=arn, tags=[{"key": one_more, "value": ""}])


async def test_a_task_that_no_service_owns_cannot_be_protected(bench: Bench) -> None:
    await bench.define("job", "run_for=forever")
    arn = await bench.run_one("job")
    answer = await bench.call("GetTaskProtection", cluster="default", tasks=[arn, "0" * 32])
    assert [one["reason"] for one in answer["failures"]] == ["TASK_NOT_VALID", "MISSING"]
    answer = await bench.call("UpdateTaskProtection", cluster="default", tasks=[arn], protectionEnabled=True)
    assert (answer["protectedTasks"], answer["failures"][0]["reason"]) == ([], "TASK_NOT_VALID")
