"""Does what a policy's `on_crash_loop` says besides telling: UpdateService, once for each loop.

The incident says `calling` before the call is made. A lost answer is asked for again, as UpdateService twice is UpdateService once; but
not for long: by then somebody else may have changed the service.
"""

import logging
from typing import Any

import msgspec

from hinoban.aws.client import EndpointUnreachable
from hinoban.aws.errors import AwsError
from hinoban.base.clock import MINUTES, SECONDS, Clock
from hinoban.watch import incidents
from hinoban.watch.allow import update_service_command, would_have
from hinoban.watch.model import Incident, Reaction
from hinoban.watch.places import Behind, Clients
from hinoban.watch.retry.desk import Desk
from hinoban.watch.rights import Rights
from hinoban.watch.words import clock_time

AGAIN = 5 * SECONDS
TOO_LATE = 10 * MINUTES
_TO_DO = ("wanted", "calling")
log = logging.getLogger(__name__)


class ServiceFixer:
    """Looks at the open incidents, which are in memory."""

    def __init__(
        self,
        pipeline: Desk,
        clients: Clients,
        clock: Clock,
        zone: str,
        *,
        behind: Behind,
        rights: Rights,
    ) -> None:
        self._pipeline = pipeline
        self._clients = clients
        self._clock = clock
        self._zone = zone
        self._behind = behind
        self._rights = rights

    async def step(self, now: float) -> float | None:
        """Do what is to be done; when to try again what could not be."""
        due = False
        for incident in self._to_do():
            if self._behind(incident.finding.account, incident.finding.region) is None:
                await self._react(incident)
            due = True
        return self._clock.now() + AGAIN if due and self._to_do() else None

    def _to_do(self) -> list[Incident]:
        with self._pipeline.transaction() as connection:
            every = self._pipeline.ledger.open_incidents(connection).values()
            return [one for one in every if one.reaction is not None and one.reaction.state in _TO_DO]

    async def _react(self, incident: Incident) -> None:
        reaction, now = incident.reaction, self._clock.now()
        assert reaction is not None  # as `_to_do` found it
        done, not_done = (msgspec.structs.replace(reaction, state=state) for state in ("done", "told"))
        if reaction.action == "rollback" and reaction.definition is None:
            self._told(incident, not_done, "Not rolled back: no earlier deployment of this service that was steady is known.")
            return
        if now - reaction.since > TOO_LATE:
            self._told(incident, not_done, f"Not {_DONE[reaction.action]}: it could not be asked for in time.")
            return
        region, account = reaction.service_arn.split(":")[3:5]
        request = _request(reaction)
        about, by_hand = _words(reaction), update_service_command(request, region)
        finding = incident.finding
        allowed = self._rights.of_service(reaction.service_arn, finding.family, finding.facts.get("tags") or {})
        if (words := would_have("update_service", allowed, about=about, by_hand=by_hand)) is not None:
            self._told(incident, not_done, words)
            return
        if reaction.state == "wanted":
            self._write(incident, msgspec.structs.replace(reaction, state="calling"))
        try:
            await self._clients.at(account, region).call("ecs", "UpdateService", request)
        except EndpointUnreachable as error:
            log.warning("UpdateService %s: %s", reaction.service_arn, error)
        except AwsError as error:
            if error.status < 500:
                self._told(incident, not_done, f"Not {_DONE[reaction.action]}: {error.code}: {error.message}. By hand: {by_hand}")
        else:
            self._told(incident, done, f"{_DONE[reaction.action].capitalize()} at {clock_time(now, self._zone)}: {about}.")

    def _write(self, incident: Incident, reaction: Reaction) -> None:
        with self._pipeline.transaction() as connection:
            known = self._pipeline.ledger.incident(connection, incident.id) or incident
            self._pipeline.note(connection, msgspec.structs.replace(known, reaction=reaction), self._clock.now())

    def _told(self, incident: Incident, reaction: Reaction, words: str) -> None:
        now = self._clock.now()
        with self._pipeline.transaction() as connection:
            known = self._pipeline.ledger.incident(connection, incident.id) or incident
            self._pipeline.ledger.put(connection, incidents.give_up(msgspec.structs.replace(known, reaction=reaction), words, now), now)


_DONE = {"scale_to_zero": "scaled to zero", "rollback": "rolled back"}


def _request(reaction: Reaction) -> dict[str, Any]:
    cluster, service = reaction.service_arn.split(":service/")[1].split("/")
    change = {"desiredCount": 0} if reaction.action == "scale_to_zero" else {"taskDefinition": reaction.definition}
    return {"cluster": cluster, "service": service, **change}


def _words(reaction: Reaction) -> str:
    service = reaction.service_arn.rpartition("/")[2]
    return f"service {service} to 0 tasks" if reaction.action == "scale_to_zero" else f"service {service} to {reaction.definition}"
