"""What `hinoban up` and `hinoban watch` are asked on the command line; None means: as the configuration says."""

from pathlib import Path

import msgspec


class UpOptions(msgspec.Struct, kw_only=True):
    """The options of `hinoban up`, unparsed."""

    port: int | None = None
    state: Path | None = None
    runtime: str | None = None
    capacity: str | None = None
    auth: bool = True
    config: Path | None = None
    region: str | None = None
    account: str | None = None
    keep: bool = False
    forget_after: str | None = None


class WatchOptions(msgspec.Struct, kw_only=True):
    """The options of `hinoban watch`, unparsed."""

    state: Path | None = None
    config: Path | None = None
    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None
