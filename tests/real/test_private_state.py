"""What a daemon writes is for its owner alone: credentials, databases, output, sockets; a task's own files are the task's."""

import stat
from pathlib import Path

from tests.real.daemon_support import Make, ended
from tests.real.daemon_support import daemons as daemons


async def test_nothing_in_the_state_directory_is_open_to_others(daemons: Make, tmp_path: Path) -> None:
    daemon = daemons("--runtime", "process")
    await daemon.start()
    await daemon.watch_up()
    await daemon.call(
        "ecs",
        "RegisterTaskDefinition",
        {
            "family": "umask",
            "requiresCompatibilities": ["FARGATE"],
            "networkMode": "awsvpc",
            "cpu": "256",
            "memory": "512",
            "containerDefinitions": [{"name": "app", "image": "none", "command": ["sh", "-c", "umask"]}],
        },
    )
    arn = await daemon.run_task("umask", 0, {})
    await ended(daemon, {0: arn})
    assert await daemon.lines(f"umask/app/{arn.rpartition('/')[2]}") == ["0022"]
    kept = [path for path in daemon.state.rglob("*") if not path.is_symlink()]
    assert {"watch.sock", "watch.db", "engine.db", "credentials.json", "daemon.json", "supervisor.sock"} <= {path.name for path in kept}
    assert [str(path) for path in kept if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
