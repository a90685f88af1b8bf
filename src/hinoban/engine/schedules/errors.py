"""EventBridge Scheduler's own words for what is wrong (facts/eventbridge.md §1, §8.1); texts that nobody could confirm say so."""

from hinoban.aws.errors import AwsError


def invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def invalid_expression(expression: str) -> AwsError:
    """As AWS answered in January 2025 (recordings of CreateSchedule)."""
    return invalid(f"Invalid Schedule Expression {expression}.")


def no_such_schedule(name: str) -> AwsError:
    return AwsError("ResourceNotFoundException", f"Schedule {name} does not exist.", 404)


def no_such_group(name: str) -> AwsError:
    return AwsError("ResourceNotFoundException", f"Schedule group {name} does not exist.", 404)


def schedule_exists(name: str) -> AwsError:
    return AwsError("ConflictException", f"Schedule {name} already exists.", 409)


def group_exists(name: str) -> AwsError:
    return AwsError("ConflictException", f"Schedule group {name} already exists.", 409)


def too_many(what: str, most: int) -> AwsError:
    """402, as the model says. The text is UNCONFIRMED."""
    return AwsError("ServiceQuotaExceededException", f"The maximum number of {what} ({most}) in this Region has been reached.", 402)


def invalid_token() -> AwsError:
    """The text is UNCONFIRMED."""
    return invalid("The NextToken you specify is not valid.")
