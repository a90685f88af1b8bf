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
