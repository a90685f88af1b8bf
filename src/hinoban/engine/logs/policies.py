"""Resource policies: PutResourcePolicy, DescribeResourcePolicies, DeleteResourcePolicy (facts/logs.md §4). Who asks them is who delivers."""

import hashlib

import msgspec
from msgspec import Struct, structs

from hinoban.aws import arns
from hinoban.aws.call import Call, Handler, Params, Result
from hinoban.aws.errors import AwsError
from hinoban.aws.iam_match import BadPolicy, parse
from hinoban.engine.logs import errors
from hinoban.engine.logs.state import State
from hinoban.engine.logs.tokens import name_token, parse_after
from hinoban.store.database import Database, Table

MIGRATION = """
CREATE TABLE log_policies (region TEXT NOT NULL, scope TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL,
  PRIMARY KEY (region, scope, name)) WITHOUT ROWID;
"""
POLICIES = Table("log_policies", "region", "scope", "name")
ACCOUNT_POLICIES = 10
PAGE = 50
ACCOUNT, RESOURCE = "ACCOUNT", "RESOURCE"

Key = tuple[str, str, str]


class ResourcePolicy(Struct, frozen=True):
    """A policy of an account, or of one log group (`resource_arn`, with a revision). `updated` in milliseconds."""

    document: str
    updated: int
    name: str | None = None
    resource_arn: str | None = None
    revision: str | None = None


class Policies:
    """The policies of all regions: of an account by name, of a log group by its ARN."""

    def __init__(self, database: Database, state: State, account: str) -> None:
        self._database = database
        self._state = state
        self._account = account
        self._policies: dict[Key, ResourcePolicy] = {
            (region, scope, name): msgspec.json.decode(value, type=ResourcePolicy) for region, scope, name, value in database.rows(POLICIES)
        }

    def operations(self) -> dict[str, Handler]:
        return {
            "PutResourcePolicy": self.put_resource_policy,
            "DescribeResourcePolicies": self.describe_resource_policies,
            "DeleteResourcePolicy": self.delete_resource_policy,
        }

    def documents(self, region: str) -> dict[str, str]:
        """The region's policy documents, by the policy's name or the ARN of its log group."""
        return {name: policy.document for (where, _, name), policy in sorted(self._policies.items()) if where == region}

    def clear(self) -> None:
        for key in list(self._policies):
            self._put(key, None)

    def forget_group(self, region: str, name: str) -> None:
        """A log group is deleted: what was attached to it goes with it."""
        key = (region, RESOURCE, arns.log_group_arn(region, self._account, name))
        if key in self._policies:
            self._put(key, None)

    def put_resource_policy(self, call: Call, params: Params) -> Result:
        """The same name overwrites; the eleventh policy of an account in a region is refused."""
        name, document = params.get("policyName"), params.get("policyDocument", "")
        key = self._key(call, params)
        before = self._policies.get(key)
        try:
            parse(document)
        except BadPolicy:
            # AWS's words for it, e.g. in terraform-provider-aws#32260.
            raise errors.invalid("Could not convert to persistable policy.") from None
        policy = ResourcePolicy(document, int(call.now * 1000), name)
        if key[1] == RESOURCE:
            _check_revision(before, params)
            seed = "\0".join((key[2], document, str(call.now), before.revision or "" if before else ""))
            policy = structs.replace(policy, resource_arn=key[2], revision=hashlib.sha256(seed.encode("utf-8", "replace")).hexdigest()[:32])
        elif before is None and sum(one[:2] == key[:2] for one in self._policies) >= ACCOUNT_POLICIES:
            raise AwsError("LimitExceededException", "Resource limit exceeded.")
        self._put(key, policy)
        result: Result = {"resourcePolicy": _described(policy)}
        if policy.revision is not None:
            result["revisionId"] = policy.revision
        return result

    def describe_resource_policies(self, call: Call, params: Params) -> Result:
        """The account's policies by name; those of log groups by ARN, or of the one asked for."""
        arn = params.get("resourceArn")
        wanted = (call.region, params.get("policyScope", RESOURCE if arn is not None else ACCOUNT))
        after = parse_after(params)
        found = sorted(
            key
            for key in self._policies
            if key[:2] == wanted and (arn is None or key[2] == _bare(arn)) and (after is None or key[2] > after)
        )
        limit = params.get("limit", PAGE)
        result: Result = {"resourcePolicies": [_described(self._policies[key]) for key in found[:limit]]}
        if len(found) > limit:
            result["nextToken"] = name_token(found[limit - 1][2])
        return result

    def delete_resource_policy(self, call: Call, params: Params) -> Result:
        key = self._key(call, params)
        found = self._policies.get(key)
        if found is None:
            # UNCONFIRMED for a log group's: the fact is about names.
            raise AwsError("ResourceNotFoundException", f"Policy with name [{key[2]}] does not exist.")
        if key[1] == RESOURCE:
            _check_revision(found, params)
        self._put(key, None)
        return {}

    def _key(self, call: Call, params: Params) -> Key:
        """Under what a policy is kept; the log group that it is attached to must be there."""
        if "resourceArn" not in params:
            if not params.get("policyName"):
                # UNCONFIRMED: the text; the model does not require what the API Reference does.
                raise errors.invalid("policyName must not be empty.")
            return call.region, ACCOUNT, params["policyName"]
        arn = _bare(params["resourceArn"])
        prefix = arns.log_group_arn(call.region, self._account, "")
        if not arn.startswith(prefix) or arn.removeprefix(prefix) not in self._state.groups(call.region):
            raise errors.no_such_group()
        return call.region, RESOURCE, arn

    def _put(self, key: Key, policy: ResourcePolicy | None) -> None:
        if policy is None:
            del self._policies[key]
        else:
            self._policies[key] = policy
        self._database.put(POLICIES, key, policy)


def _check_revision(before: ResourcePolicy | None, params: Params) -> None:
    """UNCONFIRMED: which errors. The API Reference says only that the revision is required once there is one."""
    expected = params.get("expectedRevisionId")
    if before is not None and expected is None:
        raise errors.invalid("expectedRevisionId is required to change the policy of a resource.")
    if (before.revision if before else None) != expected:
        raise AwsError("OperationAbortedException", "The resource policy has another revision than the one expected.")


def _described(policy: ResourcePolicy) -> Result:
    item: Result = {
        "policyName": policy.name,
        "policyDocument": policy.document,
        "lastUpdatedTime": policy.updated,
        "policyScope": ACCOUNT if policy.resource_arn is None else RESOURCE,
        "resourceArn": policy.resource_arn,
        "revisionId": policy.revision,
    }
    return {name: value for name, value in item.items() if value is not None}


def _bare(arn: str) -> str:
    return arn.removesuffix(":*")
