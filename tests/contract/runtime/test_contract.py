"""What every driver keeps (engine/runtime/driver.py)."""

from hinoban.engine.runtime.driver import ContainerKey, Exited, Output, Started, StartFailed
from tests.contract.runtime.conftest import Open
from tests.contract.runtime.scenarios import Harness, Watcher


async def test_a_container_is_reported_started_and_then_exited_with_its_code(harness: Harness, make_driver: Open) -> None:
    watcher = await make_driver()
    container = harness.scenarios.exits(3)
    await watcher.driver.start(container)
    end = await watcher.ended(container.key)
    assert (end.exit_code, end.oom, end.reason) == (3, False, None)
    started = await watcher.started(container.key)
    assert started.runtime_id
    assert started.at <= end.at
    assert watcher.seen.index(started) < watcher.seen.index(end)


async def test_all_output_comes_in_order_before_the_end(harness: Harness, make_driver: Open) -> None:
    watcher = await make_driver()
    lines = [f"line {number} äöü 火の番" for number in range(200)]
    container = harness.scenarios.prints(lines)
    await watcher.driver.start(container)
    end = await watcher.ended(container.key)
    assert watcher.lines(container.key) == lines
    outputs = watcher.of(container.key, Output)
    assert watcher.seen.index(outputs[-1]) < watcher.seen.index(end)
    cursors = [output.cursor for output in outputs]
    assert cursors == sorted(set(cursors))
    moments = [moment for output in outputs for moment, _ in output.lines]
    assert moments == sorted(moments)
    assert abs(moments[0] / 1000 - end.at) < 60


async def test_a_failure_to_start_is_an_observation_with_its_family(harness: Harness, make_driver: Open) -> None:
    watcher = await make_driver()
    container = harness.scenarios.cannot_start()
    await watcher.driver.start(container)
    failure = await watcher.failed(container.key)
    assert failure.reason.startswith("CannotStartContainerError: ")
    assert not watcher.of(container.key, Started)
    assert not watcher.of(container.key, Exited)
    assert harness.runs(container.key) == 0


async def test_stop_ends_a_container_by_sigterm(harness: Harness, make_driver: Open) -> None:
    watcher = await make_driver()
    container = harness.scenarios.prints_and_runs(["ready"])
    await watcher.driver.start(container)
    await watcher.printed(container.key, "ready")
    await watcher.driver.stop(container.key, 60)
    assert (await watcher.ended(container.key)).exit_code == 143


async def test_a_container_that_ignores_sigterm_is_killed_after_the_timeout(harness: Harness, make_driver: Open) -> None:
    watcher = await make_driver()
    container = harness.scenarios.ignores_term()
    await watcher.driver.start(container)
    await watcher.printed(container.key, "ready")
    await watcher.driver.stop(container.key, 0.3)
    end = await watcher.ended(container.key)
    assert (end.exit_code, end.oom) == (137, False)


async def test_a_memory_limit_kills_with_137_and_oom(harness: Harness, make_driver: Open) -> None:
    watcher = await make_driver()
    container = harness.scenarios.eats_memory()
    await watcher.driver.start(container)
    end = await watcher.ended(container.key)
    assert (end.exit_code, end.oom) == (137, True)


async def test_a_key_is_never_run_twice_and_its_state_is_told_again(harness: Harness, make_driver: Open) -> None:
    watcher = await make_driver()
    container = harness.scenarios.exits(0)
    await watcher.driver.start(container)
    await watcher.ended(container.key)
    await watcher.driver.start(container)
    await watcher.until(lambda: len(watcher.of(container.key, Exited)) == 2)
    assert harness.runs(container.key) == 1


async def test_verbs_on_unknown_keys_do_nothing(harness: Harness, make_driver: Open) -> None:
    watcher = await make_driver()
    unknown = ContainerKey("0" * 32, "nobody")
    await watcher.driver.stop(unknown, 1)
    await watcher.driver.remove(unknown)
    container = harness.scenarios.exits(0)
    await watcher.driver.start(container)
    await watcher.ended(container.key)
    assert all(each.key == container.key for each in watcher.seen)


async def test_after_a_crash_of_the_engine_the_true_exit_is_told(harness: Harness, make_driver: Open) -> None:
    first = await make_driver()
    running, ended = harness.scenarios.prints_and_runs(["ready"]), harness.scenarios.exits(7)
    await first.driver.start(running)
    await first.driver.start(ended)
    await first.printed(running.key, "ready")
    await first.ended(ended.key)
    await harness.crash(first.driver)

    second = await make_driver()
    assert (await second.ended(ended.key)).exit_code == 7
    before = await first.started(running.key)
    after = await second.started(running.key)
    assert (after.runtime_id, after.at) == (before.runtime_id, before.at)
    await second.driver.start(running)
    await second.driver.stop(running.key, 60)
    assert (await second.ended(running.key)).exit_code == 143
    assert harness.runs(running.key) == harness.runs(ended.key) == 1


async def test_output_goes_on_behind_the_cursor_given_to_open(harness: Harness, make_driver: Open) -> None:
    first = await make_driver()
    lines = [f"line {number}" for number in range(50)]
    container = harness.scenarios.prints_and_runs(lines)
    await first.driver.start(container)
    await first.printed(container.key, lines[-1])
    await harness.crash(first.driver)
    output = first.of(container.key, Output)[0]

    second = await make_driver({container.key: output.cursor})
    await second.driver.stop(container.key, 60)
    await second.ended(container.key)
    assert [text for _, text in output.lines] + second.lines(container.key) == lines


async def test_a_kept_container_is_found_again_and_a_dropped_one_is_not_left_running(harness: Harness, make_driver: Open) -> None:
    first = await make_driver()
    container = harness.scenarios.prints_and_runs(["ready"])
    await first.driver.start(container)
    await first.printed(container.key, "ready")
    await first.driver.close(keep=True)
    second = await make_driver()
    await second.started(container.key)
    assert not second.of(container.key, Exited)
    await second.driver.close(keep=False)
    third = await make_driver()
    await third.driver.stop(container.key, 60)
    probe = harness.scenarios.exits(0)
    await third.driver.start(probe)
    await third.ended(probe.key)
    if third.of(container.key, Started):
        assert (await third.ended(container.key)).exit_code in (137, 143)


async def test_a_removed_container_is_forgotten(harness: Harness, make_driver: Open) -> None:
    first = await make_driver()
    container = harness.scenarios.exits(0)
    await first.driver.start(container)
    await first.ended(container.key)
    await first.driver.remove(container.key)
    await first.driver.remove(container.key)
    probe = harness.scenarios.exits(0)
    await first.driver.start(probe)
    await first.ended(probe.key)
    await harness.crash(first.driver)
    second = await make_driver()
    await second.ended(probe.key)
    assert not [each for each in second.seen if each.key == container.key]


async def test_containers_of_one_task_end_apart(harness: Harness, make_driver: Open) -> None:
    watcher = await make_driver()
    main = harness.scenarios.prints_and_runs(["ready"], name="main")
    side = harness.scenarios.exits(5, task_id=main.key.task_id, name="side")
    await watcher.driver.start(main)
    await watcher.driver.start(side)
    assert (await watcher.ended(side.key)).exit_code == 5
    await watcher.printed(main.key, "ready")
    assert not watcher.of(main.key, Exited)
    await watcher.driver.stop(main.key, 60)
    assert (await watcher.ended(main.key)).exit_code == 143


async def test_many_containers_at_once_each_end_once_with_their_own_code(harness: Harness, make_driver: Open) -> None:
    watcher = await make_driver()
    containers = [harness.scenarios.exits(number % 100) for number in range(40)]
    for container in containers:
        await watcher.driver.start(container)
    keys = {container.key: number % 100 for number, container in enumerate(containers)}
    await watcher.until(lambda: len([each for each in watcher.seen if isinstance(each, Exited | StartFailed)]) >= len(keys))
    ends = [each for each in watcher.seen if isinstance(each, Exited)]
    assert sorted((each.key, each.exit_code) for each in ends) == sorted(keys.items())


async def test_a_container_that_the_engine_saw_run_and_nobody_knows_is_told_as_vanished(harness: Harness) -> None:
    driver = harness.make()
    missing = ContainerKey("0" * 32, "app")
    await driver.open({}, frozenset({missing}))
    watcher = Watcher(driver)
    end = await watcher.ended(missing)
    assert end.exit_code is None
    assert end.reason is not None and end.reason.startswith("ContainerVanishedError")
    await driver.close(keep=False)
    await watcher.task
