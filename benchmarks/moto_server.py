"""moto's own server in a child process, with what RunTask on FARGATE needs there: the measure that we compare with."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3

from benchmarks.wrk import Target

REGION = "ap-northeast-1"
STARTS_WITHIN = 60.0  # seconds


@dataclass(frozen=True)
class Moto:
    """A running moto server, ready for RunTask."""

    target: Target
    cluster: str
    family: str
    subnets: tuple[str, ...]
    security_group: str

    def client(self, service: str) -> Any:
        """A boto3 client of this server."""
        return boto3.client(
            service,
            endpoint_url=self.target.endpoint,
            region_name=self.target.region,
            aws_access_key_id=self.target.access_key_id,
            aws_secret_access_key=self.target.secret_access_key,
        )

    def run_task(self) -> dict[str, Any]:
        """The members of a RunTask request that this server answers with one task."""
        return {
            "cluster": self.cluster,
            "taskDefinition": self.family,
            "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": [self.subnets[0]], "securityGroups": [self.security_group]}},
        }


@contextmanager
def moto_server() -> Iterator[Moto]:
    """Start moto on a free loopback port, make a cluster and a task definition, and stop it at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    child = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env={**os.environ, "MOTO_EC2_LOAD_DEFAULT_AMIS": "false"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(child, port)
        target = Target(f"http://127.0.0.1:{port}", REGION, "AKIAIOSFODNN7EXAMPLE", "a-secret-that-moto-does-not-check")
        yield _prepared(Moto(target, "bench", "bench", (), ""))
    finally:
        child.terminate()
        child.wait(timeout=10)


def _wait_for(child: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline and child.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"moto's server did not listen on port {port} within {STARTS_WITHIN:.0f} s (exit code {child.poll()})")


def _prepared(moto: Moto) -> Moto:
    ec2 = moto.client("ec2")
    subnets = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    group = ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"][0]
    ecs = moto.client("ecs")
    ecs.create_cluster(clusterName=moto.cluster)
    # moto answers RunTask with 500 unless the container names its memory too, and the request a security group.
    ecs.register_task_definition(
        family=moto.family,
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "app", "image": "busybox", "memory": 512, "essential": True, "command": ["true"]}],
    )
    return Moto(moto.target, moto.cluster, moto.family, tuple(subnet["SubnetId"] for subnet in subnets), group["GroupId"])
