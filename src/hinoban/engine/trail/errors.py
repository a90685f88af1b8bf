"""CloudTrail's own words for what is wrong. Texts with a source were captured from AWS; the others are UNCONFIRMED, their codes are the model's."""

from hinoban.aws.errors import AwsError

MOST_TRAILS = 5
MOST_TAGS = 50


def unknown_trail(name: str, account: str) -> AwsError:
    return AwsError("TrailNotFoundException", f"Unknown trail: {name} for the user: {account}")  # aws-sdk-go-v2 issue 1957


def trail_exists(name: str, account: str) -> AwsError:
    return AwsError("TrailAlreadyExistsException", f"Trail {name} already exists for customer: {account}")  # Terraform's logs


def too_many_trails(account: str, region: str) -> AwsError:
    text = f"User: {account} already has {MOST_TRAILS} trails in {region}."  # linz/geostore issue 1450
    return AwsError("MaximumNumberOfTrailsExceededException", text)


def bad_name(text: str) -> AwsError:
    return AwsError("InvalidTrailNameException", text)


def no_bucket() -> AwsError:
    return AwsError("InvalidS3BucketNameException", "Bucket name cannot be blank!")


def bad_arn(text: str = "You must specify an ARN that the caller account can access.") -> AwsError:
    return AwsError("CloudTrailARNInvalidException", text)  # a capture of ListTags


def not_at_home(arn: str, home: str) -> AwsError:
    text = f"The trail {arn} can be changed in its home region only: {home}."
    return AwsError("InvalidHomeRegionException", text)


def not_trail_arn(arn: str) -> AwsError:
    return bad_arn(f"{arn} is not the ARN of a trail.")


def no_role() -> AwsError:
    text = "You must specify both a CloudWatch Logs log group ARN and a CloudWatch Logs role ARN."
    return AwsError("InvalidCloudWatchLogsRoleArnException", text)


def no_group() -> AwsError:
    text = "You must specify both a CloudWatch Logs log group ARN and a CloudWatch Logs role ARN."
    return AwsError("InvalidCloudWatchLogsLogGroupArnException", text)


def bad_group() -> AwsError:
    text = "CloudTrail cannot validate the specified log group ARN."  # Terraform's and Pulumi's logs
    return AwsError("InvalidCloudWatchLogsLogGroupArnException", text)


def bad_role() -> AwsError:
    return AwsError("InvalidCloudWatchLogsRoleArnException", "CloudTrail cannot validate the specified role ARN.")


def needs_global_events() -> AwsError:
    text = "Multi-Region trail must include global service events."
    return AwsError("InvalidParameterCombinationException", text)


def no_organization() -> AwsError:
    """Differs from AWS: there is one account and no organization."""
    text = "This account is not the management account of an organization; Hinoban has one account and no AWS Organizations."
    return AwsError("OrganizationsNotInUseException", text)


def bad_selectors(text: str) -> AwsError:
    return AwsError("InvalidEventSelectorsException", text)


def no_insights(arn: str) -> AwsError:
    """AWS CLI's page of get-insight-selectors quotes it."""
    text = f"Trail {arn} does not have Insights enabled. Edit the trail settings to enable Insights, and then try the operation again."
    return AwsError("InsightNotEnabledException", text)


def bad_insights(text: str) -> AwsError:
    return AwsError("InvalidInsightSelectorsException", text)


def no_event_data_stores() -> AwsError:
    """Differs from AWS: there is no CloudTrail Lake."""
    return AwsError("UnsupportedOperationException", "Hinoban has no event data stores; docs/compatibility.md lists what it has.")


def trail_needed() -> AwsError:
    return AwsError("InvalidParameterCombinationException", "You must specify a trail name or an event data store.")


def no_resource(arn: str) -> AwsError:
    return AwsError("ResourceNotFoundException", f"{arn} does not exist.")


def bad_tag(text: str) -> AwsError:
    return AwsError("InvalidTagParameterException", text)


def too_many_tags() -> AwsError:
    return AwsError("TagsLimitExceededException", f"The number of tags per trail has exceeded the permitted amount of {MOST_TAGS}.")


def bad_lookup(text: str) -> AwsError:
    return AwsError("InvalidLookupAttributesException", text)


def bad_range() -> AwsError:
    return AwsError("InvalidTimeRangeException", "The start time must be before the end time.")


def bad_next_token() -> AwsError:
    """In the words of the API Reference's description of the error."""
    text = "A token that is not valid, or a token that was previously used in a request with different parameters."
    return AwsError("InvalidNextTokenException", text)
