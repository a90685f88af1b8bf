"""What PutTargets refuses of a target (facts/eventbridge.md §6.1, §6.2). PURE."""

from collections.abc import Sequence
from typing import Any

import msgspec

from hinoban.aws import arns
from hinoban.aws.call import Params
from hinoban.engine.events import errors
from hinoban.engine.events.targets.transform import unknown_placeholder

_INPUTS = ("Input", "InputPath", "InputTransformer")
# AWS's page "Event bus targets in Amazon EventBridge"; an ARN's service, as it stands there.
_SERVICES = frozenset(
    "appsync batch codebuild codepipeline ec2 ecs events execute-api firehose inspector kinesis lambda logs redshift redshift-serverless "
    "sagemaker sns sqs ssm ssm-incidents states".split()
)
# These are called with a role. Of ecs, kinesis, firehose and ssm the text is told by the same check of others (codebuild, codepipeline,
# states: terraform-provider-aws#19913, cloudformation-coverage-roadmap#1110).
_BY_ROLE = frozenset({"batch", "codebuild", "codepipeline", "ecs", "firehose", "kinesis", "ssm", "states"})
_API_DESTINATION = "api-destination/"
_RESERVED_KEYS = "AWS"


def check_parameters(targets: Sequence[Params]) -> list[arns.Arn]:
    """The targets' ARNs. Raises AwsError for a text that is no ARN, before all else, and for parameters that a kind of target needs."""
    parsed = [_parsed(target["Arn"]) for target in targets]
    for target, arn in zip(targets, parsed, strict=True):
        _check_needed(target, arn)
    return parsed


def check_target(target: Params, arn: arns.Arn, *, region: str, account: str) -> None:
    """Raises AwsError for the first thing that is wrong with a target; which of several AWS tells first is UNCONFIRMED."""
    if arn.service not in _SERVICES:
        raise errors.invalid(f"{arn.service} is not a supported service for a target.")
    _check_role(target, arn, region, account)
    _check_input(target)


def _parsed(arn: str) -> arns.Arn:
    try:
        return arns.parse(arn)
    except ValueError:
        raise errors.bad_arn(arn) from None


def _check_role(target: Params, arn: arns.Arn, region: str, account: str) -> None:
    if "RoleArn" in target:
        if arn.service == "logs":
            raise errors.invalid(f"RoleArn is not supported for target {target['Arn']}.")
        return
    elsewhere = arn.service == "events" and (arn.region, arn.account) != (region, account)
    if arn.service in _BY_ROLE or elsewhere or arn.resource.startswith(_API_DESTINATION):
        raise errors.invalid(f"RoleArn is required for target {target['Arn']}.")


def _check_needed(target: Params, arn: arns.Arn) -> None:
    """The text is AWS's for queues; for ECS UNCONFIRMED."""
    if arn.service == "ecs" and "EcsParameters" not in target:
        raise errors.invalid(f"Parameter(s) EcsParameters must be specified for target: {target['Id']}.")
    fifo = arn.service == "sqs" and arn.resource.endswith(".fifo")
    if fifo and not target.get("SqsParameters", {}).get("MessageGroupId"):
        raise errors.invalid(f"Parameter(s) SqsParameters must be specified for target: {target['Id']}.")


def _check_input(target: Params) -> None:
    target_id = target["Id"]
    if sum(name in target for name in _INPUTS) > 1:
        raise errors.invalid(f"Only one of Input, InputPath, or InputTransformer must be provided for target {target_id}.")
    if "Input" in target and not _is_json(target["Input"]):
        raise errors.invalid(f"JSON syntax error in input for target {target_id}.")
    if (transformer := target.get("InputTransformer")) is not None:
        _check_transformer(target_id, transformer)


def _check_transformer(target_id: str, transformer: Params) -> None:
    keys = transformer.get("InputPathsMap", {})
    if (bad := next((key for key in keys if key.startswith(_RESERVED_KEYS)), None)) is not None:
        # UNCONFIRMED: the text.
        raise errors.invalid(f"InputPathsMap for target {target_id} contains reserved key {bad}: it can't start with AWS.")
    if (unknown := unknown_placeholder(transformer["InputTemplate"], keys)) is not None:
        raise errors.invalid(f"InputTemplate for target {target_id} contains invalid placeholder {unknown}.")


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text, type=Any)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return False
    return True
