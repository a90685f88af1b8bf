"""Trains the zstd dictionary that history/blobs.py packs with, from generated task lifecycles, and prints bytes per task.

Run: .venv/bin/python scripts/train_event_dictionary.py [write]. A new dictionary gets a new number: blobs written with an old one still need it.
"""

import random
import sys
from pathlib import Path

import msgspec
import zstandard

TARGET = Path(__file__).parent.parent / "src/hinoban/watch/history/events-1.dict"
STATES = ("PROVISIONING", "PENDING", "RUNNING", "DEPROVISIONING", "STOPPED")
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
    events = []
    for version, state in enumerate(STATES, start=1):
        done = state in ("DEPROVISIONING", "STOPPED")
        detail: dict[str, object] = {
            "attachments": [
                {
                    "id": uuid(dice),
                    "type": "eni",
                    "status": "ATTACHED",
                    "details": [
                        {"name": "subnetId", "value": "subnet-0a1b2c3d4e5f60718"},
                        {"name": "networkInterfaceId", "value": f"eni-{dice.getrandbits(68):017x}"},
                        {"name": "privateIPv4Address", "value": "10.0.1.163"},
                    ],
                }
            ]
            if fargate
            else [],
            "attributes": [{"name": "ecs.cpu-architecture", "value": "x86_64"}],
            "availabilityZone": f"{region}a",
            "clusterArn": f"{arn}cluster/{cluster}",
            "connectivity": "CONNECTED",
            "connectivityAt": stamp(start + 2, dice),
            "containers": [
                {
                    "containerArn": f"{arn}container/{cluster}/{task}/{uuid(dice)}",
                    **({"exitCode": exit_code} if done else {}),
                    "lastStatus": "STOPPED" if done else "RUNNING" if state == "RUNNING" else "PENDING",
                    "name": name,
                    "image": f"{account}.dkr.ecr.{region}.amazonaws.com/{family}:1.{version}",
                    "imageDigest": f"sha256:{dice.getrandbits(256):064x}",
                    "runtimeId": f"{task}-{dice.randrange(10**9, 10**10)}",
                    "taskArn": f"{arn}task/{cluster}/{task}",
                    **({"reason": "OutOfMemoryError: Container killed due to memory usage"} if done and exit_code == 137 else {}),
                    "networkInterfaces": [],
                    "networkBindings": [],
                    "cpu": "0",
                }
                for name in names
            ],
            "cpu": "256",
            "createdAt": stamp(start, dice),
            "desiredStatus": "STOPPED" if done else "RUNNING",
            "enableExecuteCommand": False,
            "ephemeralStorage": {"sizeInGiB": 20},
            "group": f"family:{family}",
            "launchType": "FARGATE" if fargate else "EC2",
            "lastStatus": state,
            "memory": "512",
            "overrides": {"containerOverrides": [{"name": name} for name in names]},
            "platformVersion": "1.4.0",
            "startedBy": dice.choice(
                (f"events-rule/{family}", f"chronos-schedule/{family}", "hinoban/inc-4k2pxw7q/2", "ecs-svc/4821097730155826001")
            ),
            "taskArn": f"{arn}task/{cluster}/{task}",
            "taskDefinitionArn": f"{arn}task-definition/{family}:{dice.randrange(1, 99)}",
            "updatedAt": stamp(start + version, dice),
            "version": version,
        }
        if version > 2:
            detail |= {
                "pullStartedAt": stamp(start + 3, dice),
                "pullStoppedAt": stamp(start + 5, dice),
                "startedAt": stamp(start + 6, dice),
            }
        if done:
            detail |= {
                "executionStoppedAt": stamp(start + 60, dice),
                "stoppingAt": stamp(start + 61, dice),
                "stoppedAt": stamp(start + 62, dice),
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
    samples = [b"\n".join(lifecycle(dice)) for _ in range(4000)]
    dictionary = zstandard.train_dictionary(8 * 1024, samples[:3000], level=3, dict_id=1)
    raw = sum(map(len, samples[3000:])) / 1000
    print(f"raw bytes a task {raw:.0f}, dictionary {len(dictionary.as_bytes())} bytes")
    for level in (1, 3, 6):
        for name, compressor in (
            ("plain", zstandard.ZstdCompressor(level=level)),
            ("trained", zstandard.ZstdCompressor(level=level, dict_data=dictionary)),
        ):
            print(f"  level {level} {name:8} {sum(len(compressor.compress(sample)) for sample in samples[3000:]) / 1000:.0f} bytes a task")
    if sys.argv[1:] == ["write"]:
        TARGET.write_bytes(dictionary.as_bytes())


if __name__ == "__main__":
    main()
