"""Explains what ECS says of services, and what detectors conclude by themselves. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from hinoban.watch.explain.catalogue import Match, find
from hinoban.watch.explain.stop import explained
from hinoban.watch.model import Explanation, family_of, revision_of
from hinoban.watch.service_model import DeploymentChange, ServiceAction


def explain_action(action: ServiceAction) -> Explanation:
    """Why a service is impaired, by the action's name and reason (facts/ecs.md §6.3)."""
    facts = {**_facts(action), "action": action.name}
    said = (f"{action.name}: {action.reason}" if action.reason else action.name,)
    return explained(_found(find("service_action", f"{action.name}: {action.reason}")), said, facts)


def explain_deployment(change: DeploymentChange) -> Explanation:
    """Why a deployment failed or was taken back, by its reason (facts/ecs.md §6.4)."""
    said = (change.reason,) if change.reason else ()
    facts = {**_facts(change), "back_to": change.back_to, **definition_facts(change.definition)}
    return explained(_found(find("deployment", change.reason or "failed")), said, facts)


def explain_finding(code: str, facts: Mapping[str, Any], said: Sequence[str] = ()) -> Explanation:
    """What a detector concluded from many events, by the catalogue's code; `facts` fill the text."""
    return explained(_found(find("finding", code)), tuple(said), dict(facts))


def definition_facts(definition: str | None) -> dict[str, Any]:
    """The names `family` and `definition` of a text."""
    family, revision = family_of(definition or ""), revision_of(definition or "")
    return {"family": family, "definition": family if revision is None else f"{family}:{revision}"}


def _facts(about: ServiceAction | DeploymentChange) -> dict[str, Any]:
    return {"service": about.service, "cluster": about.cluster}


def _found(match: Match | None) -> Match:
    if match is None:  # Every place has an entry that takes whatever is left; findings name their own.
        raise ValueError("the catalogue has no entry for this")
    return match
