"""`hinoban status`: the watch's own lines, or everything as JSON."""

import msgspec

from tests.unit.cli.conftest import Desk


def test_it_prints_the_lines_and_as_json_the_fields(desk: Desk) -> None:
    desk.daemon.pages["status"] = {"lines": ["watch      journal", "tells      nobody"], "lag": 0}
    assert desk.run("status").stdout == "watch      journal\ntells      nobody\n"
    assert msgspec.json.decode(desk.run("status", "-o", "json").stdout) == {"lag": 0}
