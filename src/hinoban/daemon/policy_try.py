"""Composes `hinoban policy try`: the configuration of a file, and the history of a state folder, whether a daemon runs on it or not.

It runs in the command's own process, so that a replay of a month keeps no watch from its work.
"""

import asyncio
from pathlib import Path
from typing import Any

from hinoban.base.clock import Clock
from hinoban.daemon import config
from hinoban.watch.history.database import open_readonly
from hinoban.watch.policy_try import policy_try


def run_try(state: Path, file: Path, since: float, clock: Clock) -> dict[str, Any]:
    """See watch.policy_try. ConfigError where the file is not right, HinobanError where there is no history."""
    asked = config.load(file).watch
    engine = open_readonly(state.expanduser().absolute() / "watch.db")
    try:
        return asyncio.run(policy_try(engine, asked, since, clock.now()))
    finally:
        engine.dispose()
