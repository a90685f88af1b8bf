"""Sizes of tasks: how cpu and memory are written, which pairs Fargate runs, what a task reserves, what an hour of it costs.

The pairs and the prices are data: fargate_sizes.toml and fargate_prices.toml, each with its source.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from msgspec import Struct

CPU_UNITS_PER_VCPU = 1024
MIB_PER_GB = 1024

_CPU = re.compile(r"(\d+)|(\d+(?:\.\d*)?|\.\d+)\s*vcpu", re.IGNORECASE | re.ASCII)
_MEMORY = re.compile(r"(\d+)|(\d+(?:\.\d*)?|\.\d+)\s*(gb|mb)", re.IGNORECASE | re.ASCII)
# Longer than any size there is; keeps a hostile number out of the arithmetic.
_LONGEST = 24


class Reservation(Struct, frozen=True):
    """What a task takes from where it runs, from placement until it is STOPPED (facts/ecs.md §8.2)."""

    cpu_units: int
    memory_mib: int


def parse_cpu(text: str) -> int:
    """CPU units of `1024`, `1 vCPU`, `.25 vcpu` (facts/ecs.md §4.1); ValueError for anything else."""
    found = _CPU.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if found is None:
        raise ValueError(f"{text!r} is not a cpu size; write e.g. 256, .25 vCPU, 1 vCPU")
    return int(found[1]) if found[1] else _whole(float(found[2]) * CPU_UNITS_PER_VCPU, text)


def parse_memory(text: str) -> int:
    """MiB of `512`, `3 GB`, `3GB`, `.5 gb`, `512 MB` (facts/ecs.md §4.1); ValueError for anything else."""
    found = _MEMORY.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if found is None:
        raise ValueError(f"{text!r} is not a memory size; write e.g. 512, .5 GB, 2 GB")
    if found[1]:
        return int(found[1])
    return _whole(float(found[2]) * (MIB_PER_GB if found[3].lower() == "gb" else 1), text)


def _whole(number: float, text: str) -> int:
    if not number.is_integer():
        raise ValueError(f"{text!r} is not a whole number of CPU units or MiB")
    return int(number)


@cache
def fargate_sizes(operating_system: str = "linux", *, unconfirmed: bool = False) -> Mapping[int, tuple[int, ...]]:
    """The memory sizes in MiB, rising, that go with each cpu size; `operating_system` is `linux` or `windows`.

    `unconfirmed` adds what only AWS's newest documentation lists (32 vCPU).
    """
    table: dict[int, tuple[int, ...]] = {}
    for row in _rows("fargate_sizes.toml", "size"):
        if operating_system in row["os"] and (unconfirmed or row.get("confirmed", True)):
            table[row["cpu"]] = tuple(row.get("memory") or range(row["from"], row["to"] + 1, row["step"]))
    return table


def is_fargate_size(cpu: int, memory: int, operating_system: str = "linux") -> bool:
    """Whether Fargate runs tasks of `cpu` units and `memory` MiB."""
    return memory in fargate_sizes(operating_system).get(cpu, ())


def reserved(definition: Mapping[str, Any]) -> Reservation:
    """What a task of `definition` (normalised, overrides applied) reserves.

    The task's own cpu and memory where it has them; else the sum over its containers of cpu, and of memoryReservation or, without
    one, memory (facts/ecs.md §8.2).
    """
    containers = definition["containerDefinitions"]
    cpu, memory = definition.get("cpu"), definition.get("memory")
    return Reservation(
        cpu_units=parse_cpu(cpu) if cpu else sum(each.get("cpu") or 0 for each in containers),
        memory_mib=parse_memory(memory) if memory else sum(each.get("memoryReservation") or each.get("memory") or 0 for each in containers),
    )


def hourly_price(region: str, cpu: int, memory: int, *, architecture: str = "X86_64", storage_gib: int = 20) -> float | None:
    """US dollars that an hour of a Linux Fargate task costs on demand; None for a region that we have no prices of (facts/ecs.md §4.4).

    `cpu` is in CPU units, `memory` in MiB; the first 20 GiB of `storage_gib` are free.
    """
    price = _prices().get((region, architecture))
    if price is None:
        return None
    of_storage = max(0, storage_gib - 20) * float(price["storage_gb"])
    return cpu / CPU_UNITS_PER_VCPU * float(price["vcpu"]) + memory / MIB_PER_GB * float(price["gb"]) + of_storage


@cache
def _prices() -> Mapping[tuple[str, str], Mapping[str, Any]]:
    return {(row["region"], row["architecture"]): row for row in _rows("fargate_prices.toml", "price")}


def _rows(file: str, table: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = tomllib.loads(files(__package__).joinpath(file).read_text(encoding="utf-8"))[table]
    return rows
