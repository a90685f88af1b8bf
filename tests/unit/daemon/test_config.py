"""hinoban.toml: the annotated example is its documentation, and an error names the path, the rule and the way out."""

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hinoban.base.errors import ConfigError
from hinoban.daemon import config, config_notify, config_retry
from hinoban.engine.ecs.decide.capacity import Room
from hinoban.engine.neighbours.mail import SmtpSettings
from hinoban.engine.runtime.images import ImageRule

EXAMPLE = Path(__file__).parents[3] / "config.example.toml"


def refused(content: dict[str, Any]) -> tuple[str, str, str]:
    with pytest.raises(ConfigError) as caught:
        config.parse(content)
    assert caught.value.exit_code == 2
    return caught.value.what, caught.value.why, caught.value.todo


def test_the_example_says_the_defaults() -> None:
    """What the example sets is what holds without a file, but for [smtp], [severity], [notify.daily], [notify.dead_man] and the lists
    ([[image]], [[policy]], channels ...)."""
    defaults, example = config.load(None), config.load(EXAMPLE)
    assert example.engine == msgspec.structs.replace(defaults.engine, images=example.engine.images, smtp=example.engine.smtp)
    assert defaults.engine.smtp is None
    lists = dict.fromkeys(("webhooks", "slack", "pagerduty", "sns", "email", "apprise", "links", "routes", "mutes", "escalations"), ())
    notify = msgspec.structs.replace(example.watch.notify, severity={}, daily=None, dead_man=None, **lists)
    assert defaults.watch == msgspec.structs.replace(example.watch, policies=(), notify=notify)


def test_the_documented_values() -> None:
    engine = config.load(EXAMPLE).engine
    assert (engine.port, engine.region, engine.account, engine.runtime) == (4566, "ap-northeast-1", "123456789012", "auto")
    assert (engine.forget_after, engine.feed_keep, engine.durability, engine.pull) == (3600.0, 7 * 86400.0, "process", "missing")
    assert engine.room is None
    assert engine.images == (ImageRule(match="*.dkr.ecr.*/job:*", use="job:dev", command=("python3", "job.py")),)
    assert (engine.strict_resource_policies, engine.trail_delay) == (False, 5.0)
    assert engine.smtp == SmtpSettings(
        host="smtp.example.com", port=587, starttls=True, user="hinoban", password="change-me", sender="hinoban@example.com"
    )
    watch = config.load(EXAMPLE).watch
    assert (watch.max_runtime, watch.hold, watch.hold_refusals, watch.log_lines) == (86400.0, 180.0, 2, 20)
    (policy,) = watch.policies
    assert (watch.remind_after, watch.stop_orphans, watch.stuck_after) == (None, False, 600.0)
    assert (policy.remind_after, policy.stop_orphans) == (7200.0, True)
    assert (policy.match, policy.max_runtime, policy.stop_after) == ({"detail": {"group": ["family:nightly-billing"]}}, 7200.0, 14400.0)
    assert policy.retry is not None
    assert (policy.retry.attempts, policy.retry.deadline, policy.retry.base, policy.retry.cap) == (6, 1200.0, 30.0, 300.0)
    assert policy.retry == watch.retry
    assert (policy.catch_up, policy.overlap) == ("none", "tell")
    notify = watch.notify
    assert [hook.name for hook in notify.webhooks] == ["on-call"]
    bot, hook = notify.slack
    assert (bot.name, bot.channel, bot.mention, bot.levels) == ("slack", "#batch", "<!here>", ("page", "ticket"))
    assert (hook.name, hook.url, hook.levels) == ("slack-team-a", "https://hooks.slack.com/services/change/me", ("page", "ticket"))
    assert [(one.name, one.url, one.levels) for one in notify.pagerduty] == [("pagerduty", "https://events.pagerduty.com", ("page",))]
    assert [(one.topic, one.format) for one in notify.sns] == [("arn:aws:sns:ap-northeast-1:123456789012:batch-alarms", "text")]
    assert [(one.to, one.host, one.sender) for one in notify.email] == [
        (("on-call@example.com",), "smtp.example.com", "hinoban@example.com")
    ]
    assert [one.urls for one in notify.apprise] == [("tgram://change-me/12345",)]
    assert [(one.text, one.url) for one in notify.links] == [("Runbook", "https://wiki.example.com/runbooks/{family}")]
    assert [one.channels for one in notify.routes] == [("slack-team-a",)]
    assert [(one.name, one.until) for one in notify.mutes] == [("move-to-1c", 1_796_083_200.0)]
    assert (notify.severity, notify.log_tail) == ({"overdue": "page"}, "masked")


def test_every_key_stands_in_the_example() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    tables = [config._File, config._Engine, config._Image, config._Policy, config._Watch]
    tables += [config_retry.RetryTable, config_retry.ExitTable, config_retry.BudgetTable, config_retry.CrashLoopTable]
    told = [config_notify.Notify, config_notify._Webhook, config_notify._Slack, config_notify._PagerDuty, config_notify._Sns]
    told += [config_notify._Email, config_notify._Apprise, config_notify._Link, config_notify.RouteTable, config_notify.MuteTable]
    for struct in (*tables, *told, config._Events, config._CloudTrail, config._Smtp):
        for field in msgspec.structs.fields(struct):
            assert field.encode_name in text, field.encode_name


def test_what_is_commented_out_in_the_example_is_right_too() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    shown = [
        line.removeprefix("# ") if line.startswith("# ") and " = " in line.partition("#")[2].partition("#")[0] else line for line in lines
    ]
    engine = config.parse(tomllib.loads("\n".join(shown))).engine
    assert engine.room == Room(4096, 8192)


def test_a_path_of_nothing() -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load(Path("/nowhere/hinoban.toml"))


def test_what_is_not_toml(tmp_path: Path) -> None:
    file = tmp_path / "hinoban.toml"
    for content in (b"[engine\n", b"\xff\xfe"):
        file.write_bytes(content)
        with pytest.raises(ConfigError, match="is not TOML"):
            config.load(file)


@pytest.mark.parametrize(
    "content, path, todo",
    [
        ({"engin": {}}, "engin", "Did you mean 'engine'?"),
        ({"engine": {"prot": 1}}, "engine.prot", "Did you mean 'port'?"),
        ({"watch": {"holdd": "1m"}}, "watch.holdd", "Did you mean 'hold'?"),
        ({"notify": {"webhook": [{"url": "http://a", "secret": "x" * 16, "nmae": "a"}]}}, "notify.webhook[0].nmae", "Did you mean 'name'?"),
        ({"policy": [{}, {"retry": {"attempt": 1}}]}, "policy[1].retry.attempt", "Did you mean 'attempts'?"),
        ({"policy": [{"catchup": "all"}]}, "policy[0].catchup", "Did you mean 'catch_up'?"),
        ({"smtp": {"host": "a", "pasword": "x"}}, "smtp.pasword", "Did you mean 'password'?"),
        ({"cloudtrail": {"dealy": "1s"}}, "cloudtrail.dealy", "Did you mean 'delay'?"),
        ({"events": {"strict": True}}, "events.strict", "Allowed here: strict_resource_policies."),
        ({"engine": {"zzz": 1}}, "engine.zzz", "Allowed here: port, region, account, runtime, capacity, forget_after, feed_keep, durability, pull."),
    ],
)  # fmt: skip
def test_an_unknown_key_is_an_error_with_a_near_miss(content: dict[str, Any], path: str, todo: str) -> None:
    assert refused(content) == (path, "is not a key Hinoban knows", todo)


@pytest.mark.parametrize(
    "match, path, todo",
    [
        ({"detial": {"group": ["x"]}}, "policy[1].match.detial", "Did you mean 'detail'?"),
        ({"detail": {"gruop": ["x"]}}, "policy[1].match.detail.gruop", "Did you mean 'group'?"),
        ({"detail": {"evntName": ["RunTask"]}}, "policy[1].match.detail.evntName", "Did you mean 'eventName'?"),
        ({"hinoban": {"famly": ["x"]}}, "policy[1].match.hinoban.famly", "Did you mean 'family'?"),
        ({"hinoban": {"zzz": ["x"]}}, "policy[1].match.hinoban.zzz", "Allowed here: family, cluster, started_by, tags, $or."),
        ({"$or": [{"source": ["x"]}, {"soruce": ["x"]}]}, "policy[1].match.$or[1].soruce", "Did you mean 'source'?"),
    ],
)
def test_a_policy_that_could_never_apply_is_an_error(match: dict[str, Any], path: str, todo: str) -> None:
    assert refused({"policy": [{}, {"match": match}]}) == (path, "is a field that no event has, so the policy would never apply", todo)


def test_a_policy_may_name_whatever_its_events_have() -> None:
    tags = {"hinoban": {"tags": {"hinoban:retry": ["on-start-failure"]}}}
    for match in ({}, tags, {"detail-type": ["x"], "detail": {"containers": {"exitCode": [1]}, "userIdentity": {"arn": ["a"]}}}):
        assert config.parse({"policy": [{"match": match}]}).watch.policies[0].match == match


@pytest.mark.parametrize(
    "content, path",
    [
        ({"engine": {"port": 70000}}, "engine.port"),
        ({"engine": {"port": "4566"}}, "engine.port"),
        ({"engine": {"account": "12"}}, "engine.account"),
        ({"engine": {"region": "tokyo"}}, "engine.region"),
        ({"engine": {"runtime": "dokcer"}}, "engine.runtime"),
        ({"engine": {"durability": "none"}}, "engine.durability"),
        ({"engine": {"pull": "never"}}, "engine.pull"),
        ({"engine": {"capacity": "4:8"}}, "engine.capacity"),
        ({"engine": {"capacity": "0vcpu:8GB"}}, "engine.capacity"),
        ({"engine": {"forget_after": "1 hour"}}, "engine.forget_after"),
        ({"engine": {"feed_keep": ""}}, "engine.feed_keep"),
        ({"image": [{"match": "*"}]}, "image[0]"),
        ({"image": [{"match": "*", "use": "a"}, {"use": "a"}]}, "image[1]"),
        ({"watch": {"tz": "Asia/Tokio"}}, "watch.tz"),
        ({"watch": {"lang": "jp"}}, "watch.lang"),
        ({"watch": {"hold_refusals": -1}}, "watch.hold_refusals"),
        ({"policy": [{}, {"match": {"detail": []}}]}, "policy[1].match.detail"),
        ({"policy": [{"max_runtime": "soon"}]}, "policy[0].max_runtime"),
        ({"policy": [{"remind_after": "soon"}]}, "policy[0].remind_after"),
        ({"watch": {"stuck_after": "soon"}}, "watch.stuck_after"),
        ({"watch": {"remind_after": "soon"}}, "watch.remind_after"),
        ({"policy": [{"max_runtime": "2h", "stop_after": "1h"}]}, "policy[0].stop_after"),
        ({"policy": [{}, {}, {"retry": {"attempts": 0}}]}, "policy[2].retry.attempts"),
        ({"policy": [{"retry": {"base": "x"}}]}, "policy[0].retry.base"),
        ({"policy": [{}, {"catch_up": "first"}]}, "policy[1].catch_up"),
        ({"policy": [{"overlap": "stop"}]}, "policy[0].overlap"),
        ({"policy": [{"overlap": 1}]}, "policy[0].overlap"),
        ({"cloudtrail": {"delay": "5"}}, "cloudtrail.delay"),
        ({"events": {"strict_resource_policies": "yes"}}, "events.strict_resource_policies"),
        ({"smtp": {}}, "smtp"),
        ({"smtp": {"host": ""}}, "smtp.host"),
        ({"smtp": {"host": "a", "port": 0}}, "smtp.port"),
        ({"smtp": {"host": "a", "user": "u"}}, "smtp.password"),
        ({"smtp": {"host": "a", "password": "p"}}, "smtp.user"),
        ({"smtp": {"host": "a", "sender": "night"}}, "smtp.sender"),
        ({"notify": {"webhook": [{"url": "ftp://a", "secret": "x" * 16}]}}, "notify.webhook[0].url"),
        ({"notify": {"webhook": [{"url": "https://a", "secret": "short"}]}}, "notify.webhook[0].secret"),
        ({"notify": {"webhook": [{"url": "https://a", "secret": "x" * 16}] * 2}}, "notify.webhook[1].name"),
        ({"notify": {"webhook": [{"url": "https://a", "secret": "x" * 16, "name": "console"}]}}, "notify.webhook[0].name"),
        ({"notify": {"webhook": [{"url": "https://a"}]}}, "notify.webhook[0]"),
    ],
)
def test_a_bad_value_is_an_error_that_names_its_path(content: dict[str, Any], path: str) -> None:
    what, why, todo = refused(content)
    assert what == path
    assert why
    assert todo


def test_a_word_that_is_almost_right() -> None:
    assert refused({"engine": {"runtime": "dokcer"}})[2] == "Did you mean 'docker'?"
    assert refused({"watch": {"tz": "Asia/Tokio"}})[2] == "Did you mean 'Asia/Tokyo'?"
    assert refused({"policy": [{"overlap": "stop_new"}]})[1:] == (
        "must be one of tell, stop_newer, stop_older, not 'stop_new'",
        "Did you mean 'stop_newer'?",
    )


def test_a_webhooks_secret_is_never_printed() -> None:
    parsed = config.parse({"notify": {"webhook": [{"url": "https://a/token", "secret": "s3cret-s3cret-s3cret"}]}})
    assert "s3cret" not in repr(parsed)
    assert "token" not in repr(parsed)


def test_the_mail_servers_password_is_never_printed() -> None:
    parsed = config.parse({"smtp": {"host": "mail.example.com", "user": "u", "password": "s3cret"}})
    assert parsed.engine.smtp is not None
    assert parsed.engine.smtp.password == "s3cret"
    assert "s3cret" not in repr(parsed)


def test_what_is_done_about_missed_runs_and_overlaps_is_the_policys() -> None:
    policies = config.parse({"policy": [{}, {"catch_up": "all", "overlap": "stop_older"}]}).watch.policies
    assert [(policy.catch_up, policy.overlap) for policy in policies] == [(None, None), ("all", "stop_older")]


def test_how_long_things_are_kept_is_checked() -> None:
    keep = config.parse({"watch": {"keep": {"tasks": "30d", "events": "7d"}}, "policy": [{"keep": "2d"}]}).watch
    assert (keep.keep.tasks, keep.keep.events, keep.policies[0].keep) == (30 * 86400.0, 7 * 86400.0, 2 * 86400.0)
    for table, path in (
        ({"tasks": "30d"}, "watch.keep.events"),
        ({"messages": "1d"}, "watch.keep.messages"),
        ({"tasks": "5y"}, "watch.keep.tasks"),
    ):
        with pytest.raises(ConfigError) as caught:
            config.parse({"watch": {"keep": table}})
        assert caught.value.what == path
