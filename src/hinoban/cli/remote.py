"""`--profile`, `--endpoint-url`, `--one-off`: an AWS account that is read once, where nobody watches it. Imports what is heavy on use."""

from typing import Annotated, Protocol

import msgspec
import typer

from hinoban.base.clock import Clock
from hinoban.cli.connection import Source

ProfileOption = Annotated[
    str | None, typer.Option("--profile", help="Read this AWS profile's account once; needs no daemon.", metavar="NAME")
]
EndpointOption = Annotated[str | None, typer.Option("--endpoint-url", help="Read this endpoint once, instead of AWS's.", metavar="URL")]
OneOffOption = Annotated[
    bool, typer.Option("--one-off", help="Read once what the environment names, although a daemon may run; reads only, keeps nothing.")
]


class Remote(msgspec.Struct, frozen=True):
    """What the command line says of an account to read once."""

    profile: str | None = None
    endpoint_url: str | None = None
    one_off: bool = False
    region: str | None = None

    @property
    def wanted(self) -> bool:
        """Whether to read an account once rather than to ask a daemon."""
        return self.one_off or self.profile is not None or self.endpoint_url is not None


class OneOffSource(Source, Protocol):
    """What was read once; `problems` are lines about what could not be."""

    @property
    def reads(self) -> int: ...
    def problem_lines(self) -> list[str]: ...


async def open_one_off(remote: Remote, since: float, clock: Clock) -> OneOffSource:
    """The account that is meant. HinobanError where it cannot be used."""
    from hinoban.daemon import one_off

    source: OneOffSource = await one_off.open_one_off(remote.profile, remote.region, remote.endpoint_url, since, clock)
    return source
