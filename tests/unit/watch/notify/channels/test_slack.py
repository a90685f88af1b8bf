"""Slack: one message an incident by a bot, its thread, its rewriting; what Slack refuses, what passes, what is cut."""

from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest

from hinoban.watch.config import Link, Slack
from hinoban.watch.history.ledger import Message
from hinoban.watch.notify.channels import DeliveryFailed, Keep, MemoryKeep, SlackChannel
from tests.unit.watch.notify.samples import incident, over, said

TOKEN = "xoxb-not-a-real-token"
BILLING = incident(started_by="events-rule/nightly-billing")


class Workspace:
    """A Slack that answers each call with ok, or with what `refuse` says of it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.refuse: dict[str, list[Any]] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        method, body = request.url.path.rpartition("/")[2], msgspec.json.decode(request.content)
        self.calls.append((method, body))
        answers = self.refuse.get(method, [])
        if answers:
            answer = answers.pop(0)
            if isinstance(answer, httpx.Response):
                return answer
            if isinstance(answer, Exception):
                raise answer
            return httpx.Response(200, json={"ok": False, "error": answer})
        return httpx.Response(200, json={"ok": True, "channel": "C012", "ts": f"{len(self.calls)}.5"})

    def channel(self, keep: Keep | None = None, **config: Any) -> SlackChannel:
        given = Slack(token=TOKEN, channel="#batch", **config)
        return SlackChannel(
            given,
            keep or MemoryKeep(),
            links=(Link(text="Runbook", url="https://wiki.test/{family}?c={code}"),),
            transport=httpx.MockTransport(self),
        )


def texts(body: dict[str, Any]) -> str:
    return "\n".join(element["text"] for block in body["blocks"] for element in ([block["text"]] if "text" in block else block["elements"]))


async def test_an_incident_is_one_message_with_a_thread_and_turns_green_in_place() -> None:
    slack, keep = Workspace(), MemoryKeep()
    channel = slack.channel(keep, mention="<!here>")
    await channel.send(Message(BILLING, "opened"), "dlv-1")
    # A watch that was started anew knows the thread.
    await slack.channel(keep).send(Message(over(BILLING), "resolved"), "dlv-2")
    (first, opened), (second, rewritten), (third, answer) = slack.calls
    assert (first, opened["channel"], second, third) == ("chat.postMessage", "#batch", "chat.update", "chat.postMessage")
    assert opened["blocks"][0]["text"]["text"] == f":red_circle: *nightly-billing:31 · task 7c1e90ab · EXIT 3 · {BILLING.id}*   <!here>"
    assert texts(opened).splitlines()[1:] == [
        "*Cause*  Your program ended.",
        "*Said*  `Essential container in task exited`",
        "*Next*  Look at its log.      Not retried: no on_exit policy.",
        f"123456789012 · ap-northeast-1 · cluster batch · {BILLING.id}   <https://wiki.test/nightly-billing?c=exit|Runbook>",
    ]
    assert opened["text"].startswith("nightly-billing:31 · task 7c1e90ab · EXIT 3")
    assert (rewritten["channel"], rewritten["ts"]) == ("C012", "1.5")
    assert texts(rewritten).startswith(":large_green_circle: *nightly-billing:31")
    assert "*Cause*  Your program ended." in texts(rewritten)
    assert "*Done*  A later run ended well." in texts(rewritten)
    assert (answer["channel"], answer["thread_ts"], answer["reply_broadcast"]) == ("C012", "1.5", False)
    assert answer["text"].startswith(":white_check_mark: nightly-billing:31")
    assert "<!here>" not in rewritten["text"] + answer["text"] + texts(rewritten)


async def test_only_a_page_wakes_anybody() -> None:
    slack = Workspace()
    await slack.channel(mention="<!here>").send(Message(incident(), "opened"), "dlv-1")
    assert "<!here>" not in texts(slack.calls[0][1])


async def test_worse_news_is_seen_in_the_channel_too() -> None:
    slack = Workspace()
    channel = slack.channel()
    await channel.send(Message(BILLING, "opened"), "dlv-1")
    await channel.send(Message(BILLING, "changed"), "dlv-2")
    assert slack.calls[-1][1]["reply_broadcast"] is True


async def test_that_somebody_has_it_stands_in_the_thread_and_wakes_nobody() -> None:
    slack, by_webhook = Workspace(), Workspace()
    taken = Message(msgspec.structs.replace(BILLING, state="acknowledged", acknowledged_by="s.tanaka"), "changed")
    channel = slack.channel(mention="<!here>")
    await channel.send(Message(BILLING, "opened"), "dlv-1")
    await channel.send(taken, "dlv-2")
    answer = slack.calls[-1][1]
    assert answer["reply_broadcast"] is False
    assert "acknowledged by s.tanaka" in answer["text"]
    await by_webhook.channel(mention="<!here>").send(taken, "dlv-3")
    assert "<!here>" not in texts(by_webhook.calls[0][1])


async def test_a_first_message_that_somebody_deleted_is_written_anew() -> None:
    slack = Workspace()
    channel = slack.channel()
    await channel.send(Message(BILLING, "opened"), "dlv-1")
    slack.refuse = {"chat.update": ["message_not_found"], "chat.postMessage": ["thread_not_found"]}
    await channel.send(Message(BILLING, "changed"), "dlv-2")
    assert "thread_ts" not in slack.calls[-1][1]
    await channel.send(Message(over(BILLING), "resolved"), "dlv-3")
    assert slack.calls[-1][1]["thread_ts"] == f"{len(slack.calls) - 2}.5"


async def test_what_healed_unseen_is_one_line_without_a_thread() -> None:
    slack, keep = Workspace(), MemoryKeep()
    await slack.channel(keep).send(Message(over(BILLING), "quiet"), "dlv-1")
    [(_, body)] = slack.calls
    assert len(body["blocks"]) == 1
    assert keep.get("slack", BILLING.id) is None


@pytest.mark.parametrize(
    "error, permanent",
    [
        ("channel_not_found", True),
        ("is_archived", True),
        ("invalid_auth", True),
        ("token_revoked", True),
        ("ratelimited", False),
        ("internal_error", False),
        ("service_unavailable", False),
    ],
)
async def test_an_answer_of_200_may_be_a_refusal(error: str, permanent: bool) -> None:
    slack = Workspace()
    slack.refuse = {"chat.postMessage": [error]}
    with pytest.raises(DeliveryFailed, match=f"Slack answered {error} to chat.postMessage") as failure:
        await slack.channel().send(Message(BILLING, "opened"), "dlv-1")
    assert failure.value.permanent is permanent
    assert failure.value.retry_after == (30.0 if error == "ratelimited" else None)


async def test_a_rate_limited_rewriting_is_done_again_and_the_reply_is_written_once() -> None:
    slack = Workspace()
    channel = slack.channel()
    await channel.send(Message(BILLING, "opened"), "dlv-1")
    slack.refuse = {"chat.update": [httpx.Response(429, headers={"retry-after": "7"})]}
    with pytest.raises(DeliveryFailed) as failure:
        await channel.send(Message(over(BILLING), "resolved"), "dlv-2")
    assert failure.value.retry_after == 7.0
    await channel.send(Message(over(BILLING), "resolved"), "dlv-2")
    assert [method for method, _ in slack.calls] == ["chat.postMessage", "chat.update", "chat.update", "chat.postMessage"]


@pytest.mark.parametrize("by_bot", [True, False])
async def test_a_layout_that_slack_refuses_is_no_reason_to_be_silent(by_bot: bool) -> None:
    slack = Workspace()
    if by_bot:
        slack.refuse = {"chat.postMessage": ["msg_blocks_too_long"]}
        await slack.channel().send(Message(BILLING, "opened"), "dlv-1")
    else:
        slack.refuse = {"hook": [httpx.Response(400, text="invalid_blocks")]}
        transport = httpx.MockTransport(slack)
        await SlackChannel(Slack(url="https://hooks.slack.test/hook"), MemoryKeep(), transport=transport).send(
            Message(BILLING, "opened"), "dlv-1"
        )
    assert [("blocks" in body, "EXIT 3" in body["text"]) for _, body in slack.calls] == [(True, True), (False, True)]


@pytest.mark.parametrize(
    "grow",
    [
        lambda text: said(BILLING, cause=text, next=text, said=(text,)),
        lambda text: incident(family=text, cluster=text),
    ],
)
@pytest.mark.parametrize("text", ["&<>" * 20_000, "日本語🔥" * 9_000, "`" * 50_000])
async def test_no_text_makes_a_message_that_slack_refuses(grow: Callable[[str], Any], text: str) -> None:
    """facts/monitoring.md §5.2: the limits, and the whole below 10,000 characters."""
    slack = Workspace()
    await slack.channel().send(Message(grow(text), "opened", ("x" * 5000,) * 50), "dlv-1")
    [(_, body)] = slack.calls
    parts = [element["text"] for block in body["blocks"] for element in ([block["text"]] if "text" in block else block["elements"])]
    assert all(1 <= len(part) <= 3000 for part in parts)
    assert sum(map(len, parts)) < 10_000
    assert len(body["blocks"]) <= 50
    assert len(body["text"]) <= 4000
    assert not any(part.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "").count("&") for part in (*parts, body["text"]))
    assert "*Next*" in "\n".join(parts)


async def test_a_mention_in_somebodys_words_is_no_mention() -> None:
    slack = Workspace()
    await slack.channel().send(Message(said(BILLING, cause="<!channel> & co"), "opened"), "dlv-1")
    assert "<!channel>" not in msgspec.json.encode(slack.calls[0][1]).decode()
    assert "&lt;!channel&gt; &amp; co" in texts(slack.calls[0][1])


async def test_the_log_stands_as_it_is_the_last_lines_first_kept() -> None:
    slack = Workspace()
    await slack.channel().send(Message(BILLING, "opened", ("one", "two ``` three")), "dlv-1")
    assert "```\none\ntwo ˋˋˋ three\n```" in texts(slack.calls[0][1])
