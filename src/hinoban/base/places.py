"""Where things are kept unless someone says otherwise."""

from collections.abc import Mapping
from pathlib import Path


def default_state_dir(env: Mapping[str, str]) -> Path:
    """$HINOBAN_STATE, else $XDG_STATE_HOME/hinoban, else ~/.local/state/hinoban."""
    if state := env.get("HINOBAN_STATE"):
        return Path(state).expanduser()
    if base := env.get("XDG_STATE_HOME"):
        return Path(base) / "hinoban"
    return Path.home() / ".local" / "state" / "hinoban"
