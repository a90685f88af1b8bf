"""What answers commands where `hinoban watch` runs: its Unix socket, and AWS itself with the profile that it watches with."""

from collections.abc import Mapping
from typing import Any

import httpx

from hinoban.aws.client import Client
from hinoban.aws.profiles import Profile, RegionalClient, client_of
from hinoban.base.clock import SystemClock


class BesideWatch:
    """An OnlineSource. The socket lies in a directory that only its owner may enter: nothing is signed."""

    def __init__(self, socket: str, region: str, profile: str | None, endpoint_url: str | None) -> None:
        self.region = region
        self._named = (profile, region, endpoint_url)
        self._clock = SystemClock()
        self._watch = Client("http://watch", None, region, clock=self._clock, transport=httpx.AsyncHTTPTransport(uds=socket))
        self._aws: RegionalClient | None = None

    async def call(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """AWS's own API; AwsError, HinobanError where the profile cannot be used."""
        if self._aws is None:
            self._aws = client_of(Profile(*self._named), self._clock)
        return await self._aws.call(service, operation, params)

    async def get(self, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The watch's answers."""
        return await self._watch.get(path, query)

    async def post(self, path: str, body: Any = None) -> dict[str, Any]:
        """What the watch is told."""
        return await self._watch.post(path, body)

    async def close(self) -> None:
        """Close the connections."""
        await self._watch.close()
        if self._aws is not None:
            await self._aws.close()
