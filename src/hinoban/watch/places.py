"""Accounts and regions: where something is, and the client that asks there. No decision of its own."""

from collections.abc import Callable, Mapping

import msgspec

from hinoban.aws.client import Client


class Place(msgspec.Struct, frozen=True):
    """An account's region; None stands for any."""

    account: str | None = None
    region: str | None = None

    def holds(self, account: str, region: str) -> bool:
        """Whether that account's region is here, as far as this says."""
        return self.account in (None, account) and self.region in (None, region)


ANYWHERE = Place()
Behind = Callable[[str, str], str | None]
"""(account, region) -> why what we know of it is behind, so that nothing may be launched or stopped there; None where it is not."""


class Clients:
    """The clients of the accounts that are watched; who is of none of them is asked through `default`."""

    def __init__(self, default: Client, others: Mapping[str, Client] | None = None, roles: Mapping[str, str] | None = None) -> None:
        self.default = default
        self._others = others or {}
        self._roles = roles or {}

    def at(self, account: str, region: str) -> Client:
        """The client for calls in that account's region, with the rights that we have there."""
        return self._others.get(account, self.default).in_region(region)

    def role(self, account: str | None) -> str:
        """The ARN of the role by which that account is asked; empty where it is by none."""
        return self._roles.get(account or "", "")
