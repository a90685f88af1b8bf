"""The fields that the `match` of a `[[policy]]` may name: what its events can hold, so that a misspelt one is found at the start."""

from hinoban.aws.event_patterns import Names

ENVELOPE = ("version", "id", "detail-type", "source", "account", "time", "region", "resources")
"""EventBridge's envelope beside `detail` (facts/ecs.md §6.2)."""

HINOBAN = ("family", "cluster", "started_by", "tags")
"""Our own words, which watch/policies.py adds to the event."""

# facts/ecs.md §6.2, "ECS Task State Change".
TASK = tuple(
    "attachments attributes availabilityZone capacityProviderName clusterArn connectivity connectivityAt containerInstanceArn containers "
    "cpu createdAt desiredStatus enableExecuteCommand ephemeralStorage executionStoppedAt group launchType lastStatus memory overrides "
    "platformVersion pullStartedAt pullStoppedAt startedAt startedBy stopCode stoppedAt stoppedReason stoppingAt taskArn "
    "taskDefinitionArn updatedAt version".split()
)

# facts/cloudtrail_sns_lambda.md §1.1, "AWS API Call via CloudTrail".
RECORD = tuple(
    "eventVersion userIdentity eventTime eventSource eventName awsRegion sourceIPAddress userAgent errorCode errorMessage "
    "requestParameters responseElements additionalEventData requestID eventID eventType apiVersion managementEvent readOnly resources "
    "recipientAccountId sharedEventID vpcEndpointId eventCategory tlsDetails sessionCredentialFromConsole edgeDeviceDetails "
    "addendum".split()
)

POLICY: Names = {
    **dict.fromkeys(ENVELOPE),
    "detail": dict.fromkeys((*TASK, *RECORD)),
    "hinoban": dict.fromkeys(HINOBAN),
}
