"""What Ctrl-C ends is in the history before the daemon is gone: without a daemon it is all that `why` has."""

from hinoban.watch.answers import Answers
from tests.real.daemon_support import Make, until
from tests.real.daemon_support import daemons as daemons


async def test_the_watch_sees_the_end_of_the_tasks_that_ctrl_c_ends(daemons: Make) -> None:
    daemon = daemons("--runtime", "process")
    await daemon.start()
    await daemon.watch_up()
    definition = {
        "family": "long",
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [{"name": "app", "image": "none", "command": ["sleep", "600"]}],
    }
    await daemon.call("ecs", "RegisterTaskDefinition", definition)
    arn = await daemon.run_task("long", 0, {})

    async def runs() -> bool:
        return bool((await daemon.described([arn]))[arn]["lastStatus"] == "RUNNING")

    await until(runs, "the task runs")
    assert await daemon.stop() == 0
    told = Answers.readonly(daemon.state / "watch.db").why("long")
    assert "STOPPED by somebody" in told["title"]
    assert told["cause"].startswith("`hinoban up` ended and took its tasks with it.")
    assert "hinoban up --keep" in told["next"]
