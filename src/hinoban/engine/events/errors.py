"""EventBridge's own words for what is wrong (facts/eventbridge.md §3, §5, §9). Every one of them has the status 400."""

from hinoban.aws.errors import AwsError


def invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def bad_arn(arn: str) -> AwsError:
    return invalid(f"Parameter {arn} is not valid. Reason: Provided Arn is not in correct format.")


def bad_token() -> AwsError:
    """UNCONFIRMED: the text, which no source tells."""
    return invalid("Parameter NextToken is not valid.")


def limit_exceeded() -> AwsError:
    return AwsError("LimitExceededException", "The requested resource exceeds the maximum number allowed.")


def no_such_bus(bus: str) -> AwsError:
    return AwsError("ResourceNotFoundException", f"Event bus {bus} does not exist.")


def bus_exists(bus: str) -> AwsError:
    return AwsError("ResourceAlreadyExistsException", f"Event bus {bus} already exists.")


def no_such_rule(rule: str, bus: str) -> AwsError:
    return AwsError("ResourceNotFoundException", f"Rule {rule} does not exist on EventBus {bus}.")


def managed_rule(rule: str, by: str) -> AwsError:
    """UNCONFIRMED: the text, which no source tells."""
    return AwsError("ManagedRuleException", f"Rule {rule} is managed by {by} and can't be changed.")


def no_such_statement() -> AwsError:
    return AwsError("ResourceNotFoundException", "Statement with the provided id does not exist.")


def no_such_archive(archive: str) -> AwsError:
    return AwsError("ResourceNotFoundException", f"Archive {archive} does not exist.")


def archive_exists(archive: str) -> AwsError:
    return AwsError("ResourceAlreadyExistsException", f"Archive {archive} already exists.")


def no_such_replay(replay: str) -> AwsError:
    return AwsError("ResourceNotFoundException", f"Replay {replay} does not exist.")


def replay_exists(replay: str) -> AwsError:
    return AwsError("ResourceAlreadyExistsException", f"Replay {replay} already exists.")
