"""PURE: which calls change what moto holds, and which of those are worth keeping. Reads are never logged, figures and mails neither."""

import re

# What an operation's name begins with when it only reads. Wrongly called a write, a read costs a row in the log and nothing else.
_READS = re.compile(
    r"(Admin)?(Get|List|Describe|Head)|BatchGet|Lookup|Search|Query|Scan|Select|Preview|Simulate|Validate|Test|Verify|Estimate|Check|Decode"
    r"|TransactGet|Decrypt|Encrypt|ReEncrypt|GenerateDataKey|GenerateRandom|GenerateMac|Sign(?!al|Up)|Filter|Count|Detect|Compare"
)
# Names of reads that make something; KMS's aliases of AWS make their key when first described.
_READS_THAT_WRITE = frozenset({("cognito-identity", "GetId")})
# What is told and over: figures, traces, mails, functions' calls. Replaying it would tell it twice.
_NEVER_KEPT = re.compile(
    r"monitoring:PutMetricData|xray:Put\w+|(email|ses):Send\w+|lambda:Invoke\w*|execute-api:.*|sns:(CheckIfPhoneNumberIsOptedOut|VerifySMS\w+)"
)
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_INVOCATION = re.compile(r"/2\d{3}-\d\d-\d\d/functions/[^/]+/(invocations|invoke-async|response-streaming-invocations)")


def operation_of(method: str, path: str, target: str, form: str) -> str:
    """The operation that a request names: in X-Amz-Target, in an RPC path, or as `Action` of its form or query string; empty where only
    method and path say it (REST)."""
    if target:
        return target.rpartition(".")[2]
    if found := re.fullmatch(r"/service/[^/]+/operation/([^/]+)", path):
        return found[1]
    if found := re.search(r"(?:^|&)Action=(\w+)(?:&|$)", form):
        return found[1]
    return ""


def writes(service: str, operation: str, method: str, path: str) -> bool:
    """Whether the call may change what moto holds; `service` is the credential scope's."""
    if operation:
        return (service, operation) in _READS_THAT_WRITE or _READS.match(operation) is None
    return method not in _SAFE_METHODS


def kept(service: str, operation: str, path: str) -> bool:
    """Whether a write is replayed at the next start."""
    if service == "lambda" and _INVOCATION.match(path):
        return False
    return _NEVER_KEPT.fullmatch(f"{service}:{operation}") is None
