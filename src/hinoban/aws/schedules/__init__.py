"""Schedule expressions of EventBridge rules and EventBridge Scheduler (facts/eventbridge.md §7, §8.2): read, reckoned, said in words. PURE.

`parsing` and `fields` read a text into an `expressions` value; `days` knows which days of a month a cron means, `calendar` finds the next
wall time, `times` puts wall times into a zone's instants, and `words` says it to people.
"""

from hinoban.aws.schedules.errors import BadExpression, BadZone
from hinoban.aws.schedules.expressions import At, Cron, Expression, Rate
from hinoban.aws.schedules.parsing import Dialect, parse
from hinoban.aws.schedules.times import count, next_after, slots
from hinoban.aws.schedules.words import words
from hinoban.aws.schedules.zones import zone

__all__ = [
    "At",
    "BadExpression",
    "BadZone",
    "Cron",
    "Dialect",
    "Expression",
    "Rate",
    "count",
    "next_after",
    "parse",
    "slots",
    "words",
    "zone",
]
