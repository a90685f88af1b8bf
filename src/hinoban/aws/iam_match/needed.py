"""PURE: the resource policy that a target needs before EventBridge's rules can reach it (facts/eventbridge.md §6.2)."""

from typing import Any

from hinoban.aws import arns

EVENTS = "events.amazonaws.com"
# The console adds it beside the rules' own; without it some deliveries failed (terraform-provider-aws#30388).
LOG_DELIVERY = "delivery.logs.amazonaws.com"
_OWNERS = ("GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission", "DeleteTopic", "Subscribe",
           "ListSubscriptionsByTopic", "Publish")  # fmt: skip


def needed(target_arn: str, *, rule_arn: str, account: str) -> dict[str, Any]:
    """The document for a log group, a topic or a queue; ValueError for what needs no resource policy.

    A topic's has the owner's statement too: SetTopicAttributes replaces the whole policy, and AWS gives each topic that one."""
    target = arns.parse(target_arn)
    if target.service == "logs" and target.resource.startswith("log-group:"):
        group = target_arn.partition(":log-stream:")[0].removesuffix(":*")
        return _policy(
            {
                "Sid": "TrustEventsToStoreLogEvent",
                "Effect": "Allow",
                "Principal": {"Service": [EVENTS, LOG_DELIVERY]},
                "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": f"{group}:*",
            }
        )
    if target.service == "sns":
        owner = {
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": [f"SNS:{action}" for action in _OWNERS],
            "Resource": target_arn,
            "Condition": {"StringEquals": {"AWS:SourceOwner": account}},
        }
        return _policy(owner, _for_rules("sns:Publish", target_arn))
    if target.service == "sqs":
        return _policy(_for_rules("sqs:SendMessage", target_arn) | {"Condition": {"ArnEquals": {"aws:SourceArn": rule_arn}}})
    raise ValueError(f"{target_arn} needs no resource policy")


def _for_rules(action: str, resource: str) -> dict[str, Any]:
    return {"Sid": "TrustEventsRules", "Effect": "Allow", "Principal": {"Service": EVENTS}, "Action": action, "Resource": resource}


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}
