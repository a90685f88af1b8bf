"""Service models: read when asked for, without botocore itself."""

import subprocess
import sys

import pytest

from hinoban.aws import models


def test_a_service_says_how_it_is_called() -> None:
    ecs = models.service("ecs")
    assert (ecs.protocol, ecs.json_version, ecs.target_prefix, ecs.signing_name) == (
        "json",
        "1.1",
        "AmazonEC2ContainerServiceV20141113",
        "ecs",
    )
    assert "RunTask" in ecs.operation_names()


def test_an_operation_is_compiled_once() -> None:
    ecs = models.service("ecs")
    assert ecs.operation("RunTask") is ecs.operation("RunTask")
    assert ecs.operation("FlyTask") is None
    run = ecs.operation("RunTask")
    assert run is not None
    assert "ClusterNotFoundException" in run.error_codes


def test_nobody_knows_the_service() -> None:
    with pytest.raises(KeyError):
        models.service("teapot")


def test_the_member_of_an_errors_text_is_the_models() -> None:
    assert models.service("ecs").error_text_member("ClientException") == "message"
    assert models.service("scheduler").error_text_member("ConflictException") == "Message"
    assert models.service("ecs").error_text_member("SerializationException") == "Message"


def test_the_server_imports_no_botocore() -> None:
    program = "import sys, hinoban.aws.server; from hinoban.aws import models; models.service('ecs'); print('botocore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip() == "False"
