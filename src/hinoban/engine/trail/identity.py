"""Who called, as CloudTrail's `userIdentity` tells it (facts/cloudtrail_sns_lambda.md §1.2). PURE.

Differs from AWS: principal ids are derived from the ARN, the issuer's ARN has no path, and a session's creationDate is the moment of
the call: nobody here keeps them.
"""

import base64
import functools
import hashlib
from typing import Any

from hinoban.aws.call import Caller
from hinoban.base.units import iso_seconds

_ID_LENGTH = 17


def user_identity(caller: Caller, account: str, now: float) -> dict[str, Any]:
    """The member for a call at `now`; it may be shared, so nobody changes it."""
    if caller.principal_type == "AssumedRole":
        return _assumed_role(caller, account, now)
    return _lasting(caller, account)


@functools.lru_cache(maxsize=256)
def _lasting(caller: Caller, account: str) -> dict[str, Any]:
    arn = caller.principal_arn
    if arn.endswith(":root"):
        return {
            "type": "Root",
            "principalId": account,
            "arn": arn,
            "accountId": account,
            "accessKeyId": caller.access_key_id,
        }
    found = {
        "type": caller.principal_type,
        "principalId": _unique_id("AIDA", arn),
        "arn": arn,
        "accountId": account,
        "accessKeyId": caller.access_key_id,
    }
    if caller.principal_type == "IAMUser":
        found["userName"] = arn.rpartition("/")[2]
    return found


def _assumed_role(caller: Caller, account: str, now: float) -> dict[str, Any]:
    """`arn:aws:sts::ACCT:assumed-role/ROLE/session`: whose role it is, and which service used it."""
    partition, role, session = _parts(caller.principal_arn)
    issuer = f"arn:{partition}:iam::{account}:role/{role}"
    role_id = _unique_id("AROA", issuer)
    found: dict[str, Any] = {
        "type": "AssumedRole",
        "principalId": f"{role_id}:{session}",
        "arn": caller.principal_arn,
        "accountId": account,
        "accessKeyId": caller.access_key_id,
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "principalId": role_id, "arn": issuer, "accountId": account, "userName": role},
            "attributes": {"creationDate": iso_seconds(now), "mfaAuthenticated": "false"},
        },
    }
    if caller.invoked_by is not None:
        found["invokedBy"] = caller.invoked_by
    return found


def user_name(identity: dict[str, Any]) -> str:
    """What LookupEvents calls Username: an assumed role's session, a user's name, `root` (facts/cloudtrail_sns_lambda.md §1.5)."""
    if identity["type"] == "Root":
        return "root"
    name: str = identity["arn"].rpartition("/")[2]
    return name


def _parts(arn: str) -> tuple[str, str, str]:
    head, _, rest = arn.partition("assumed-role/")
    role, _, session = rest.rpartition("/")
    return (head.split(":")[1] if ":" in head else "aws", role, session)


@functools.lru_cache(maxsize=1024)
def _unique_id(prefix: str, arn: str) -> str:
    return prefix + base64.b32encode(hashlib.sha256(arn.encode()).digest()).decode()[:_ID_LENGTH]
