"""The next step of `why` where the history knows what has changed."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from hinoban.watch.config import Lang, WatchConfig
from hinoban.watch.explain.language import speaking
from hinoban.watch.model import Incident
from hinoban.watch.notify.background import Background
from hinoban.watch.notify.message import alert
from hinoban.watch.notify.next_words import next_line
from tests.unit.watch.notify.samples import incident
from tests.unit.watch.samples import life
from tests.unit.watch.worlds import World

UTC = ZoneInfo("UTC")
CHANGED = Background(good_revision=203, changed_names=("DB_HOST", "DB_PORT"))


def failed(detector: str, code: str, **facts: Any) -> Incident:
    one = incident()
    explanation = msgspec.structs.replace(one.finding.explanation, code=code, next="As ever.")
    arn = "arn:aws:ecs:ap-northeast-1:123456789012:task/web/91d0c2e7" + "0" * 24
    kept: dict[str, Any] = {"cluster": "web", "family": "web-api", "task_arn": arn, "facts": facts}
    finding = msgspec.structs.replace(one.finding, detector=detector, explanation=explanation, **kept)
    return msgspec.structs.replace(one, finding=finding, state="open", done=(), attempts=())


def test_a_service_without_its_image_goes_back_to_the_revision_that_ran() -> None:
    missing = failed("cannot_pull", "image_missing", group="service:front")
    command = "aws ecs update-service --cluster web --service front --task-definition web-api:203"
    assert next_line(missing, CHANGED, UTC).startswith(f"Push it, or: {command}      Not retried: ")
    with speaking("ja"):
        assert next_line(missing, CHANGED, UTC).startswith(f"イメージを push するか、元のリビジョンに戻す: {command}")


def test_a_program_that_failed_after_its_environment_changed_is_looked_at_there() -> None:
    exited = failed("failed_exit", "exit_non_zero")
    said = "Look at DB_HOST, DB_PORT, then: hinoban retry 91d0c2e7 (same overrides; refuses while another run lives)"
    assert next_line(exited, CHANGED, UTC).startswith(said)
    with speaking("ja"):
        assert next_line(exited, CHANGED, UTC).startswith("DB_HOST, DB_PORT を確認し、再実行: hinoban retry 91d0c2e7")


@pytest.mark.parametrize(
    ("one", "background"),
    [
        (failed("cannot_pull", "image_missing"), CHANGED),  # no service
        (failed("cannot_pull", "image_missing", group="service:front"), Background()),
        (failed("failed_exit", "exit_non_zero"), Background(good_revision=203)),
        (failed("failed_exit", "exit_non_zero", group="service:front"), CHANGED),  # its service starts its tasks itself
        (failed("out_of_memory", "out_of_memory"), CHANGED),
    ],
)
def test_all_else_is_the_catalogues_step(one: Incident, background: Background) -> None:
    assert next_line(one, background, UTC).startswith("As ever.")


def test_what_is_over_needs_nothing() -> None:
    over = msgspec.structs.replace(failed("failed_exit", "exit_non_zero"), state="resolved")
    assert next_line(over, CHANGED, UTC) == "Nothing now."
    with speaking("ja"):
        assert next_line(over, CHANGED, UTC) == "対応不要。"


def test_a_schedule_that_needs_retries_night_after_night_is_told_what_to_change() -> None:
    due = {"due_at": 1_795_705_200.0 + 5 * 60}
    over = msgspec.structs.replace(failed("did_not_start", "no_capacity", **due), state="resolved")
    often, once = Background(retried=(9, 30)), Background(retried=(1, 30))
    advice = "add a subnet in another zone to the target, or move it off :05."
    assert next_line(over, often, UTC) == f"Nothing now. 9 of the last 30 runs needed a retry: {advice}"
    assert next_line(over, once, UTC) == "Nothing now."
    with speaking("ja"):
        assert "直近 30 回のうち 9 回で再試行が必要だった" in next_line(over, often, UTC)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (failed("failed_exit", "exit_non_zero"), "再試行なし: on_exit のポリシーがない。"),
        (failed("out_of_memory", "out_of_memory"), "再試行なし: 同じ入力、同じ上限になる。"),
        (failed("cannot_pull", "image_missing"), "再試行なし: 再試行しても直らない。"),
        (failed("did_not_start", "no_evidence"), "再実行なし: 実行されなかったと確認できていない。"),
        (failed("overdue", "overdue"), "停止なし: stop_after の設定がない。"),
        (failed("overdue", "orphan", orphan=True), "停止なし: stop_orphans も stop_after も設定がない。"),
    ],
)
def test_why_nothing_was_done_is_said_in_japanese_too(one: Incident, said: str) -> None:
    with speaking("ja"):
        assert next_line(one, Background(), UTC).endswith(f"      {said}")
        assert dict(alert(one, "opened").labels)["Next"] == f"As ever.      {said}"
        assert next_line(msgspec.structs.replace(one, state="resolved"), Background(), UTC) == "対応不要。"


def test_without_a_daemon_the_step_is_japanese_too() -> None:
    with speaking("ja"):
        said = next_line(failed("overdue", "overdue"), Background(live=False, as_of=1_795_705_200.0), UTC)
    assert said == "デーモン停止中。Thu 26 Nov 15:00 UTC 時点の状態。その後を確認: hinoban up"


@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize("code", ["EssentialContainerExited", "OutOfMemory"])
async def test_a_services_task_is_not_to_be_retried(tmp_path: Path, lang: Lang, code: str) -> None:
    world = World(tmp_path, WatchConfig(lang=lang))
    reason = "OutOfMemoryError: Container killed due to memory usage" if code == "OutOfMemory" else None
    words = {"group": "service:web", "started_by": "ecs-svc/1", "exit_code": 137 if reason else 3, "container_reason": reason}
    world.aws.emit(*life(1, at=world.clock.now(), family="web", **words))
    await world.turns(10)
    [told] = world.watch.incidents()["incidents"]
    assert "hinoban retry" not in told["next"] and "再実行: " not in told["next"]
    assert ("aws ecs update-service --cluster default --service web --task-definition web" in told["next"]) == (reason is not None)
    why = next(line for line in world.watch.why(told["id"])["lines"] if told["next"] in line)
    ends = {
        "en": ("its service starts tasks itself.", "same input, same limit."),
        "ja": ("サービスが自らタスクを起動する。", "同じ入力、同じ上限になる。"),
    }
    assert why.endswith(ends[lang][reason is not None])


async def test_a_launch_with_overrides_is_repeated_with_them(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.aws.refused_launch(1, "plain", startedBy="alice")
    overrides = {"containerOverrides": [{"name": "app", "command": ["--month=11"]}]}
    world.aws.refused_launch(2, "monthly", startedBy="alice", overrides=overrides)
    await world.turns(5)
    found = {one["family"]: one for one in world.watch.incidents()["incidents"]}
    assert found["plain"]["next"].endswith("hinoban run plain --retry")
    assert found["monthly"]["next"].endswith(f"hinoban retry {found['monthly']['id']}")
