"""Image names, and failed pulls in AWS's words."""

import pytest

from hinoban.engine.runtime.docker.pull import full_reference, pull_reason, split_reference

RESOLVE = "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref "


@pytest.mark.parametrize(
    ("image", "split", "full"),
    [
        ("busybox", ("busybox", "latest"), "docker.io/library/busybox:latest"),
        ("me/job:1", ("me/job", "1"), "docker.io/me/job:1"),
        ("localhost:5000/job", ("localhost:5000/job", "latest"), "localhost:5000/job:latest"),
        ("r.example.com/a/b:2", ("r.example.com/a/b", "2"), "r.example.com/a/b:2"),
        ("job@sha256:00", ("job@sha256:00", ""), "docker.io/library/job@sha256:00"),
    ],
)
def test_a_reference_is_read_as_docker_reads_it(image, split, full):
    assert split_reference(image) == split
    assert full_reference(image) == full


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "manifest for busybox:9 not found: manifest unknown: manifest unknown",
            RESOLVE + "docker.io/library/x:1: docker.io/library/x:1: not found",
        ),
        (
            "pull access denied for x, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
            RESOLVE + "docker.io/library/x:1: pull access denied, repository does not exist or may require authorization: "
            "server message: insufficient_scope: authorization failed",
        ),
        (
            'Get "https://r/v2/": dial tcp: lookup r on 10.0.0.2:53: no such host',
            RESOLVE + 'docker.io/library/x:1: failed to do request: Get "https://r/v2/": dial tcp: lookup r on 10.0.0.2:53: no such host',
        ),
        (
            'Get "https://r/v2/": dial tcp 10.0.0.3:443: i/o timeout',
            RESOLVE + 'docker.io/library/x:1: failed to do request: Get "https://r/v2/": dial tcp 10.0.0.3:443: i/o timeout',
        ),
        (
            "write /var/lib/docker/tmp: no space left on device",
            "CannotPullContainerError: write /var/lib/docker/tmp: no space left on device",
        ),
    ],
)
def test_a_failed_pull_is_told_in_awss_words(said, told):
    assert pull_reason("x:1", said) == told


def test_a_rate_limit_stays_recognisable():
    told = pull_reason("x:1", "toomanyrequests: You have reached your pull rate limit.")
    assert told.startswith("CannotPullContainerError: ")
    assert "toomanyrequests: You have reached your pull rate limit" in told
