"""Links of a message, made from the configured templates. Pure."""

import string
from collections.abc import Sequence
from urllib.parse import quote

from hinoban.watch.config import Link
from hinoban.watch.model import Incident, task_id_of

FIELDS = ("incident", "family", "cluster", "account", "region", "detector", "code", "task")
"""What a link's URL may name in braces."""


def links_of(incident: Incident, links: Sequence[Link]) -> tuple[tuple[str, str], ...]:
    """(text, URL) of each link; one whose field this incident lacks is left out."""
    finding = incident.finding
    values = {
        "incident": incident.id,
        "family": finding.family,
        "cluster": finding.cluster,
        "account": finding.account,
        "region": finding.region,
        "detector": finding.detector,
        "code": finding.explanation.code,
        "task": task_id_of(finding.task_arn or ""),
    }
    spelt = {name: quote(value, safe="") for name, value in values.items()}
    return tuple((one.text, one.url.format_map(spelt)) for one in links if all(values[name] for name in named(one.url)))


def named(url: str) -> list[str]:
    """The fields that a template names; ValueError where its braces do not fit."""
    return [field for _, field, _, _ in string.Formatter().parse(url) if field is not None]
