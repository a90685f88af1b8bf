"""How many retries may be launched: a bound on what may go wrong by retrying itself. Pure; the ledger's rows tell what was launched."""

from collections import Counter
from collections.abc import Iterable

from hinoban.base.units import format_duration
from hinoban.watch.config import RetryBudget
from hinoban.watch.retry_row import Retry


def spent(retry: Retry, launched: Iterable[Retry], budget: RetryBudget) -> str | None:
    """The budget that lets this attempt not be launched, in words; `launched` are the retries that were launched within the window.

    What people or a policy's catch_up asked for is no retry of a failure: it neither needs a budget nor uses one up.
    """
    if retry.beside_own:
        return None
    used = Counter(one.place for one in launched if not one.beside_own)
    span = format_duration(budget.window)
    if used[retry.place] >= budget.per_family:
        return f"the budget of {budget.per_family} retries of {retry.family} in {span} is spent"
    if used.total() >= budget.in_all:
        return f"the budget of {budget.in_all} retries in all in {span} is spent"
    return None
