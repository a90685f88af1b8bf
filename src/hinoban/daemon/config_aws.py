"""What `hinoban watch` watches, in the configuration file: [aws], [[aws.queue]], [[aws.account]] and [aws.http], checked."""

import re
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from hinoban.base.errors import ConfigError
from hinoban.watch.places import ANYWHERE, Place

Account = Annotated[str, msgspec.Meta(pattern=r"^\d{12}$")]
Region = Annotated[str, msgspec.Meta(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
SHORTEST_KEY = 16
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/.+")
_QUEUE_HOST = re.compile(r"(?:sqs\.)?(?P<region>[a-z]{2}(?:-[a-z]+)+-\d)\.(?:queue\.)?amazonaws\.com(?:\.cn)?")


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class _Queue(_Strict, frozen=True):
    url: str
    region: Region | None = None
    central: bool = False


class _Account(_Strict, frozen=True):
    id: Account
    role_arn: str
    regions: Annotated[list[Region], msgspec.Meta(min_length=1)]


class _Http(_Strict, frozen=True):
    listen: str
    key: Annotated[str, msgspec.Meta(min_length=SHORTEST_KEY)]


class AwsTable(_Strict, frozen=True):
    profile: str | None = None
    endpoint_url: str | None = None
    regions: list[Region] | None = None
    poll: bool = True
    queue: list[_Queue] = []
    account: list[_Account] = []
    http: _Http | None = None


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """A queue that EventBridge fills; `of` is whose events come in it."""

    url: str
    region: str | None
    of: Place


class Other(msgspec.Struct, frozen=True, kw_only=True):
    """A further account, by a role in it that we may assume."""

    id: str
    role_arn: str
    regions: tuple[str, ...]


class Listen(msgspec.Struct, frozen=True, kw_only=True):
    """Where events are posted to, and the key that proves who posts."""

    host: str
    port: int
    key: str

    def __repr__(self) -> str:
        return f"Listen(host={self.host!r}, port={self.port})"  # never the key


class AwsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The accounts of a watch that stays. `regions` None: the profile's own; (): its account is not watched, others are."""

    profile: str | None = None
    endpoint_url: str | None = None
    regions: tuple[str, ...] | None = None
    poll: bool = True
    queues: tuple[Queue, ...] = ()
    accounts: tuple[Other, ...] = ()
    listen: Listen | None = None


def aws_config(given: AwsTable) -> AwsConfig:
    """The table, checked; ConfigError names the path."""
    accounts = tuple(_account(index, one) for index, one in enumerate(given.account))
    ids = [one.id for one in accounts]
    if twice := next((one for one in ids if ids.count(one) > 1), None):
        raise ConfigError("aws.account", f"names {twice} twice", "Put all its regions into one table.")
    if given.regions == [] and not accounts:
        raise ConfigError("aws.regions", "is empty and there is no [[aws.account]], so nothing would be watched", "Name a region.")
    if not given.poll and not given.queue and given.http is None:
        raise ConfigError("aws.poll", "is false and there is neither a queue nor [aws.http], so nothing would be seen", "Give one of them.")
    if given.endpoint_url is not None and urlsplit(given.endpoint_url).scheme not in ("http", "https"):
        raise ConfigError("aws.endpoint_url", f"must be an http or https URL, not {given.endpoint_url!r}", "Correct it, or leave it out.")
    return AwsConfig(
        profile=given.profile,
        endpoint_url=given.endpoint_url,
        regions=None if given.regions is None else tuple(dict.fromkeys(given.regions)),
        poll=given.poll,
        queues=tuple(_queue(index, one) for index, one in enumerate(given.queue)),
        accounts=accounts,
        listen=None if given.http is None else _listen(given.http),
    )


def _account(index: int, given: _Account) -> Other:
    found = _ROLE.fullmatch(given.role_arn)
    if found is None:
        raise ConfigError(f"aws.account[{index}].role_arn", "is not the ARN of a role", "Write arn:aws:iam::ACCOUNT:role/NAME")
    if found[1] != given.id:
        raise ConfigError(f"aws.account[{index}].role_arn", f"is of account {found[1]}, not of {given.id}", "Correct one of the two.")
    return Other(id=given.id, role_arn=given.role_arn, regions=tuple(dict.fromkeys(given.regions)))


def _queue(index: int, given: _Queue) -> Queue:
    path = f"aws.queue[{index}].url"
    url = urlsplit(given.url)
    parts = url.path.strip("/").split("/")
    if url.scheme not in ("http", "https") or len(parts) != 2 or not re.fullmatch(r"\d{12}", parts[0]):
        raise ConfigError(path, f"is no queue's URL: {given.url!r}", "Take it from: aws sqs get-queue-url --queue-name NAME")
    found = _QUEUE_HOST.fullmatch(url.hostname or "")
    region = given.region or (found["region"] if found else None)
    return Queue(url=given.url, region=region, of=ANYWHERE if given.central else Place(parts[0], region))


def _listen(given: _Http) -> Listen:
    host, colon, port = given.listen.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise ConfigError("aws.http.listen", f"must be HOST:PORT, not {given.listen!r}", "Write e.g. 127.0.0.1:8099")
    return Listen(host=host.strip("[]"), port=int(port), key=given.key)
