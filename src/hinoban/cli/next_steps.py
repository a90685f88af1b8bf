"""What to do about an AWS error: AWS says what is wrong, and leaves that to the reader."""

from hinoban.aws.errors import AwsError

_UNKNOWN_DEFINITION = "Register it in {region}: hinoban run FILE.json      (each region has its own; AWS_REGION chooses)"
_KEYS = 'Its keys are in its --state directory: give --state DIR, or in this shell: eval "$(hinoban env --state DIR)"'
_ELSE = "Correct what it names, then call again; docs/compatibility.md says where Hinoban differs from AWS."
# A part of AWS's text, and the next step; the first that fits is told.
_BY_MESSAGE = (
    ("Unable to describe task definition", _UNKNOWN_DEFINITION),
    ("TaskDefinition not found", _UNKNOWN_DEFINITION),
    ("TaskDefinition is inactive", "Register it again: hinoban run FILE.json"),
    (
        "does not support launch_type FARGATE",
        'Give its file "networkMode": "awsvpc", "cpu" and "memory" for the whole task, and "requiresCompatibilities": ["FARGATE"]; '
        "examples/hello.json shows them.",
    ),
)
_BY_CODE = {
    "ClusterNotFoundException": "Make it in {region}: aws ecs create-cluster --cluster-name NAME      (or leave --cluster out)",
    "UnrecognizedClientException": _KEYS,
    "InvalidSignatureException": _KEYS,
    "MissingAuthenticationTokenException": _KEYS,
}


def next_step(error: AwsError, region: str) -> str:
    """The next step after an error that a call to `region` was answered with; never empty."""
    by_message = next((step for part, step in _BY_MESSAGE if part in error.message), _ELSE)
    return _BY_CODE.get(error.code, by_message).format(region=region)
