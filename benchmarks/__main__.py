"""`python -m benchmarks [NAME...]`: make the measurements, print the table, fail where a target was missed."""

import signal
import sys
import time
from importlib import import_module

from benchmarks.figures import Figure, failed, table

MEASUREMENTS = (
    "cold_start",
    "burst",
    "sustained",
    "describe",
    "docker_start",
    "history",
    "remembered",
    "flat_cost",
    "neighbours",
    "put_events",
    "lateness",
    "told",
)


def main(names: list[str]) -> int:
    """Exit code 1 where a target was missed, 2 for an unknown name."""
    if unknown := set(names) - set(MEASUREMENTS):
        print(f"No measurement {', '.join(sorted(unknown))}. There are: {', '.join(MEASUREMENTS)}", file=sys.stderr)
        return 2
    # As with Ctrl-C, what was begun is put away: the daemon is ended, its folder removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    figures: list[Figure] = []
    for name in names or MEASUREMENTS:
        began = time.monotonic()
        print(f"{name} ...", end="", file=sys.stderr, flush=True)
        try:
            figures += import_module(f"benchmarks.{name}").measure()
        except (AssertionError, RuntimeError) as error:
            # A wrong answer spoils one measurement; the others are still made.
            figures.append(failed(name, str(error)))
        print(f" {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    print(table(figures))
    missed = [figure.name for figure in figures if figure.missed]
    if missed:
        print(f"\nMissed: {', '.join(missed)}. On a busy machine, run again before believing it (benchmarks/README.md).")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
