"""From [aws] of the configuration to what a watch needs: a client, the sources and an inventory for each account. Composes, decides nothing."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Engine

from hinoban.aws.client import Client, EndpointUnreachable
from hinoban.aws.errors import AwsError
from hinoban.aws.profiles import Profile, RegionalClient, client_of, client_of_role
from hinoban.base.clock import Clock
from hinoban.base.errors import HinobanError
from hinoban.daemon.config_aws import AwsConfig
from hinoban.watch.due_slots import due_slots
from hinoban.watch.history.aside import AsideBook
from hinoban.watch.places import Clients
from hinoban.watch.schedules.inventory import Inventory
from hinoban.watch.sources import Http, Poll, Source, Sqs
from hinoban.watch.sources.pace import paced


class Account(msgspec.Struct, frozen=True):
    """One account that is watched, in some of its regions."""

    id: str
    regions: tuple[str, ...]
    client: Client
    foreign: bool
    """At an endpoint that stands in for AWS: nobody else draws on its buckets, and its IAM is empty."""


class Watched(msgspec.Struct, frozen=True):
    """Everything that `Watch` takes of accounts."""

    name: str
    """The profile's."""
    accounts: tuple[Account, ...]
    clients: Clients
    sources: tuple[Source, ...]
    inventories: tuple[tuple[Inventory, Sequence[str]], ...]
    posted: Http | None


async def watched(config: AwsConfig, engine: Engine, clock: Clock) -> Watched:
    """What is to be watched. HinobanError where the profile cannot be used or says nothing of who it is."""
    profile = Profile(config.profile, (config.regions or (None,))[0], config.endpoint_url)
    client = client_of(profile, clock)
    home = await _home(client, profile)
    regions = (profile.region,) if config.regions is None else config.regions
    accounts = [Account(home, regions, client, profile.foreign)] if regions else []
    accounts += [
        Account(one.id, one.regions, client_of_role(client, one.role_arn, one.regions[0], clock), profile.foreign)
        for one in config.accounts
    ]
    sources: list[Source] = []
    inventories: list[tuple[Inventory, Sequence[str]]] = []
    for account in accounts:
        client_paced = paced(account.client, clock, foreign=account.foreign)
        inventories.append((Inventory(client_paced, clock, account=account.id, roles=not account.foreign), account.regions))
        if config.poll:
            for region in account.regions:
                due = due_slots(engine, account.id, region)
                sources.append(Poll(client_paced.in_region(region), clock, account=account.id, due=due))
    aside = AsideBook(engine)
    for queue in config.queues:
        there = client.in_region(queue.region or profile.region)
        sources.append(Sqs(there, clock, queue.url, aside=aside, of=queue.of))
    posted = None if config.listen is None else Http(f"{config.listen.host}:{config.listen.port}", clock)
    if posted is not None:
        sources.append(posted)
    others = {account.id: account.client for account in accounts if account.id != home}
    return Watched(
        name=profile.name,
        accounts=tuple(accounts),
        clients=Clients(client, others, {one.id: one.role_arn for one in config.accounts}),
        sources=tuple(sources),
        inventories=tuple(inventories),
        posted=posted,
    )


async def _home(client: RegionalClient, profile: Profile) -> str:
    """The account whose credentials these are; AWS lets everybody ask."""
    await profile.keys()
    try:
        return str((await client.call("sts", "GetCallerIdentity", {}))["Account"])
    except (AwsError, EndpointUnreachable) as error:
        raise HinobanError(
            f"Profile {profile.name} cannot be used", str(error), f"Try it: aws sts get-caller-identity --profile {profile.name}"
        ) from error
