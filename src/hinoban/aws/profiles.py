"""Credentials and endpoints of an AWS profile, of the environment, or of an assumed role; and a client that finds each service's endpoint.

What a profile means is botocore's to say (shared files, environment, roles, SSO, processes, instance metadata): its session is loaded
only here, and only when somebody names AWS.
"""

import asyncio
import copy
import functools
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx
import msgspec

from hinoban.aws import models
from hinoban.aws.client import ANSWER, Client, EndpointUnreachable
from hinoban.aws.errors import AwsError
from hinoban.aws.sigv4 import Credentials
from hinoban.base.clock import MINUTES, Clock
from hinoban.base.errors import HinobanError
from hinoban.base.units import parse_iso

FRESH = 5 * MINUTES
"""Credentials of a role are renewed so long before their end."""
UNREACHABLE = "Unreachable"
_SESSION = "hinoban"

Keys = Callable[[], Awaitable[Credentials]]


@functools.cache
def _endpoints() -> Any:
    """AWS's regional endpoints, by botocore's own data."""
    from botocore.loaders import create_loader
    from botocore.regions import EndpointResolver

    return EndpointResolver(create_loader().load_data("endpoints"))


class Place(msgspec.Struct, frozen=True):
    """Where a service answers, and the region that signatures name there."""

    url: str
    region: str


Places = Callable[[str, str], Place]
"""(service, region) -> where. `service` is botocore's name."""


class Profile:
    """One profile of the shared files, else what the environment says. HinobanError where there is none, or no region.

    `endpoint_url` wins over the profile's own; both over AWS's.
    """

    def __init__(self, name: str | None = None, region: str | None = None, endpoint_url: str | None = None) -> None:
        import botocore.exceptions
        import botocore.session

        self._failures = (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError)
        self._session = botocore.session.Session(profile=name)
        self.endpoint_url = endpoint_url
        self.name = name or self._session.profile or "default"
        try:
            # botocore reads AWS_DEFAULT_REGION alone; every other SDK, and the AWS CLI 2, AWS_REGION.
            self.region = region or self._session.get_config_variable("region") or os.environ.get("AWS_REGION") or ""
        except self._failures as error:
            raise _of_profile(name, error) from error
        if not self.region:
            raise HinobanError(f"Profile {self.name} names no region", "neither does the environment", "Say which: --region ap-northeast-1")
        self._places: dict[tuple[str, str], Place] = {}

    @property
    def foreign(self) -> bool:
        """Whether an endpoint was named that stands in for AWS."""
        return self._configured("ecs") is not None

    def place(self, service: str, region: str) -> Place:
        """Where the service answers in that region."""
        if (service, region) not in self._places:
            self._places[service, region] = self._place(service, region)
        return self._places[service, region]

    def _place(self, service: str, region: str) -> Place:
        if (named := self._configured(service)) is not None:
            return Place(named.rstrip("/"), region)
        prefix = models.service(service).endpoint_prefix
        found = _endpoints().construct_endpoint(prefix, region)
        if found is None:
            raise HinobanError(f"AWS has no region {region!r}", f"no endpoint of {service} is known there", "Correct --region.")
        signed_for = (found.get("credentialScope") or {}).get("region") or region
        return Place(f"https://{found['hostname']}", signed_for)

    def _configured(self, service: str) -> str | None:
        """`--endpoint-url`, AWS_ENDPOINT_URL (_SERVICE), or the profile's endpoint_url."""
        if self.endpoint_url is not None:
            return self.endpoint_url
        from botocore.configprovider import ConfiguredEndpointProvider

        if self._session.get_config_variable("ignore_configured_endpoint_urls"):
            return None
        provider = ConfiguredEndpointProvider(
            full_config=self._session.full_config, scoped_config=self._session.get_scoped_config(), client_name=service
        )
        found: str | None = provider.provide()
        return found

    async def keys(self) -> Credentials:
        """The credentials as they are now; temporary ones are renewed by botocore. HinobanError where there are none."""
        return await asyncio.to_thread(self._keys)

    def _keys(self) -> Credentials:
        try:
            found = self._session.get_credentials()
            frozen = found.get_frozen_credentials() if found is not None else None
        except self._failures as error:
            raise _of_profile(self.name, error) from error
        if frozen is None or not frozen.access_key or not frozen.secret_key:
            why = "neither the environment, the shared files nor this machine have any"
            raise HinobanError(f"Profile {self.name} has no credentials", why, f"aws sts get-caller-identity --profile {self.name}")
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)


class AssumedRole:
    """Credentials of a role in another account, by STS AssumeRole; renewed before they end."""

    def __init__(self, client: Client, role_arn: str, clock: Clock) -> None:
        self._client = client
        self._role_arn = role_arn
        self._clock = clock
        self._known: tuple[Credentials, float] | None = None

    async def keys(self) -> Credentials:
        """AwsError where the role cannot be assumed, EndpointUnreachable without an answer."""
        if self._known is None or self._clock.now() > self._known[1] - FRESH:
            answer = await self._client.call("sts", "AssumeRole", {"RoleArn": self._role_arn, "RoleSessionName": _SESSION})
            given = answer["Credentials"]
            until = given["Expiration"]
            keys = Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
            self._known = (keys, parse_iso(until) if isinstance(until, str) else float(until))
        return self._known[0]


class NoCredentials(EndpointUnreachable):
    """The keys for a call could not be had: nothing was sent. `code` and `message` are AWS's where it refused them; `UNREACHABLE` where
    nobody could be asked for them."""

    def __init__(self, url: str, error: AwsError | HinobanError) -> None:
        super().__init__(url, f"there are no credentials for it: {error}")
        other = UNREACHABLE if isinstance(error, EndpointUnreachable) else "NoCredentials"
        self.code = error.code if isinstance(error, AwsError) else other
        self.message = error.message if isinstance(error, AwsError) else f"{error.what}: {error.why}"
        self.todo = "Look at the profile, and at the role's trust policy: aws sts get-caller-identity"


class RegionalClient(Client):
    """A client whose calls go to each service's own endpoint, signed with the keys as they are then."""

    def __init__(
        self,
        keys: Keys,
        places: Places,
        region: str,
        *,
        clock: Clock,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout: float = ANSWER,
        proxies: bool = True,
    ) -> None:
        # The shell's proxy settings count on the way to AWS; on the way to an endpoint of this machine they do not.
        super().__init__(places("ecs", region).url, None, region, clock=clock, transport=transport, timeout=timeout, trust_env=proxies)
        self._keys = keys
        self._places = places

    async def call(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """See Client.call; NoCredentials where there are none, HinobanError in a region that AWS has not."""
        place = self._places(service, self.region)
        try:
            keys = await self._keys()
        except (AwsError, HinobanError) as error:
            raise NoCredentials(place.url, error) from error
        there = copy.copy(self)
        there.endpoint_url, there._base = place.url, httpx.URL(place.url).raw_path.decode().rstrip("/")
        there.region, there._credentials = place.region, keys
        return await Client.call(there, service, operation, params)


def client_of(profile: Profile, clock: Clock, *, transport: httpx.AsyncBaseTransport | None = None) -> RegionalClient:
    """A client of what the profile names."""
    return RegionalClient(profile.keys, profile.place, profile.region, clock=clock, transport=transport, proxies=not profile.foreign)


def client_of_role(client: RegionalClient, role_arn: str, region: str, clock: Clock) -> RegionalClient:
    """A client of another account: what `client` may, to assume `role_arn` there. Shares its connections: close `client` only."""
    other = copy.copy(client)
    other._keys, other.region = AssumedRole(client.in_region(region), role_arn, clock).keys, region
    return other


def _of_profile(name: str | None, error: Exception) -> HinobanError:
    shown = name or "default"
    return HinobanError(f"Profile {shown} cannot be used", str(error), f"Try it: aws sts get-caller-identity --profile {shown}")
