"""The neighbours: the first call (a process starts, the log is replayed), later calls, and the replay of many writes; told, without a target."""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.hinoban_server import Hinoban, start, stop
from hinoban.aws.client import Client

CALLS = 300
WRITES = 10_000
AT_ONCE = 8


def measure() -> list[Figure]:
    """One state folder, two lives."""
    with tempfile.TemporaryDirectory(prefix="hinoban-bench-") as folder:
        state = Path(folder, "state")
        hinoban = start(state, "fake")
        try:
            without = hinoban.resident()[0]
            first, write, read, rate = asyncio.run(_first_life(hinoban))
        finally:
            stop(hinoban)
        hinoban = start(state, "fake")
        try:
            replayed = asyncio.run(_second_life(hinoban))
        finally:
            stop(hinoban)
    return [
        Figure("neighbours: first call", f"{first:.2f} s", note=f"moto's process starts; before it the engine holds {without:.0f} MiB"),
        Figure(
            "neighbours: a later write",
            f"{write * 1e3:.1f} ms",
            note=f"a read {read * 1e3:.1f} ms; {rate:,.0f} writes/s from {AT_ONCE} clients",
        ),
        Figure(
            f"neighbours: first call after {WRITES:,} writes", f"{replayed:.1f} s", note=f"{WRITES / replayed:,.0f} writes/s are replayed"
        ),
    ]


async def _first_life(hinoban: Hinoban) -> tuple[float, float, float, float]:
    async with hinoban.client() as client:
        began = time.monotonic()
        url = (await client.call("sqs", "CreateQueue", {"QueueName": "bench"}))["QueueUrl"]
        first = time.monotonic() - began
        await client.call("ssm", "PutParameter", {"Name": "/bench", "Value": "0", "Type": "String"})
        writes, reads = [], []
        for number in range(CALLS):
            writes.append(await _timed(client, "ssm", "PutParameter", {"Name": f"/bench/{number}", "Value": "1", "Type": "String"}))
            reads.append(await _timed(client, "ssm", "GetParameter", {"Name": f"/bench/{number}"}))
        slots = asyncio.Semaphore(AT_ONCE)
        left = WRITES - CALLS - 2

        async def one(number: int) -> None:
            async with slots:
                if number % 2:
                    await client.call("ssm", "PutParameter", {"Name": f"/many/{number}", "Value": "1", "Type": "String"})
                else:
                    await client.call("sqs", "SendMessage", {"QueueUrl": url, "MessageBody": str(number)})

        began = time.monotonic()
        await asyncio.gather(*(one(number) for number in range(left)))
        return first, statistics.median(writes), statistics.median(reads), left / (time.monotonic() - began)


async def _second_life(hinoban: Hinoban) -> float:
    async with hinoban.client() as client:
        took = await _timed(client, "ssm", "GetParameter", {"Name": f"/bench/{CALLS - 1}"})
        queue = (await client.call("sqs", "GetQueueUrl", {"QueueName": "bench"}))["QueueUrl"]
        names = ["ApproximateNumberOfMessages"]
        found = await client.call("sqs", "GetQueueAttributes", {"QueueUrl": queue, "AttributeNames": names})
        if int(found["Attributes"][names[0]]) != (WRITES - CALLS - 1) // 2:
            raise AssertionError(f"{found['Attributes']} after a restart")
        return took


async def _timed(client: Client, service: str, operation: str, params: dict[str, str]) -> float:
    began = time.monotonic()
    await client.call(service, operation, params)
    return time.monotonic() - began
