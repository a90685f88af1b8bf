"""DescribeTasks of 100 running tasks, again and again."""

import asyncio
import json

import msgspec

from benchmarks.figures import Figure
from benchmarks.hinoban_server import Hinoban, hinoban_server, run_task
from benchmarks.moto_server import Moto, moto_server
from benchmarks.wrk import NO_FAILURES, Answers, Target, once, replay, signed

TASKS = 100
SECONDS = 5
CONNECTIONS = 8
DESCRIBE_TASKS = "AmazonEC2ContainerServiceV20141113.DescribeTasks"


def measure() -> list[Figure]:
    """Ours, then moto's."""
    with hinoban_server(script="run_for=1h") as hinoban:
        ours = _describe(hinoban.target, "default", asyncio.run(_launch(hinoban)), same=True)
    with moto_server() as moto:
        theirs = _describe(moto.target, moto.cluster, _launch_moto(moto), same=False)
    return [Figure(f"DescribeTasks({TASKS})", f"{ours.rate:,.0f}/s", f"moto {theirs.rate:,.1f}/s", ours.rate / theirs.rate, (">=", 100.0))]


async def _launch(hinoban: Hinoban) -> list[str]:
    async with hinoban.client() as client:
        arns: list[str] = []
        while len(arns) < TASKS:
            answer = await client.call("ecs", "RunTask", run_task() | {"count": 10})
            arns += [task["taskArn"] for task in answer["tasks"]]
        while (await client.call("ecs", "DescribeClusters", {}))["clusters"][0]["runningTasksCount"] < TASKS:
            await asyncio.sleep(0.02)
        return arns


def _launch_moto(moto: Moto) -> list[str]:
    ecs = moto.client("ecs")
    return [ecs.run_task(**moto.run_task())["tasks"][0]["taskArn"] for _ in range(TASKS)]


def _describe(target: Target, cluster: str, arns: list[str], *, same: bool) -> Answers:
    """One answer is looked at whole; where `same`, each of the others must be equal to it, else each must hold no failures."""
    body = json.dumps({"cluster": cluster, "tasks": arns}).encode()
    request = signed(target, "ecs", DESCRIBE_TASKS, body)
    seen = once(target, request)
    found = msgspec.json.decode(seen)
    if {task["taskArn"] for task in found["tasks"]} != set(arns) or found["failures"]:
        raise AssertionError(f"{target.endpoint} did not answer the {TASKS} tasks asked for: {seen[:400]!r}")
    exact = seen if same else None
    return replay(target, [request], expect=NO_FAILURES, exact=exact, seconds=SECONDS, connections=CONNECTIONS, cycle=True).checked()
