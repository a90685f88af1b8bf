"""How long-lived processes use Python's garbage collector."""

import gc

_ALLOCATIONS = 50_000


def collect_seldom() -> None:
    """Leave what a start has made out of every collection, and collect the rest less often.

    Nearly all of what we make is freed by its reference count; walking every live task again and again finds nothing (measured: 15 %
    of a burst's time).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS, 20, 50)
