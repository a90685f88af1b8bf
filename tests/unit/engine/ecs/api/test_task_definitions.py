"""RegisterTaskDefinition and its siblings: revisions, states, pages (facts/ecs.md §§3.3, 11.4)."""

import pytest

from tests.support.engine import Bench, Refused


async def test_every_registration_is_a_new_revision_for_ever(bench: Bench) -> None:
    assert [(await bench.define()).rpartition(":")[2] for _ in range(2)] == ["1", "2"]
    await bench.call("DeregisterTaskDefinition", taskDefinition="job:2")
    await bench.reopen()
    assert (await bench.define()).endswith("job:3")


async def test_a_name_means_the_newest_active_revision(bench: Bench) -> None:
    for _ in range(3):
        await bench.define()
    await bench.call("DeregisterTaskDefinition", taskDefinition="job:3")
    for text, revision in (("job", 2), ("job:3", 3), ("job:1", 1)):
        assert (await bench.call("DescribeTaskDefinition", taskDefinition=text))["taskDefinition"]["revision"] == revision
    arn = (await bench.call("DescribeTaskDefinition", taskDefinition="job"))["taskDefinition"]["taskDefinitionArn"]
    assert (await bench.call("DescribeTaskDefinition", taskDefinition=arn))["taskDefinition"]["revision"] == 2


async def test_tags_are_answered_beside_the_definition_where_asked_for(bench: Bench) -> None:
    await bench.define(tags=[{"key": "a", "value": "b"}])
    assert "tags" not in await bench.call("DescribeTaskDefinition", taskDefinition="job")
    answer = await bench.call("DescribeTaskDefinition", taskDefinition="job", include=["TAGS"])
    assert answer["tags"] == [{"key": "a", "value": "b"}]


async def test_deregistering_keeps_it_describable_and_says_when(bench: Bench) -> None:
    await bench.define()
    gone = (await bench.call("DeregisterTaskDefinition", taskDefinition="job:1"))["taskDefinition"]
    assert (gone["status"], gone["deregisteredAt"]) == ("INACTIVE", bench.clock.now())
    assert (await bench.call("DescribeTaskDefinition", taskDefinition="job:1"))["taskDefinition"] == gone


@pytest.mark.parametrize(
    "operation, text, message",
    [
        ("DescribeTaskDefinition", "nobody", "Unable to describe task definition."),
        ("DescribeTaskDefinition", "job:99999999999999999999", "Invalid revision number. Number: 99999999999999999999"),
        ("DeregisterTaskDefinition", "nobody:1", "Unable to describe task definition."),
        ("DeregisterTaskDefinition", "job", "Invalid revision number. Number: null"),
        ("DescribeTaskDefinition", "arn:aws:ecs:eu-west-1:123456789012:task-definition/job:1", "Unable to describe task definition."),
    ],
)
async def test_a_refusal_has_awss_words(bench: Bench, operation: str, text: str, message: str) -> None:
    await bench.define()
    with pytest.raises(Refused) as caught:
        await bench.call(operation, taskDefinition=text)
    assert (caught.value.code, caught.value.text) == ("ClientException", message)


async def test_the_list_is_by_family_and_then_by_number(bench: Bench) -> None:
    for family in ("b", "a"):
        for _ in range(11):
            await bench.define(family)
    await bench.call("DeregisterTaskDefinition", taskDefinition="a:1")

    async def names(**params: object) -> list[str]:
        return [arn.rpartition("/")[2] for arn in (await bench.call("ListTaskDefinitions", **params))["taskDefinitionArns"]]

    assert (await names())[:10] == [f"a:{number}" for number in range(2, 12)]
    assert (await names(sort="DESC"))[:2] == ["b:11", "b:10"]
    assert await names(status="INACTIVE") == ["a:1"]
    assert len(await names(familyPrefix="b")) == 11
    first = await bench.call("ListTaskDefinitions", maxResults=20)
    rest = await bench.call("ListTaskDefinitions", maxResults=20, nextToken=first["nextToken"])
    assert len(first["taskDefinitionArns"]) + len(rest["taskDefinitionArns"]) == 21
