"""The language is that of the work under way; AWS's own words are in none."""

from hinoban.watch.explain import explain_launch_error, explain_stop
from hinoban.watch.explain.language import speaking, spoken
from hinoban.watch.explain.service import explain_finding
from tests.unit.watch.explain.test_stop import OOM, launch, stopped


def test_english_is_spoken_unless_something_else_is_asked_for() -> None:
    assert spoken() == "en"
    with speaking("ja"):
        assert spoken() == "ja"
        with speaking("en"):
            assert spoken() == "en"
        assert spoken() == "ja"
    assert spoken() == "en"


def test_a_failure_leaves_no_language_behind() -> None:
    try:
        with speaking("ja"):
            raise ValueError
    except ValueError:
        assert spoken() == "en"


def test_cause_and_next_step_are_japanese_and_the_words_of_aws_are_not() -> None:
    detail = stopped({"name": "app", "exitCode": 137, "reason": OOM, "memory": "512"}, cpu="256", memory="512", launchType="FARGATE")
    english = explain_stop(detail)
    with speaking("ja"):
        japanese = explain_stop(detail)
    assert japanese.cause == "コンテナ app がメモリ上限 512 MiB に達し、強制終了された(exit 137)。"
    assert "メモリを 1024(cpu 256 で有効)" in japanese.next
    assert (japanese.code, japanese.said, japanese.retryable) == (english.code, english.said, english.retryable)


def test_memory_that_needs_more_cpu_names_both() -> None:
    detail = stopped({"name": "app", "exitCode": 137, "reason": OOM}, cpu="256", memory="2048", launchType="FARGATE")
    with speaking("ja"):
        assert "メモリを 4096、cpu を 512" in explain_stop(detail).next


def test_a_container_without_a_name_is_just_a_container() -> None:
    with speaking("ja"):
        assert explain_stop(stopped({"exitCode": 127})).cause.startswith("コンテナのシェルが")


def test_words_that_nobody_knows_are_told_as_they_are() -> None:
    with speaking("ja"):
        stop, refused = explain_stop({"stoppedReason": "Gremlins"}), explain_launch_error("GremlinException", "Boo", launch())
    assert stop.cause == "Hinoban の知らない理由。AWS の応答: Gremlins"
    assert stop.next.startswith("ECS が覚えているうち(1 時間)にタスクを確認: aws ecs describe-tasks ")
    assert refused.cause.endswith("RunTask GremlinException: Boo")
    assert refused.next.startswith("動いているタスクを確認: aws ecs list-tasks ")


def test_what_is_not_known_is_said_in_japanese_too() -> None:
    with speaking("ja"):
        assert explain_finding("zero_running", {"service": "web"}).cause.startswith("サービス web は 不明 タスク")
