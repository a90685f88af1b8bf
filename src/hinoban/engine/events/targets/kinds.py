"""Which adapter delivers to which target, and what is said of the kinds that have none."""

import re

from hinoban.engine.events.targets.failure import Failure
from hinoban.engine.events.targets.parcel import Adapter, Mismatch, Parcel

ECS, LOGS, SNS, SQS, BUS, HTTP, UNIVERSAL = "ecs", "logs", "sns", "sqs", "bus", "http", "universal"

_KINDS = (
    (ECS, re.compile(r"arn:[^:]+:ecs:[^:]+:\d{12}:cluster/.+")),
    (LOGS, re.compile(r"arn:[^:]+:logs:[^:]+:\d{12}:log-group:.+")),
    (SNS, re.compile(r"arn:[^:]+:sns:[^:]+:\d{12}:.+")),
    (SQS, re.compile(r"arn:[^:]+:sqs:[^:]+:\d{12}:.+")),
    (BUS, re.compile(r"arn:[^:]+:events:[^:]+:\d{12}:event-bus/.+")),
    (HTTP, re.compile(r"arn:[^:]+:events:[^:]+:\d{12}:api-destination/.+")),
    (UNIVERSAL, re.compile(r"arn:[^:]+:scheduler:::aws-sdk:.+")),
)
_UNSUPPORTED = {
    "lambda": "run Lambda functions",
    "kinesis": "write to Kinesis streams",
    "firehose": "write to Firehose streams",
    "states": "run Step Functions state machines",
    "batch": "run Batch jobs",
    "codebuild": "run CodeBuild projects",
    "codepipeline": "run CodePipeline pipelines",
    "execute-api": "call API Gateway",
    "ssm": "run Systems Manager commands",
    "sagemaker": "run SageMaker pipelines",
    "redshift": "run Redshift statements",
    "redshift-serverless": "run Redshift statements",
    "inspector": "run Inspector assessments",
    "appsync": "call AppSync",
}


def kind_of(arn: str) -> str | None:
    """The kind of a target by its ARN, None for what Hinoban cannot deliver to."""
    return next((kind for kind, pattern in _KINDS if pattern.fullmatch(arn)), None)


class Unsupported:
    """Targets that PutTargets accepts and nothing reaches.

    Differs from AWS: a delivery to them fails for good and says so.
    """

    async def deliver(self, parcel: Parcel) -> Mismatch | None:
        arn = parcel.delivery.target_arn
        service = arn.split(":")[2] if arn.count(":") >= 5 else ""
        does = _UNSUPPORTED.get(service)
        why = f"Hinoban does not {does} yet" if does else f"Hinoban does not know how to deliver to {arn}"
        raise Failure("NO_RESOURCE", why, why)


class Adapters:
    """The adapter of each kind."""

    def __init__(self, by_kind: dict[str, Adapter]) -> None:
        self._by_kind = by_kind
        self._unsupported = Unsupported()

    def of(self, arn: str) -> Adapter:
        """Who delivers to this target."""
        return self._by_kind.get(kind_of(arn) or "") or self._unsupported
