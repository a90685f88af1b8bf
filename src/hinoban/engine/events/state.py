"""Every bus and rule, in memory and indexed, with a row on disk for each; a rule's pattern is asked through its bus's index.

The default bus is in every region, without a row of its own until something of it is changed; a row of no region says since when.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from hinoban.aws.call import Params
from hinoban.aws.event_patterns import PatternIndex, compile_text
from hinoban.base.clock import Clock
from hinoban.engine.events.archives import MIGRATION as _ARCHIVES
from hinoban.engine.events.archives import Archives
from hinoban.engine.events.model import DEFAULT_BUS, Bus, Rule, bus_arn
from hinoban.store.database import Database, Table

MIGRATION = f"""
CREATE TABLE event_buses (region TEXT, name TEXT, value BLOB NOT NULL, PRIMARY KEY (region, name)) WITHOUT ROWID;
CREATE TABLE event_rules (region TEXT, bus TEXT, name TEXT, value BLOB NOT NULL, PRIMARY KEY (region, bus, name));
{_ARCHIVES}"""
BUSES = Table("event_buses", "region", "name")
RULES = Table("event_rules", "region", "bus", "name")

WITH_READS = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"

_BIRTH = ("", DEFAULT_BUS)

Place = tuple[str, str]
"""Region and bus."""
Hear = Callable[[Rule | None, Rule | None], None]


class EventsState:
    """Buses and rules of every region, and the archives."""

    def __init__(self, database: Database, clock: Clock, account: str) -> None:
        self._database = database
        self.account = account
        self.archives = Archives(database, clock)
        self._buses: dict[Place, Bus] = {}
        self._rules: dict[tuple[str, str, str], Rule] = {}
        self._by_bus: defaultdict[Place, dict[str, Rule]] = defaultdict(dict)
        self._patterns: dict[Place, PatternIndex[str]] = {}
        self._by_target: defaultdict[tuple[str, str, str], set[str]] = defaultdict(set)
        self._hearers: list[Hear] = []
        self.rules: Mapping[tuple[str, str, str], Rule] = MappingProxyType(self._rules)
        self._load()
        if _BIRTH not in self._buses:
            self.put_bus(Bus(region="", name=DEFAULT_BUS, arn="", created_at=clock.now(), modified_at=clock.now()))
            database.commit()

    def _load(self) -> None:
        for _, _, value in self._database.rows(BUSES):
            bus = msgspec.json.decode(value, type=Bus)
            self._buses[(bus.region, bus.name)] = bus
        for _, _, _, value in self._database.rows(RULES):
            self._remember(None, msgspec.json.decode(value, type=Rule))

    # Buses ---------------------------------------------------------------------------------------------------------------------------

    def bus(self, region: str, name: str) -> Bus | None:
        """The bus of that name; the default one is always there."""
        found = self._buses.get((region, name))
        if found is None and name == DEFAULT_BUS:
            return msgspec.structs.replace(self._buses[_BIRTH], region=region, arn=bus_arn(region, self.account, name))
        return found

    def buses(self, region: str) -> list[Bus]:
        """The buses of a region by name, the default one among them."""
        found = {name: bus for (place, name), bus in self._buses.items() if place == region}
        default = self.bus(region, DEFAULT_BUS)
        assert default is not None
        return [bus for _, bus in sorted((found | {DEFAULT_BUS: default}).items())]

    def put_bus(self, bus: Bus) -> None:
        """Keep this bus in place of the one of its name."""
        self._buses[(bus.region, bus.name)] = bus
        self._database.put(BUSES, (bus.region, bus.name), bus)

    def delete_bus(self, region: str, name: str) -> None:
        """Forget a bus, if it is there, with whatever rules it has."""
        for rule in list(self.rules_of(region, name).values()):
            self.delete_rule(rule)
        if self._buses.pop((region, name), None) is not None:
            self._database.put(BUSES, (region, name), None)

    # Rules ---------------------------------------------------------------------------------------------------------------------------

    def rules_of(self, region: str, bus: str) -> Mapping[str, Rule]:
        """A bus's rules by name."""
        return self._by_bus.get((region, bus), _NO_RULES)

    def names_by_target(self, region: str, bus: str, target_arn: str) -> Iterable[str]:
        """The names of the bus's rules that have this target, in no order."""
        return self._by_target.get((region, bus, target_arn), ())

    def put_rule(self, rule: Rule) -> None:
        """Keep this rule in place of the one of its name, whose pattern was compiled without complaint; then tell who listens."""
        before = self._rules.get(rule.key)
        self._remember(before, rule)
        self._database.put(RULES, rule.key, rule)
        for hear in self._hearers:
            hear(before, rule)

    def delete_rule(self, rule: Rule) -> None:
        """Forget a rule and its targets; then tell who listens."""
        before = self._rules.pop(rule.key)
        place = (before.region, before.bus)
        del self._by_bus[place][before.name]
        if not self._by_bus[place]:
            del self._by_bus[place]
        self._reindex(before, None)
        self._database.put(RULES, before.key, None)
        for hear in self._hearers:
            hear(before, None)

    def listen(self, hear: Hear) -> None:
        """Tell `hear` the rule before and after every change from now on, in the turn of the change; None where there is none."""
        self._hearers.append(hear)

    def _remember(self, before: Rule | None, rule: Rule) -> None:
        self._reindex(before, rule)
        self._rules[rule.key] = rule
        self._by_bus[(rule.region, rule.bus)][rule.name] = rule

    def _reindex(self, before: Rule | None, after: Rule | None) -> None:
        """Bring the indices from one version of a rule to the next; a pattern that stays is not compiled again."""
        was, now = _asked(before), _asked(after)
        some = after or before
        assert some is not None
        place = (some.region, some.bus)
        if was != now:
            index = self._patterns.setdefault(place, PatternIndex())
            if now is not None:
                index.add(some.name, compile_text(now))
            else:
                index.remove(some.name)
                if not len(index):
                    del self._patterns[place]
        gone, come = _target_arns(before), _target_arns(after)
        for arn in gone - come:
            names = self._by_target[(*place, arn)]
            names.discard(some.name)
            if not names:
                del self._by_target[(*place, arn)]
        for arn in come - gone:
            self._by_target[(*place, arn)].add(some.name)

    def matching(self, region: str, bus: str, event: Params, *, read: bool = False) -> list[Rule]:
        """The enabled rules whose pattern the event matches; `read`: of a read-only management event, which few rules see (§0.9)."""
        index = self._patterns.get((region, bus))
        if index is None:
            return []
        rules = self._by_bus[(region, bus)]
        found = [rules[name] for name in index.matches(event)]
        return [rule for rule in found if rule.state == WITH_READS] if read else found

    def clear(self) -> None:
        """Forget every bus and rule (the reset of a test); who listens is told of each."""
        for rule in list(self._rules.values()):
            self.delete_rule(rule)
        for region, name in self._buses.keys() - {_BIRTH}:
            self.delete_bus(region, name)
        self.archives.clear()


def _asked(rule: Rule | None) -> str | None:
    """The pattern that events are held against."""
    return rule.pattern if rule is not None and rule.enabled else None


def _target_arns(rule: Rule | None) -> set[str]:
    return {target["Arn"] for target in rule.targets.values()} if rule is not None else set()


_NO_RULES: Mapping[str, Any] = MappingProxyType({})
