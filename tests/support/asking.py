"""One API call of an engine's room, without the wire: checked as the endpoint checks it, handled, its answer held against the model."""

from typing import Any

from hinoban.aws import models
from hinoban.aws.call import Call, Caller, Operations, Params
from hinoban.aws.errors import AwsError
from tests.support.shapes import check_answer, check_error

ACCOUNT = "123456789012"


def ask(operations: Operations, service: str, operation: str, region: str, now: float, params: Params) -> dict[str, Any]:
    """The answer; AwsError where it is refused, with a code that the model declares."""
    model = models.service(service).operation(operation)
    assert model is not None
    call = Call(
        service=service,
        operation=operation,
        region=region,
        account=ACCOUNT,
        request_id="r",
        now=now,
        caller=Caller("AKID", f"arn:aws:iam::{ACCOUNT}:user/hinoban", "IAMUser"),
        source_ip="127.0.0.1",
        user_agent="test",
    )
    try:
        answer = operations[operation](call, model.check(params))
    except AwsError as error:
        check_error(service, operation, error.code)
        raise
    check_answer(service, operation, answer)
    return answer
