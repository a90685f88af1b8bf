"""Which scheduled runs were due and have not been seen: what the poll source looks for by itself. Reads watch.db only."""

from collections.abc import Iterable

from sqlalchemy import Engine

from hinoban.watch.history.book import slots_between
from hinoban.watch.sources.poll import Due, DueSlots


def due_slots(engine: Engine, account: str, region: str) -> DueSlots:
    """The account's slots of that region in (since, until] that still wait for their launch and whose family is known."""

    def due(since: float, until: float) -> Iterable[Due]:
        if until <= since:
            return ()
        with engine.connect() as connection:
            slots = slots_between(connection, since, until)
        waiting = [one for one in slots if one.state == "waiting" and (one.account, one.region) == (account, region) and one.family]
        return [Due(cluster=one.cluster or "default", family=one.family, at=one.at) for one in waiting]

    return due
