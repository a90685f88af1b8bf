"""2,000 RunTask calls as fast as the server answers, each told apart by its startedBy and answered with a task of its own."""

import json
from typing import Any

from benchmarks.figures import Figure
from benchmarks.hinoban_server import hinoban_server, run_task
from benchmarks.moto_server import moto_server
from benchmarks.wrk import NO_FAILURES, TASK_ARN, Answers, Target, replay, signed

CALLS = 2000
CONNECTIONS = 32
TURNS = 3
LONGEST = 60  # seconds
RUN_TASK = "AmazonEC2ContainerServiceV20141113.RunTask"


def measure() -> list[Figure]:
    """Ours, with every task run to its end meanwhile, and moto's, turn about; the turn whose ratio is the median."""
    ours, theirs = sorted((_turn() for _ in range(TURNS)), key=lambda turn: turn[0].rate / turn[1].rate)[TURNS // 2]
    note = (
        f"p50 {ours.p50 * 1000:.0f} ms, p99 {ours.p99 * 1000:.0f} ms; moto p50 {theirs.p50 * 1000:.0f} ms, p99 {theirs.p99 * 1000:.0f} ms"
    )
    name, peer = f"RunTask, burst of {CALLS:,}", f"moto {theirs.rate:,.0f}/s"
    return [Figure(name, f"{ours.rate:,.0f}/s", peer, ours.rate / theirs.rate, (">=", 5.0), note)]


def _turn() -> tuple[Answers, Answers]:
    with hinoban_server() as hinoban:
        ours = _burst(hinoban.target, run_task())
    with moto_server() as moto:
        theirs = _burst(moto.target, moto.run_task())
    return ours, theirs


def _burst(target: Target, members: dict[str, Any]) -> Answers:
    bodies = (json.dumps(members | {"startedBy": f"burst-{number}"}).encode() for number in range(CALLS + CONNECTIONS))
    requests = [signed(target, "ecs", RUN_TASK, body) for body in bodies]
    answers = replay(
        target, requests, expect=NO_FAILURES, seconds=LONGEST, connections=CONNECTIONS, stop_after=CALLS, distinct=TASK_ARN
    ).checked()
    if answers.answered != CALLS or answers.distinct != CALLS:
        raise AssertionError(f"{answers.answered} answers named {answers.distinct} tasks, not {CALLS} each")
    return answers
