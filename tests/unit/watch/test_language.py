"""`lang = "ja"`: causes and next steps are told in Japanese, AWS's own words never."""

from pathlib import Path

from hinoban.watch.config import WatchConfig
from tests.unit.watch.worlds import World


async def test_an_incident_is_explained_in_the_language_of_the_config(tmp_path: Path) -> None:
    world = World(tmp_path, WatchConfig(lang="ja"))
    world.aws.finish(world.aws.start("job", None), 3)
    await world.turns()
    [incident] = world.watch.incidents()["incidents"]
    assert incident["cause"] == "プログラムが終了コード 3 で終わった。ECS 側に問題はない。"
    assert incident["next"].startswith("最後の出力を確認: hinoban logs ")
    assert incident["said"][0] == "Essential container in task exited"
    assert "プログラムが終了コード 3 で終わった。" in world.console.getvalue()


async def test_labels_are_japanese_and_the_keys_of_json_are_not(tmp_path: Path) -> None:
    world = World(tmp_path, WatchConfig(lang="ja"))
    world.aws.finish(world.aws.start("job", None), 3)
    await world.turns()
    shown = world.console.getvalue()
    assert "原因              プログラム" in shown and "AWS の応答(原文)  Essential container in task exited" in shown
    [incident] = world.watch.incidents()["incidents"]
    told = world.watch.answers.why(incident["id"])
    assert told["cause"].startswith("プログラム") and told["lines"][1].startswith("原因  ")


async def test_a_task_that_nobody_was_told_of_is_explained_in_japanese_too(tmp_path: Path) -> None:
    world = World(tmp_path, WatchConfig(lang="ja"))
    world.aws.finish(world.aws.start("job", None), 0)
    await world.turns()
    assert "異常なし。すべてのコンテナが終了コード 0 で終わった。" in "\n".join(world.watch.answers.why("job")["lines"])


async def test_what_people_did_and_how_it_ended_is_told_in_japanese(tmp_path: Path) -> None:
    world = World(tmp_path, WatchConfig(lang="ja"))
    for family in ("export", "report"):
        [arn] = world.aws.launch(1, family, startedBy="alice")
        await world.turns(1)
        world.aws.finish(arn, 3)
        await world.turns(1)
    report, export = (one["id"] for one in world.watch.incidents()["incidents"])
    world.watch.resolve(report, "s.tanaka")
    world.watch.reopen(report, "s.tanaka")
    world.watch.resolve(report, "s.tanaka", "今日は不要")
    await world.watch.retry(export, "s.tanaka")
    await world.turns(5)
    world.aws.finish(world.aws.launched[0][1], 0)
    await world.turns(2)
    done = {one["id"]: one["done"] for one in world.watch.incidents()["incidents"]}
    assert done[report] == ["s.tanaka が解決済みにした。", "s.tanaka が再開。", "s.tanaka が解決済みにした: 今日は不要"]
    assert done[export] == ["s.tanaka が手動で実行。", "再試行 1 回、実行 1 回、exit 0。"]
