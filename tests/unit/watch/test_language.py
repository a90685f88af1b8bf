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
