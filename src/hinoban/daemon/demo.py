"""`hinoban demo`: five ordinary task definitions run for real here; four go wrong, and what was seen of it is shown.

It is a user of Hinoban like any other: it starts `hinoban up` in a folder of its own, puts in one fault (Fargate without room,
twice), runs the files of examples/, and prints what the watch says. Nothing of the end screen is known beforehand but the middle
column, which says what plain ECS would have done.
"""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from hinoban.aws.client import Client
from hinoban.aws.sigv4 import Credentials
from hinoban.base.clock import Clock, SystemClock
from hinoban.base.errors import HinobanError
from hinoban.base.ids import Ids, SystemIds
from hinoban.base.places import own_command
from hinoban.base.units import format_duration, parse_iso
from hinoban.daemon import demo_image
from hinoban.daemon.config_values import choice
from hinoban.daemon.demo_receiver import Receiver
from hinoban.watch.kinds import NOT_STARTED

DIRECTORY = Path(".demo")
_START_WITHIN = 30.0
_END_WITHIN = 50.0
_RETRY_TAG = {"key": "hinoban:retry", "value": "on-start-failure"}
_SETTINGS = """\
# Made by `hinoban demo`: short times, so that everything happens while you look.
[[notify.webhook]]
name = "demo"
url = "{url}"
secret = "{secret}"

[watch]
hold = "1m"

[[policy]]
match = {{ detail = {{ group = ["family:db-migrate"] }} }}
max_runtime = "8s"
stop_after = "12s"

[[policy]]
match = {{ hinoban = {{ family = ["nightly-billing"] }} }}
retry = {{ attempts = 6, deadline = "40s", base = "2s", cap = "4s" }}
"""
_IMAGE_RULE = """
[[image]]
match = "*busybox*"
use = "{image}"
"""


class Scene(NamedTuple):
    """One example: its file, and what plain ECS does in such a case (facts: the seeds; AWS's "Stopped tasks")."""

    name: str
    plain: str
    retry: bool = False


SCENES = (
    Scene("hello", "stopped it"),
    Scene("nightly-billing", "no task, no event, no retry", retry=True),
    Scene("report-export", "lost the reason after 1 h"),
    Scene("import-orders", "shown 137, lost after 1 h"),
    Scene("db-migrate", "let it run for days"),
)


def run_demo(runtime: str = "auto") -> int:
    """Run it and print the end screen; 0 where everything was seen, 1 where something was not."""
    chosen = choice("--runtime", runtime, ("auto", "docker", "process"))
    return asyncio.run(_Demo(SystemClock(), SystemIds(), chosen).run())


class _Demo:
    def __init__(self, clock: Clock, ids: Ids, runtime: str) -> None:
        self._runtime = runtime
        self._clock = clock
        self._secret = ids.token()
        self._receiver = Receiver(self._secret, clock)
        self._began = clock.now()
        self._events: list[dict[str, Any]] = []

    async def run(self) -> int:
        files = examples()
        shutil.rmtree(DIRECTORY, ignore_errors=True)
        DIRECTORY.mkdir(mode=0o700)
        settings = DIRECTORY / "hinoban.toml"
        docker = None if self._runtime == "process" else shutil.which("docker")
        with_image = docker is not None and demo_image.make(docker)
        if self._runtime == "docker" and not with_image:
            raise HinobanError("The demo cannot run on Docker", "no Docker daemon took its image", "Start Docker, or: hinoban demo")
        url = await self._receiver.open()
        settings.write_text(
            _SETTINGS.format(url=url, secret=self._secret) + (_IMAGE_RULE.format(image=demo_image.IMAGE) if with_image else "")
        )
        runtime = "docker" if with_image else "process"
        self._say(f"Hinoban demo: five ECS tasks run as {'Docker containers' if with_image else 'processes'}; state in {DIRECTORY}/")
        log = (DIRECTORY / "up.log").open("wb")
        daemon = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "hinoban", "up", "--port", "0", "--state", str(DIRECTORY), "--config", str(settings), "--runtime", runtime),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            client = await self._connect(daemon)
            try:
                await self._play(client, files)
                return await self._show(client, with_image)
            finally:
                await client.close()
        finally:
            if daemon.returncode is None:
                daemon.terminate()
                await daemon.wait()
            await self._receiver.close()
            log.close()

    def _say(self, text: str) -> None:
        print(f"{self._clock.now() - self._began:5.1f} s  {text}", flush=True)

    async def _connect(self, daemon: asyncio.subprocess.Process) -> Client:
        deadline = self._clock.now() + _START_WITHIN
        while self._clock.now() < deadline and daemon.returncode is None:
            try:
                where = msgspec.json.decode((DIRECTORY / "daemon.json").read_bytes())
                keys = msgspec.json.decode((DIRECTORY / "credentials.json").read_bytes())
                client = Client(
                    where["url"], Credentials(keys["access_key_id"], keys["secret_access_key"]), where["region"], clock=self._clock
                )
                await client.get("status")
                return client
            except (FileNotFoundError, HinobanError):
                await self._clock.sleep_until(self._clock.now() + 0.05)
        raise HinobanError(
            "The demo's engine did not start",
            (DIRECTORY / "up.log").read_text(errors="replace").strip()[-600:] or "it said nothing",
            f"Look into {DIRECTORY}/up.log, or start it by hand: hinoban up",
        )

    async def _play(self, client: Client, files: Mapping[str, dict[str, Any]]) -> None:
        """Run every example, then follow the feed until all that must happen has happened."""
        fault = {"what": "capacity", "match": {"family": ["nightly-billing"]}, "times": 2}
        await client.post("faults", {"faults": [fault]})
        self._say("fault put in: no Fargate capacity for nightly-billing, twice")
        for scene in SCENES:
            await client.call("ecs", "RegisterTaskDefinition", files[scene.name])
            request: dict[str, Any] = {
                "taskDefinition": scene.name,
                "launchType": "FARGATE",
                "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-demo1a", "subnet-demo1c"]}},
            }
            if scene.retry:
                request["tags"] = [_RETRY_TAG]
            answer = await client.call("ecs", "RunTask", request)
            refused = answer["failures"][0]["reason"] if answer["failures"] else None
            self._say(f"aws ecs run-task {scene.name:<16} {'REFUSED: ' + refused if refused else 'accepted'}")
        deadline = self._clock.now() + _END_WITHIN
        after = 0
        while self._clock.now() < deadline and not await self._finished(client, after):
            _, lines = await client.feed("feed", {"after": after, "limit": 1000, "wait": 1}, wait=1)
            for line in lines:
                entry = msgspec.json.decode(line)
                after = entry["seq"]
                self._narrate(entry["event"])

    def _narrate(self, event: dict[str, Any]) -> None:
        self._events.append(event)
        detail = event["detail"]
        if event["detail-type"] == "ECS Task State Change":
            family = detail["taskDefinitionArn"].rpartition("/")[2].partition(":")[0]
            if detail["lastStatus"] == "RUNNING" and detail["desiredStatus"] == "RUNNING":
                self._say(f"{family:<16} RUNNING")
            elif detail["lastStatus"] == "STOPPED":
                container = detail["containers"][0]
                code = f"exit {container['exitCode']}" if "exitCode" in container else "never started"
                self._say(f"{family:<16} STOPPED, {code}  ({container.get('reason') or detail['stoppedReason']})")
        elif detail["eventName"] == "RunTask" and str(detail["requestParameters"].get("startedBy", "")).startswith("hinoban/"):
            refused = (detail["responseElements"] or {}).get("failures")
            family = detail["requestParameters"]["taskDefinition"].rpartition("/")[2].partition(":")[0]
            self._say(f"{family:<16} retried by the watch: {'refused again' if refused else 'accepted'}")

    async def _finished(self, client: Client, after: int) -> bool:
        """Every family's last task is over, and the watch has read of it and sent every message."""
        over = {
            event["detail"]["group"].removeprefix("family:")
            for event in self._events
            if event["detail-type"] == "ECS Task State Change" and event["detail"]["lastStatus"] == "STOPPED"
        }
        if not all(scene.name in over for scene in SCENES):
            return False
        status = await client.get("status")
        return bool(status["cursor"] >= after and not status["outbox"].get("queued"))

    async def _show(self, client: Client, with_image: bool) -> int:
        found = (await client.get("incidents"))["incidents"]
        incidents = {incident["family"]: await client.get(f"incidents/{incident['id']}") for incident in found}
        rows = [("TASK", "WHAT HAPPENED", "PLAIN ECS WOULD HAVE", "HINOBAN DID", "")]
        launches = self._launches()
        for scene in SCENES:
            incident = incidents.get(scene.name)
            rows.append((scene.name, self._happened(scene, incident), scene.plain, *self._did(incident)))
        seen = sum(1 for scene in SCENES[1:] if scene.name in incidents)
        healed = sum(1 for incident in incidents.values() if incident["verdict"].startswith("RECOVERED"))
        twice = sum(1 for count in launches.values() if count > 1)
        changes = sum(1 for event in self._events if event["detail-type"] == "ECS Task State Change")
        messages = len(self._receiver.deliveries)
        took = format_duration(self._clock.now() - self._began)
        kind = "Docker containers" if with_image else "processes" if self._runtime == "process" else "processes; no Docker found"
        print(
            f"\nHinoban demo: {len(SCENES)} tasks in {took} ({kind}). {len(SCENES) - 1} went wrong, {seen} were seen, "
            f"{healed} healed itself, {twice} ran twice."
        )
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        for row in rows:
            print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        print(
            f"{changes} ECS events became {messages} messages. Every line below works now (state kept in {DIRECTORY}/, no server needed):"
        )
        command = own_command()
        for asked in (("why nightly-billing", "why import-orders"), ("incidents", "logs report-export")):
            print("  " + "     ".join(f"{command} {words} --state {DIRECTORY}".ljust(len(command) + 33) for words in asked).rstrip())
        print(f"Your own:  {command} up   then   {command} run examples/hello.json --wait")
        complete = seen == len(SCENES) - 1 and healed == 1 and twice == 0
        if not complete:
            print(f"Not everything that went wrong was seen; {DIRECTORY}/up.log holds what the daemon said.", file=sys.stderr)
        return 0 if complete else 1

    def _launches(self) -> dict[str, int]:
        """How many tasks of each family reached RUNNING."""
        counts: dict[str, int] = {}
        for event in self._events:
            detail = event["detail"]
            if event["detail-type"] == "ECS Task State Change" and detail["lastStatus"] == detail["desiredStatus"] == "RUNNING":
                family = detail["group"].removeprefix("family:")
                counts[family] = counts.get(family, 0) + 1
        return counts

    def _did(self, incident: dict[str, Any] | None) -> tuple[str, str]:
        """What the watch did about it, and how the incident stands: from its own answer and from the messages that arrived."""
        if incident is None:
            return "nothing to tell", ""
        state = "RECOVERED" if incident["verdict"].startswith("RECOVERED") else str(incident["state"]).upper()
        if incident["detector"] in NOT_STARTED:
            return (incident["done"] or ["told"])[-1].rstrip(".").lower(), state
        if incident["detector"] == "overdue":
            began = parse_iso(self._last(incident["family"])["startedAt"])
            ends = [parse_iso(incident[name]) - began for name in ("opened_at", "resolved_at") if incident[name]]
            return ", ".join(
                f"{word} at {format_duration(round(after))}" for word, after in zip(("warned", "stopped"), ends, strict=False)
            ), state
        told = next((each for each in self._receiver.deliveries if each.body["incident"] == incident["id"]), None)
        if told is None:
            return "not told", state
        extra = "said what to set" if incident["detector"] == "out_of_memory" else "log kept" if incident["log"] else "no log"
        return f"told in {format_duration(told.at - parse_iso(told.body['happened_at']))}, {extra}", state

    def _last(self, family: str) -> dict[str, Any]:
        """The last task event of a family; empty where there is none."""
        for event in reversed(self._events):
            if event["detail-type"] == "ECS Task State Change" and event["detail"]["group"] == f"family:{family}":
                detail: dict[str, Any] = event["detail"]
                return detail
        return {}

    def _happened(self, scene: Scene, incident: dict[str, Any] | None) -> str:
        last = self._last(scene.name)
        if "startedAt" not in last:
            return "did not start"
        ran = format_duration(parse_iso(last["stoppedAt"]) - parse_iso(last["startedAt"])) if "stoppedAt" in last else "unknown"
        container = last["containers"][0]
        if incident is None:
            return f"exit {container.get('exitCode')} after {ran}"
        if incident["detector"] in NOT_STARTED:
            return "no capacity when it was due"
        if incident["detector"] == "overdue":
            return f"ran past its {format_duration(incident['facts']['limit_seconds'])} limit"
        if incident["detector"] == "out_of_memory":
            return f"killed at its {container.get('memory') or last['memory']} MiB limit"
        log = incident.get("log") or []
        said = f": {log[-1]}" if log else ""
        return f"exit {container.get('exitCode')}{said}"[:40]


def examples() -> dict[str, dict[str, Any]]:
    """The definitions, from the checkout's examples/ or from the installed package."""
    for folder in (Path("examples"), Path(__file__).parents[1] / "examples"):
        if all((folder / f"{scene.name}.json").is_file() for scene in SCENES):
            return {scene.name: msgspec.json.decode((folder / f"{scene.name}.json").read_bytes()) for scene in SCENES}
    raise HinobanError(
        "The demo's examples are missing", "neither ./examples nor the installed package has them", "Run it in a checkout of Hinoban."
    )
