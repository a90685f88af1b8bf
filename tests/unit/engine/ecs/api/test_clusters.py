"""CreateCluster, DescribeClusters, ListClusters, UpdateClusterSettings, DeleteCluster (facts/ecs.md §11.5)."""

import pytest

from tests.support.engine import REGION, Bench, Refused

STEM = f"arn:aws:ecs:{REGION}:123456789012:cluster/"


async def test_create_is_idempotent_by_name(bench: Bench) -> None:
    first = await bench.call("CreateCluster", clusterName="batch", tags=[{"key": "a", "value": "b"}])
    second = await bench.call("CreateCluster", clusterName="batch")
    assert first == second
    assert first["cluster"]["clusterArn"] == STEM + "batch"
    assert first["cluster"]["settings"] == [{"name": "containerInsights", "value": "disabled"}]
    assert (await bench.call("ListClusters"))["clusterArns"] == [STEM + "batch", STEM + "default"]


async def test_a_cluster_counts_its_tasks(bench: Bench) -> None:
    await bench.define(script="start_after=5s run_for=5s")
    await bench.run(count=3)

    async def counted() -> tuple[int, int]:
        (cluster,) = (await bench.call("DescribeClusters", clusters=["default"], include=["STATISTICS"]))["clusters"]
        values = {each["name"]: each["value"] for each in cluster["statistics"]}
        assert values["runningFargateTasksCount"] == str(cluster["runningTasksCount"])
        return cluster["runningTasksCount"], cluster["pendingTasksCount"]

    assert await counted() == (0, 3)
    await bench.clock.advance(6)
    assert await counted() == (3, 0)
    await bench.clock.advance(6)
    assert await counted() == (0, 0)


async def test_what_is_not_asked_for_is_empty(bench: Bench) -> None:
    await bench.call("CreateCluster", clusterName="batch", tags=[{"key": "a", "value": "b"}])
    (plain,) = (await bench.call("DescribeClusters", clusters=["batch"]))["clusters"]
    assert (plain["tags"], plain["settings"], plain["statistics"]) == ([], [], [])
    (full,) = (await bench.call("DescribeClusters", clusters=[STEM + "batch"], include=["TAGS", "SETTINGS"]))["clusters"]
    assert (full["tags"], len(full["settings"])) == ([{"key": "a", "value": "b"}], 1)


async def test_an_unknown_cluster_is_missing_in_a_200_answer(bench: Bench) -> None:
    answer = await bench.call("DescribeClusters", clusters=["nowhere"])
    assert answer == {"clusters": [], "failures": [{"arn": STEM + "nowhere", "reason": "MISSING"}]}


async def test_a_cluster_with_tasks_is_not_deleted(bench: Bench) -> None:
    await bench.define(script="run_for=10s")
    await bench.run()
    with pytest.raises(Refused, match=r"ClusterContainsTasksException: The Cluster cannot be deleted while Tasks are active\."):
        await bench.call("DeleteCluster", cluster="default")
    await bench.clock.advance(60)
    assert (await bench.call("DeleteCluster", cluster="default"))["cluster"]["status"] == "INACTIVE"
    assert (await bench.call("ListClusters"))["clusterArns"] == []
    assert (await bench.call("DescribeClusters"))["clusters"][0]["status"] == "INACTIVE"


async def test_a_deleted_cluster_can_be_made_again(bench: Bench) -> None:
    await bench.call("DeleteCluster", cluster="default")
    with pytest.raises(Refused, match="ClusterNotFoundException"):
        await bench.call("DeleteCluster", cluster="default")
    assert (await bench.call("CreateCluster"))["cluster"]["status"] == "ACTIVE"


async def test_names_are_per_region(bench: Bench) -> None:
    assert (await bench.call("ListClusters", region="eu-west-1"))["clusterArns"] == []
    await bench.call("CreateCluster", region="eu-west-1")
    assert (await bench.call("ListClusters", region="eu-west-1"))["clusterArns"] == ["arn:aws:ecs:eu-west-1:123456789012:cluster/default"]


async def test_pages_of_clusters(bench: Bench) -> None:
    for number in range(5):
        await bench.call("CreateCluster", clusterName=f"c{number}")
    first = await bench.call("ListClusters", maxResults=4)
    second = await bench.call("ListClusters", maxResults=4, nextToken=first["nextToken"])
    assert [each.rpartition("/")[2] for each in first["clusterArns"] + second["clusterArns"]] == ["c0", "c1", "c2", "c3", "c4", "default"]
    assert "nextToken" not in second
    for token in ("LTU=", "eA==", "!"):  # -5, x, and nothing that was ever base64
        with pytest.raises(Refused, match="InvalidParameterException"):
            await bench.call("ListClusters", nextToken=token)


@pytest.mark.parametrize(
    "params",
    [
        {"clusterName": "x", "tags": [{"key": "aws:x"}]},
        {"clusterName": "not a name"},
        {"clusterName": "x" * 256},
        {"clusterName": "x", "capacityProviders": ["mine"]},
    ],
)
async def test_what_cannot_be_created(bench: Bench, params: dict[str, object]) -> None:
    with pytest.raises(Refused, match="InvalidParameterException"):
        await bench.call("CreateCluster", **params)


async def test_a_deleted_cluster_is_forgotten_after_a_day_unless_it_was_made_again(bench: Bench) -> None:
    for name in ("once", "again", "default"):
        await bench.call("CreateCluster", clusterName=name)
        await bench.call("DeleteCluster", cluster=name)
    await bench.call("CreateCluster", clusterName="again")
    await bench.clock.advance(23 * 3600)
    assert len((await bench.call("DescribeClusters", clusters=["once", "again", "default"]))["clusters"]) == 3
    await bench.clock.advance(2 * 3600)
    answer = await bench.call("DescribeClusters", clusters=["once", "again", "default"])
    assert [failure["arn"] for failure in answer["failures"]] == [STEM + "once"]
    assert [cluster["status"] for cluster in answer["clusters"]] == ["ACTIVE", "INACTIVE"]


async def test_settings_are_updated_and_stay(bench: Bench) -> None:
    await bench.call("CreateCluster", clusterName="kensyo", tags=[{"key": "a", "value": "b"}])
    setting = {"name": "containerInsights", "value": "enabled"}
    answer = await bench.call("UpdateClusterSettings", cluster="kensyo", settings=[setting])
    assert (answer["cluster"]["settings"], answer["cluster"]["tags"]) == ([setting], [{"key": "a", "value": "b"}])
    await bench.call("UpdateClusterSettings", cluster=STEM + "kensyo", settings=[setting | {"value": "enhanced"}])
    await bench.reopen()
    (cluster,) = (await bench.call("DescribeClusters", clusters=["kensyo"], include=["SETTINGS"]))["clusters"]
    assert cluster["settings"] == [setting | {"value": "enhanced"}]


async def test_settings_that_are_none_are_refused(bench: Bench) -> None:
    for settings in ([{"name": "containerInsights", "value": "enhaced"}], [{"name": "containerInsights"}]):
        with pytest.raises(Refused, match="InvalidParameterException: Invalid setting 'value'"):
            await bench.call("UpdateClusterSettings", cluster="default", settings=settings)
        with pytest.raises(Refused, match="InvalidParameterException: Invalid setting 'value'"):
            await bench.call("CreateCluster", clusterName="other", settings=settings)
    with pytest.raises(Refused, match=r"ClusterNotFoundException: Cluster not found\."):
        await bench.call("UpdateClusterSettings", cluster="nowhere", settings=[{"name": "containerInsights", "value": "enabled"}])
    assert (await bench.call("ListClusters"))["clusterArns"] == [STEM + "default"]
