"""PURE: whether a resource policy lets a service in, by IAM's rules; where it nearly does; and the policy that would.

Sources: "Policy evaluation logic", "IAM JSON policy elements" and "Condition operators" (IAM User Guide); facts/logs.md §4.
"""

from hinoban.aws.iam_match.judge import Judgement, allows, judge, nearly
from hinoban.aws.iam_match.needed import needed
from hinoban.aws.iam_match.policy import BadPolicy, parse

__all__ = ["BadPolicy", "Judgement", "allows", "judge", "nearly", "needed", "parse"]
