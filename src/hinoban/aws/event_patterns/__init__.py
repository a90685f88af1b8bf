"""EventBridge's event patterns (facts/eventbridge.md §4): the one query language of policies, routes, mutes, faults and rules. PURE.

A pattern is read into nodes (`nodes`, `text`), compiled into conjunctions of fields (`grammar`, `matchers`), and held against an event
that was laid out as leaves (`events`, `selection`). `index` asks thousands of patterns about one event; `names` finds misspelt fields.
"""

from hinoban.aws.event_patterns.errors import BadPattern
from hinoban.aws.event_patterns.grammar import Pattern, compile_pattern, compile_text
from hinoban.aws.event_patterns.index import PatternIndex
from hinoban.aws.event_patterns.names import Names, UnknownName, unknown_name
from hinoban.aws.event_patterns.values import NumberText

Matcher = Pattern

__all__ = [
    "BadPattern",
    "Matcher",
    "Names",
    "NumberText",
    "Pattern",
    "PatternIndex",
    "UnknownName",
    "compile_pattern",
    "compile_text",
    "unknown_name",
]
