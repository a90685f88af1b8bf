"""Reads every schedule with an ECS target from AWS's API, and looks whether its next run can start. No decision of its own."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from hinoban.aws.errors import AwsError
from hinoban.base.clock import SECONDS, Clock
from hinoban.watch.schedules import reading
from hinoban.watch.schedules.asking import Asked, Asker, Failed, Pace, each, merged, no_pace
from hinoban.watch.schedules.model import Kind, Problem, Schedule, Snapshot, Surroundings, region_scope, scope_of
from hinoban.watch.schedules.surroundings import joined, surroundings

_GONE = ("ResourceNotFoundException",)
_FRESH = 5 * SECONDS
_PAGE = 100


class _Reading:
    """What one reading gathers, before it becomes a Snapshot."""

    def __init__(self) -> None:
        self.schedules: list[Schedule] = []
        self.not_watched: dict[str, int] = {}
        self.problems: list[Problem] = []
        self.read: set[str] = set()
        self.unread: set[str] = set()
        self.around: list[Surroundings] = []

    def other(self, kind: str) -> None:
        self.not_watched[kind] = self.not_watched.get(kind, 0) + 1

    def snapshot(self, wanted: Collection[str], account: str | None) -> Snapshot:
        return Snapshot(
            account=account,
            schedules=tuple(sorted(self.schedules, key=lambda schedule: schedule.key)),
            not_watched=dict(sorted(self.not_watched.items())),
            complete=not self.unread and self.read.issuperset(wanted),
            problems=tuple(msgspec.structs.replace(one, account=account or "") for one in merged(self.problems)),
            around=joined(self.around),
            read=frozenset(self.read),
            unread=frozenset(self.unread),
        )


class Inventory:
    """Asks the endpoint of `client`. Kept for long: what Scheduler says has not been modified is not asked for again.

    `account` is whose schedules it brings, None where the endpoint has but one. `pace` is awaited before every call.
    `roles` and `secrets` say whether IAM, and Secrets Manager and SSM, are asked too.
    """

    def __init__(
        self,
        client: Asked,
        clock: Clock,
        *,
        account: str | None = None,
        pace: Pace = no_pace,
        roles: bool = True,
        secrets: bool = True,
    ) -> None:
        self._client = client
        self.account = account
        self._clock = clock
        self._pace = pace
        self._roles = roles
        self._secrets = secrets
        self._known: dict[str, tuple[float, Schedule]] = {}

    async def full(self, regions: Iterable[str]) -> Snapshot:
        """Every schedule of these regions. A part that cannot be read becomes a problem and loses nothing else."""
        found, wanted = _Reading(), []
        for region in dict.fromkeys(regions):
            asker = self._asker(region, found)
            await self._rules(asker, found)
            await self._schedules(asker, found)
            await self._around(asker, found)
            wanted += [region_scope("rule", region), region_scope("schedule", region)]
        return found.snapshot(wanted, self.account)

    async def some(self, region: str, rules: Collection[str], schedules: Collection[tuple[str, str]]) -> Snapshot:
        """These rules of the default bus and these schedules (group, name) alone. One that is gone is read, and is in no result."""
        found = _Reading()
        asker = self._asker(region, found)

        async def rule(name: str) -> None:
            scope = scope_of("rule", region, None, name)
            answer = await _unless_gone(asker, found, scope, "events", "DescribeRule", {"Name": name}, name)
            if answer is not None and answer.get("ScheduleExpression"):
                await self._targets(asker, found, answer)
            found.read.add(scope)

        async def schedule(key: tuple[str, str]) -> None:
            await self._get(asker, found, *key)
            found.read.add(scope_of("schedule", region, *key))

        await each(sorted(rules), rule)
        await each(sorted(schedules), schedule)
        await self._around(asker, found)
        found.not_watched.clear()
        wanted = [scope_of("rule", region, None, name) for name in rules]
        return found.snapshot(wanted + [scope_of("schedule", region, *key) for key in schedules], self.account)

    def _asker(self, region: str, found: _Reading) -> Asker:
        return Asker(self._client, region, self._clock, self._pace, found.problems)

    async def _around(self, asker: Asker, found: _Reading) -> None:
        found.around.append(await surroundings(found.schedules, asker, roles=self._roles, secrets=self._secrets))

    async def _rules(self, asker: Asker, found: _Reading) -> None:
        """Only the default bus has scheduled rules (facts/eventbridge.md §5)."""
        scheduled = await _listed(asker, found, "rule", "events", "ListRules", {"Limit": _PAGE}, "Rules")

        async def one(rule: Mapping[str, Any]) -> None:
            await self._targets(asker, found, rule)

        await each([rule for rule in scheduled if rule.get("ScheduleExpression")], one)

    async def _targets(self, asker: Asker, found: _Reading, rule: Mapping[str, Any]) -> None:
        scope = scope_of("rule", asker.region, None, rule["Name"])
        targets: list[Mapping[str, Any]] = []
        page: dict[str, Any] = {"Rule": rule["Name"], "Limit": _PAGE}
        while True:
            answer = await _unless_gone(asker, found, scope, "events", "ListTargetsByRule", page, rule["Name"])
            if answer is None:
                return
            targets += answer.get("Targets") or []
            if not answer.get("NextToken"):
                break
            page["NextToken"] = answer["NextToken"]
        for target in targets:
            if reading.is_ecs(target["Arn"]) and target.get("EcsParameters"):
                found.schedules.append(reading.of_rule(rule, target))
            else:
                found.other(reading.kind_of(target["Arn"]))
        if not targets:
            found.other(reading.NO_TARGET)

    async def _schedules(self, asker: Asker, found: _Reading) -> None:
        """A summary names the target's ARN: only those of clusters are asked for, and only when they were modified."""
        listed = await _listed(asker, found, "schedule", "scheduler", "ListSchedules", {"MaxResults": _PAGE}, "Schedules")
        ours: list[Mapping[str, Any]] = []
        for summary in listed:
            arn = (summary.get("Target") or {}).get("Arn", "")
            if reading.is_ecs(arn):
                ours.append(summary)
            else:
                found.other(reading.kind_of(arn))

        async def one(summary: Mapping[str, Any]) -> None:
            known = self._known.get(summary["Arn"])
            if known is not None and known[0] == reading.moment(summary.get("LastModificationDate")):
                found.schedules.append(known[1])
            else:
                await self._get(asker, found, summary.get("GroupName") or "default", summary["Name"])

        await each(ours, one)
        if region_scope("schedule", asker.region) in found.read:
            self._forget(asker.region, {summary["Arn"] for summary in ours})

    async def _get(self, asker: Asker, found: _Reading, group: str, name: str) -> None:
        scope, asked_at = scope_of("schedule", asker.region, group, name), self._clock.now()
        answer = await _unless_gone(asker, found, scope, "scheduler", "GetSchedule", {"GroupName": group, "Name": name}, name)
        if answer is None:
            return
        if not (reading.is_ecs(answer["Target"]["Arn"]) and answer["Target"].get("EcsParameters")):
            found.other(reading.kind_of(answer["Target"]["Arn"]))
            return
        schedule = reading.of_schedule(answer)
        found.schedules.append(schedule)
        # One that was modified just now may be modified again within the same tick of that date.
        if schedule.modified_at is not None and schedule.modified_at < asked_at - _FRESH:
            self._known[schedule.arn] = (schedule.modified_at, schedule)
        else:
            self._known.pop(schedule.arn, None)

    def _forget(self, region: str, listed: Collection[str]) -> None:
        for arn in [arn for arn, (_, known) in self._known.items() if known.region == region and arn not in listed]:
            del self._known[arn]


async def _listed(
    asker: Asker, found: _Reading, kind: Kind, service: str, operation: str, params: Mapping[str, Any], key: str
) -> list[Mapping[str, Any]]:
    """What a list holds, as far as it could be read; read to its end, its scope is read."""
    listed: list[Mapping[str, Any]] = []
    try:
        async for item in asker.pages(service, operation, params, key):
            listed.append(item)
    except Failed:
        return listed
    found.read.add(region_scope(kind, asker.region))
    return listed


async def _unless_gone(
    asker: Asker, found: _Reading, scope: str, service: str, operation: str, params: Mapping[str, Any], about: str
) -> dict[str, Any] | None:
    """The answer about one rule or schedule; None when it is there no more. Failed leaves its scope unread."""
    try:
        answer: dict[str, Any] = await asker.ask(service, operation, params, about=about, expect=_GONE)
    except AwsError:
        return None
    except Failed:
        found.unread.add(scope)
        raise
    return answer
