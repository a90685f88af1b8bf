"""ARNs: made and taken apart."""

import pytest

from hinoban.aws import arns


def test_arns_have_awss_form() -> None:
    assert arns.cluster_arn("eu-west-1", "123456789012", "c") == "arn:aws:ecs:eu-west-1:123456789012:cluster/c"
    assert arns.task_arn("eu-west-1", "1", "c", "ab") == "arn:aws:ecs:eu-west-1:1:task/c/ab"
    assert arns.container_arn("eu-west-1", "1", "c", "ab", "x-y") == "arn:aws:ecs:eu-west-1:1:container/c/ab/x-y"
    assert arns.task_definition_arn("eu-west-1", "1", "f", 3) == "arn:aws:ecs:eu-west-1:1:task-definition/f:3"
    assert arns.cluster_arn("cn-north-1", "1", "c") == "arn:aws-cn:ecs:cn-north-1:1:cluster/c"
    assert arns.log_group_arn("us-gov-west-1", "1", "/a/b") == "arn:aws-us-gov:logs:us-gov-west-1:1:log-group:/a/b"
    assert arns.log_stream_arn("eu-west-1", "1", "g", "s") == "arn:aws:logs:eu-west-1:1:log-group:g:log-stream:s"
    assert arns.user_arn("1", "hinoban") == "arn:aws:iam::1:user/hinoban"


def test_an_arn_is_taken_apart_and_put_together() -> None:
    text = "arn:aws:logs:eu-west-1:1:log-group:g:log-stream:s"
    assert arns.parse(text) == arns.Arn("aws", "logs", "eu-west-1", "1", "log-group:g:log-stream:s")
    assert str(arns.parse(text)) == text
    assert arns.is_arn(text)


@pytest.mark.parametrize("text", ["", "arn", "arn:aws:ecs", "arn:aws:ecs:r:1:", "task/c/ab", "urn:aws:ecs:r:1:x", "arn::ecs:r:1:x"])
def test_what_is_not_an_arn(text: str) -> None:
    with pytest.raises(ValueError, match="is not an ARN"):
        arns.parse(text)
