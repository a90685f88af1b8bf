"""What Docker's inspect says, as observations."""

import pytest

from hinoban.engine.runtime.docker import report
from hinoban.engine.runtime.driver import ContainerKey, Exited, PortMapping

KEY = ContainerKey("t", "app")
BEGUN = "2026-11-21T22:37:43.897269950Z"


def inspected(**state) -> dict:
    return {
        "Id": "c0ffee",
        "Image": "sha256:1",
        "Config": {"Labels": {}},
        "HostConfig": {"NetworkMode": "bridge"},
        "NetworkSettings": {
            "Networks": {"net": {"IPAddress": "172.18.0.2"}},
            "Ports": {
                "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "32768"}, {"HostIp": "::", "HostPort": "32768"}],
                "81/tcp": None,
            },
        },
        "State": {"Status": "exited", "StartedAt": BEGUN, "FinishedAt": "2026-11-21T22:37:44Z", "ExitCode": 0, "OOMKilled": False} | state,
    }


def test_moments_are_read_to_the_nanosecond():
    assert report.nanoseconds(BEGUN) == 1795300663_897269950
    assert report.nanoseconds("2026-11-22T07:37:43.5+09:00") == 1795300663_500000000
    assert report.seconds(BEGUN) == 1795300663.897
    with pytest.raises(ValueError):
        report.nanoseconds("yesterday")


def test_a_started_container_tells_address_ports_and_pull():
    told = report.started(KEY, inspected(), digest=None, pulled=(1.0, 2.0))
    assert (told.at, told.runtime_id, told.address, told.image_digest) == (1795300663.897, "c0ffee", "172.18.0.2", "sha256:1")
    assert told.ports == (PortMapping(80, 32768),)
    assert (told.pull_started_at, told.pull_stopped_at) == (1.0, 2.0)


def test_the_exit_code_and_time_are_dockers():
    assert report.exited(KEY, inspected(ExitCode=3)) == Exited(KEY, 1795300664.0, 3)


def test_out_of_memory_is_told_only_with_137():
    assert report.exited(KEY, inspected(ExitCode=137, OOMKilled=True)) == Exited(KEY, 1795300664.0, 137, True)
    assert not report.exited(KEY, inspected(ExitCode=1, OOMKilled=True)).oom
    assert not report.exited(KEY, inspected(ExitCode=137)).oom


def test_a_container_that_was_only_created_has_neither_run_nor_ended():
    made = inspected(Status="created", StartedAt="0001-01-01T00:00:00Z")
    assert not report.has_run(made)
    assert not report.has_ended(made)
    assert report.has_ended(inspected())
    assert not report.has_ended(inspected(Status="running"))


def test_a_digest_is_the_registrys_where_there_is_one():
    assert report.image_digest({"Id": "sha256:1", "RepoDigests": ["x@sha256:2"]}) == "sha256:2"
    assert report.image_digest({"Id": "sha256:1", "RepoDigests": []}) == "sha256:1"
