"""CloudWatch Logs' own words for what is wrong (facts/logs.md §§1-3)."""

from hinoban.aws.errors import AwsError


def no_such_group() -> AwsError:
    return AwsError("ResourceNotFoundException", "The specified log group does not exist.")


def no_such_stream() -> AwsError:
    return AwsError("ResourceNotFoundException", "The specified log stream does not exist.")


def group_exists() -> AwsError:
    return AwsError("ResourceAlreadyExistsException", "The specified log group already exists")


def stream_exists() -> AwsError:
    return AwsError("ResourceAlreadyExistsException", "The specified log stream already exists")


def invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)


def invalid_token() -> AwsError:
    return invalid("The specified nextToken is invalid.")
