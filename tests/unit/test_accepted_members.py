"""docs/compatibility.md tells of every member of a definition and of RunTask whether it is acted on: none is ignored in silence."""

import re
from pathlib import Path

import botocore.session
import pytest

ROOT = Path(__file__).resolve().parents[2]
SECTION = (ROOT / "docs/compatibility.md").read_text(encoding="utf-8").partition("## Accepted, not acted on")[2].partition("\n## ")[0]
TABLE, _, ACTED_ON = SECTION.partition("Acted on are:")
SPECS = (ROOT / "src/hinoban/engine/ecs/specs.py").read_text(encoding="utf-8")
LAUNCH = (ROOT / "src/hinoban/engine/ecs/api/launch.py").read_text(encoding="utf-8")
OF_RUN_TASK = (
    "capacityProviderStrategy cluster count enableECSManagedTags group launchType networkConfiguration overrides platformVersion "
    "propagateTags startedBy tags taskDefinition clientToken"
).split()
"""What RunTask acts on."""


def ignored(owner: str) -> set[str]:
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|", TABLE, re.MULTILINE)
    return {name for of, members in rows if of == owner for name in re.findall(r"`(\w+)`", members)}


def acted_on() -> tuple[set[str], set[str]]:
    of_task, of_container = ACTED_ON.split(" of a definition; ")
    return set(re.findall(r"`(\w+)`", of_task)), set(re.findall(r"`(\w+)`", of_container))


@pytest.fixture(scope="module")
def members() -> dict[str, set[str]]:
    model = botocore.session.get_session().get_service_model("ecs")
    definition = model.operation_model("RegisterTaskDefinition").input_shape.members
    launch = model.operation_model("RunTask").input_shape.members
    return {
        "task": set(definition) - {"containerDefinitions"},
        "container": set(definition["containerDefinitions"].member.members),
        "launch": set(launch),
    }


def test_every_member_of_a_definition_is_told_of_once(members: dict[str, set[str]]) -> None:
    of_task, of_container = acted_on()
    assert ignored("task definition") == members["task"] - of_task
    assert ignored("container") == members["container"] - of_container


def test_every_member_of_run_task_is_told_of(members: dict[str, set[str]]) -> None:
    named = ignored("RunTask") - {"networkConfiguration"}
    assert named == members["launch"] - set(OF_RUN_TASK)
    for name in set(OF_RUN_TASK) - {"cluster"}:
        assert f'"{name}"' in LAUNCH, name
    for name in named - {"enableExecuteCommand"}:
        assert name not in LAUNCH, name


def test_what_is_said_not_to_be_acted_on_does_not_reach_the_runtime() -> None:
    _, of_container = acted_on()
    for name in ignored("container"):
        assert f'"{name}"' not in SPECS, name
    at_launch = {"essential", "dependsOn", "stopTimeout"}
    for name in of_container - at_launch:
        assert f'"{name}"' in SPECS, name
    for name in at_launch:
        assert f'"{name}"' in LAUNCH, name
