"""Whether a task still fits: the room of this machine is finite (docs/decisions/0009).

Memory is what the machine has. CPU can be compressed (a task that gets less runs slower, it does not fail), so the room for
CPU is by default 16 times the cores.
"""

import msgspec

CPU_OVERCOMMIT = 16
UNITS_PER_VCPU = 1024


class Room(msgspec.Struct, frozen=True):
    """An amount of CPU units (1024 = one vCPU) and MiB of memory."""

    cpu_units: int
    memory_mib: int

    def plus(self, other: "Room") -> "Room":
        return Room(self.cpu_units + other.cpu_units, self.memory_mib + other.memory_mib)

    def minus(self, other: "Room") -> "Room":
        return Room(self.cpu_units - other.cpu_units, self.memory_mib - other.memory_mib)


def fits(total: Room, used: Room, wanted: Room) -> bool:
    """Whether `wanted` still fits beside `used`."""
    return used.cpu_units + wanted.cpu_units <= total.cpu_units and used.memory_mib + wanted.memory_mib <= total.memory_mib


def parse_room(text: str) -> Room:
    """`4vcpu:8GB` as a Room; ValueError says what is allowed."""
    cpu, _, memory = text.lower().replace(" ", "").partition(":")
    if not cpu.endswith("vcpu") or not memory:
        raise ValueError(f"{text!r} is no capacity; write e.g. 4vcpu:8GB")
    for suffix, factor in (("gib", 1024), ("gb", 1024), ("mib", 1), ("mb", 1)):
        if memory.endswith(suffix):
            try:
                room = Room(int(float(cpu.removesuffix("vcpu")) * UNITS_PER_VCPU), int(float(memory.removesuffix(suffix)) * factor))
            except (ValueError, OverflowError):
                break
            if room.cpu_units > 0 and room.memory_mib > 0:
                return room
    raise ValueError(f"{text!r} is no capacity; write e.g. 4vcpu:8GB")
