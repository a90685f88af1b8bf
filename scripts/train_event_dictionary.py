"""Trains the zstd dictionary that history/blobs.py packs with, and prints bytes per task: half of the samples are lives as our engine tells
them, half are generated as AWS shapes them. None is of a family that a benchmark measures.

Run: .venv/bin/python -m scripts.train_event_dictionary [write]. A new dictionary gets a new number: blobs written with an old one still need it.
"""

import random
import sys
from pathlib import Path

import msgspec
import zstandard

from benchmarks.retold import recorded

NUMBER = 2
SIZE, LEVEL = 16 * 1024, 3
TARGET = Path(__file__).parent.parent / f"src/hinoban/watch/history/events-{NUMBER}.dict"
STATES = ("PROVISIONING", "PENDING", "RUNNING", "DEPROVISIONING", "STOPPED")
STARTERS = ("events-rule/{}", "chronos-schedule/{}", "hinoban/inc-4k2pxw7q/2", "ecs-svc/4821097730155826001", "deploy")
MOMENTS = {
    "createdAt": 0,
    "connectivityAt": 2,
    "pullStartedAt": 3,
    "pullStoppedAt": 5,
    "startedAt": 6,
    "executionStoppedAt": 60,
    "stoppingAt": 61,
    "stoppedAt": 62,
}
WORDS = "billing report export import orders nightly web api batch points close sync mail index migrate resize feed audit".split()


def lifecycle(dice: random.Random) -> list[bytes]:
    """The envelopes of one task, as AWS shapes them (facts/ecs.md §6.2)."""
    region = dice.choice(("ap-northeast-1", "us-east-1", "eu-west-1"))
    account = dice.choice(("123456789012", f"{dice.randrange(10**11, 10**12)}"))
    cluster, family = dice.choice(("default", "batch", "web", "prd")), "-".join(dice.sample(WORDS, 2))
    task = f"{dice.getrandbits(128):032x}"
    arn = f"arn:aws:ecs:{region}:{account}:"
    names = ["app", "job", family, "log-router"][: dice.choice((1, 1, 2))]
    fargate, start = dice.random() < 0.7, dice.randrange(1_780_000_000, 1_800_000_000)
    exit_code = dice.choice((0, 0, 0, 1, 3, 137))
    attachment, interface, address = uuid(dice), f"eni-{dice.getrandbits(68):017x}", f"10.0.{dice.randrange(256)}.{dice.randrange(256)}"
    digest, revision, starter = f"sha256:{dice.getrandbits(256):064x}", dice.randrange(1, 99), dice.choice(STARTERS).format(family)
    containers = [(name, uuid(dice), f"{task}-{dice.randrange(10**9, 10**10)}") for name in names]
    moments = {name: stamp(start + after, dice) for name, after in MOMENTS.items()}
    events = []
    for version, state in enumerate(STATES, start=1):
        done = state in ("DEPROVISIONING", "STOPPED")
        detail: dict[str, object] = {
            "attachments": [
                {
                    "id": attachment,
                    "type": "eni",
                    "status": "ATTACHED",
                    "details": [
                        {"name": "subnetId", "value": "subnet-0a1b2c3d4e5f60718"},
                        {"name": "networkInterfaceId", "value": interface},
                        {"name": "privateIPv4Address", "value": address},
                    ],
                }
            ]
            if fargate
            else [],
            "attributes": [{"name": "ecs.cpu-architecture", "value": "x86_64"}],
            "availabilityZone": f"{region}a",
            "clusterArn": f"{arn}cluster/{cluster}",
            "connectivity": "CONNECTED",
            "connectivityAt": moments["connectivityAt"],
            "containers": [
                {
                    "containerArn": f"{arn}container/{cluster}/{task}/{own}",
                    **({"exitCode": exit_code} if done else {}),
                    "lastStatus": "STOPPED" if done else "RUNNING" if state == "RUNNING" else "PENDING",
                    "name": name,
                    "image": f"{account}.dkr.ecr.{region}.amazonaws.com/{family}:1.{revision}",
                    "imageDigest": digest,
                    "runtimeId": runtime,
                    "taskArn": f"{arn}task/{cluster}/{task}",
                    **({"reason": "OutOfMemoryError: Container killed due to memory usage"} if done and exit_code == 137 else {}),
                    "networkInterfaces": [],
                    "networkBindings": [],
                    "cpu": "0",
                }
                for name, own, runtime in containers
            ],
            "cpu": "256",
            "createdAt": moments["createdAt"],
            "desiredStatus": "STOPPED" if done else "RUNNING",
            "enableExecuteCommand": False,
            "ephemeralStorage": {"sizeInGiB": 20},
            "group": f"family:{family}",
            "launchType": "FARGATE" if fargate else "EC2",
            "lastStatus": state,
            "memory": "512",
            "overrides": {"containerOverrides": [{"name": name} for name in names]},
            "platformVersion": "1.4.0",
            "startedBy": starter,
            "taskArn": f"{arn}task/{cluster}/{task}",
            "taskDefinitionArn": f"{arn}task-definition/{family}:{revision}",
            "updatedAt": stamp(start + version, dice),
            "version": version,
        }
        if version > 2:
            detail |= {name: moments[name] for name in ("pullStartedAt", "pullStoppedAt", "startedAt")}
        if done:
            detail |= {
                **{name: moments[name] for name in ("executionStoppedAt", "stoppingAt", "stoppedAt")},
                "stoppedReason": "Essential container in task exited",
                "stopCode": "EssentialContainerExited",
            }
        events.append(
            msgspec.json.encode(
                {
                    "version": "0",
                    "id": uuid(dice),
                    "detail-type": "ECS Task State Change",
                    "source": "aws.ecs",
                    "account": account,
                    "time": stamp(start + version, dice),
                    "region": region,
                    "resources": [f"{arn}task/{cluster}/{task}"],
                    "detail": detail,
                }
            )
        )
    return events


def uuid(dice: random.Random) -> str:
    digits = f"{dice.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def stamp(moment: float, dice: random.Random) -> str:
    from hinoban.base.units import iso

    return iso(moment + dice.randrange(1000) / 1000)


def main() -> None:
    dice = random.Random(7)
    lives = recorded([f"{first}-{second}" for first, second in (dice.sample(WORDS, 2) for _ in range(40))])
    ours = [b"\n".join(dice.choice(lives).told(dice.uniform(1.78e9, 1.8e9), dice)) for _ in range(2000)]
    samples = [sample for pair in zip(ours, (b"\n".join(lifecycle(dice)) for _ in ours), strict=True) for sample in pair]
    taught, kept = samples[:3000], samples[3000:]
    dictionary = zstandard.train_dictionary(SIZE, taught, level=LEVEL, dict_id=NUMBER)
    print(f"raw bytes a task {sum(map(len, kept)) / len(kept):.0f}, dictionary {len(dictionary.as_bytes())} bytes")
    for level in (1, 3, 5, 7):
        for name, compressor in (
            ("plain", zstandard.ZstdCompressor(level=level)),
            ("trained", zstandard.ZstdCompressor(level=level, dict_data=dictionary)),
        ):
            sizes = [sum(len(compressor.compress(sample)) for sample in kept[start::2]) * 2 / len(kept) for start in (0, 1)]
            print(f"  level {level} {name:8} {sizes[0]:.0f} bytes a task of ours, {sizes[1]:.0f} of AWS's")
    if sys.argv[1:] == ["write"]:
        TARGET.write_bytes(dictionary.as_bytes())


if __name__ == "__main__":
    main()
