"""docs/compatibility.md lists every place where the source says that it differs from AWS."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SUBJECTS = {
    "aws/errors.py": ("error texts", "Host header"),
    "aws/protocols/json.py": ("error texts",),
    "aws/event_patterns/nodes.py": ("event patterns: nesting",),
    "aws/event_patterns/events.py": ("event patterns: nesting",),
    "cli/follow.py": ("a container without `logConfiguration`",),
    "daemon/engine.py": ("cluster `default`",),
    "engine/ecs/api/launch.py": ("a launch without launch type",),
    "engine/ecs/decide/containers.py": ("`dependsOn` HEALTHY",),
    "engine/ecs/specs.py": ("a container without `logConfiguration`", "`secrets`, `environmentFiles`"),
    "engine/logs/reading.py": ("FilterLogEvents with `filterPattern`",),
    "engine/runtime/docker/body.py": ("Docker: memory of a task with several containers",),
    "engine/events/api/archives.py": ("events: UpdateArchive",),
    "engine/events/api/buses.py": ("events: settings of a bus", "events: partner event sources"),
    "engine/events/api/objects.py": ("events: deep JSON in PutEvents",),
    "engine/events/api/permissions.py": ("events: permissions of a bus",),
    "engine/events/api/put_events.py": ("events: PutEvents",),
    "engine/events/api/rules.py": ("events: length of a pattern", "events: the managed rule of an archive"),
    "engine/events/archives.py": ("events: how much an archive keeps",),
    "engine/events/replayer.py": ("events: order of a replay",),
    "engine/events/targets/bus.py": ("targets: bus of another account",),
    "engine/events/targets/connections_api.py": ("connections: secrets and states", "API destinations: endpoints"),
    "engine/events/targets/kinds.py": ("targets: kinds that are not here",),
    "engine/events/targets/logs.py": ("targets: a log group's policy",),
    "engine/events/targets/parcel.py": ("targets: no role",),
    "engine/neighbours/moto_topics.py": ("SNS e-mail",),
    "engine/schedules/checks.py": ("Scheduler: roles and universal targets",),
    "engine/schedules/groups.py": ("Scheduler: DeleteScheduleGroup",),
    "engine/trail/api.py": ("CloudTrail: bucket, topic, key and role",),
    "engine/trail/errors.py": ("CloudTrail: organizations", "CloudTrail: event data stores"),
    "engine/trail/identity.py": ("CloudTrail: who called",),
    "engine/trail/lookup.py": ("CloudTrail: LookupEvents",),
    "engine/trail/ring.py": ("CloudTrail: parameters of a read",),
    "engine/trail/selectors.py": ("CloudTrail: data events and Insights",),
    "engine/trail/records.py": ("CloudTrail records",),
    "aws/sigv4.py": ("S3: the signatures of a streamed body's pieces",),
    "watch/logs.py": ("a container without `logConfiguration`",),
}
"""What each file that differs differs in: the beginning of its row, one for each comment."""


def test_every_difference_that_the_source_names_has_its_row() -> None:
    page = (ROOT / "docs/compatibility.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+?) \|", page.partition("## Differs from AWS")[2], re.MULTILINE)
    source = ROOT / "src/hinoban"
    counted = {
        str(path.relative_to(source)): count
        for path in source.rglob("*.py")
        if (count := path.read_text(encoding="utf-8").count("Differs from AWS"))
    }
    assert {name: len(SUBJECTS.get(name, ())) for name in counted} == counted, "name its row in SUBJECTS"
    for name in counted:
        for subject in SUBJECTS[name]:
            assert any(row.startswith(subject) for row in rows), f"{name}: no row begins with {subject!r}"
