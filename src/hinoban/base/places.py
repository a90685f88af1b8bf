"""Where things are kept unless someone says otherwise."""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path


def default_state_dir(env: Mapping[str, str]) -> Path:
    """$HINOBAN_STATE, else $XDG_STATE_HOME/hinoban, else ~/.local/state/hinoban."""
    if state := env.get("HINOBAN_STATE"):
        return Path(state).expanduser()
    if base := env.get("XDG_STATE_HOME"):
        return Path(base) / "hinoban"
    return Path.home() / ".local" / "state" / "hinoban"


def own_command() -> str:
    """How this installation is called from a shell that stands here: `hinoban` where PATH has it, else its path."""
    beside = Path(sys.executable).parent / "hinoban"
    found = shutil.which("hinoban")
    if found is not None and (not beside.exists() or Path(found).resolve() == beside.resolve()):
        return "hinoban"
    try:
        return str(beside.relative_to(Path.cwd()))
    except ValueError:
        return str(beside)
