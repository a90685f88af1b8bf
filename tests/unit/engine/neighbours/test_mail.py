"""Mails: sent through the server of the configuration, tried again while that may help, told where they did not go out."""

import asyncio
import smtplib
import socketserver
import threading
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from typing import Any

import pytest

from hinoban.base.clock import FakeClock
from hinoban.base.ids import SeededIds
from hinoban.engine.neighbours.mail import MOST_WAITING, Mailer, SmtpSettings, send_through
from hinoban.engine.neighbours.wire import Mail

TOPIC = "arn:aws:sns:ap-northeast-1:123456789012:alerts"
MAIL = Mail(TOPIC, "night@example.com", "it\nburns", "The job of 00:00 was lost: ü\n")
SETTINGS = SmtpSettings(host="mail.example.com", sender="hinoban@example.com")


class Desk:
    """A mailer whose server answers from a script: an error, or None for a mail that is taken."""

    def __init__(self, settings: SmtpSettings | None, *script: Exception | None) -> None:
        self.script = list(script)
        self.sent: list[EmailMessage] = []
        self.told: list[dict[str, Any]] = []
        self.failures: list[BaseException] = []
        self.tries = 0
        self.clock = FakeClock()
        self.mailer = Mailer(
            settings, self.told.append, self.clock, SeededIds(), "123456789012", on_failure=self.failures.append, send=self.send
        )

    def send(self, settings: SmtpSettings, message: EmailMessage) -> None:
        self.tries += 1
        found = self.script.pop(0) if self.script else None
        if found is not None:
            raise found
        self.sent.append(message)

    async def until(self, done: Callable[[], object], advance: float = 0.0) -> None:
        async with asyncio.timeout(20):
            while not done():
                await self.clock.advance(advance)
                await asyncio.sleep(0.002)

    async def close(self) -> None:
        await self.mailer.close()
        assert self.failures == []


async def test_a_mail_is_sent_as_it_was_published() -> None:
    desk = Desk(SETTINGS)
    desk.mailer.mail(MAIL)
    await desk.until(lambda: desk.sent)
    (message,) = desk.sent
    assert (message["To"], message["From"], message["Subject"]) == ("night@example.com", "hinoban@example.com", "it burns")
    assert message.get_content() == MAIL.body
    await desk.close()
    assert desk.told == []


async def test_without_a_mail_server_it_is_told_as_unsent() -> None:
    desk = Desk(None)
    desk.mailer.mail(MAIL)
    (envelope,) = desk.told
    assert (envelope["source"], envelope["detail-type"], envelope["region"]) == ("hinoban.sns", "Hinoban Mail Unsent", "ap-northeast-1")
    assert envelope["resources"] == [TOPIC]
    why = "no mail server is configured"
    assert envelope["detail"] == {"topic": TOPIC, "to": MAIL.to, "subject": MAIL.subject, "why": why, "server": None}
    await desk.close()


async def test_a_server_that_is_away_is_tried_again_and_then_told() -> None:
    desk = Desk(SETTINGS, ConnectionRefusedError("refused"), smtplib.SMTPServerDisconnected("gone"))
    desk.mailer.mail(MAIL)
    await desk.until(lambda: desk.sent, advance=5)
    assert (desk.tries, desk.told) == (3, [])
    desk.script = [TimeoutError("timed out")] * 3
    desk.mailer.mail(MAIL)
    await desk.until(lambda: desk.told, advance=5)
    assert desk.told[0]["detail"]["why"] == "the mail server mail.example.com:587 did not take it: timed out (3 tries)"
    assert (desk.tries, len(desk.sent)) == (6, 1)
    await desk.close()


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (smtplib.SMTPAuthenticationError(535, b"no"), "535 no"),
        (smtplib.SMTPRecipientsRefused({"a": (550, b"nobody")}), "550 nobody"),
        (smtplib.SMTPNotSupportedError("no STARTTLS"), "no STARTTLS"),
    ],
)
async def test_what_no_second_try_can_help_is_told_at_once(error: Exception, why: str) -> None:
    desk = Desk(SETTINGS, error)
    desk.mailer.mail(MAIL)
    await desk.until(lambda: desk.told)
    assert desk.told[0]["detail"]["why"] == f"the mail server mail.example.com:587 did not take it: {why}"
    assert desk.tries == 1
    await desk.close()


@pytest.mark.parametrize("to", ["", "nobody", "a@b\nBcc: c@d", "\ud800@b"])
async def test_an_address_that_is_none_is_told_and_never_sent(to: str) -> None:
    desk = Desk(SETTINGS)
    desk.mailer.mail(Mail(TOPIC, to, "s", "b"))
    await desk.until(lambda: desk.told)
    assert desk.told[0]["detail"]["why"].startswith("it makes no mail")
    assert desk.tries == 0
    await desk.close()


async def test_mails_that_wait_are_bounded_and_told_at_the_end() -> None:
    desk = Desk(SETTINGS, *[ConnectionRefusedError("refused")] * (MOST_WAITING + 1))
    for _ in range(MOST_WAITING + 1):
        desk.mailer.mail(MAIL)
    assert [one["detail"]["why"] for one in desk.told] == [f"{MOST_WAITING} mails wait for the mail server already"]
    await desk.until(lambda: desk.tries == MOST_WAITING)
    await desk.close()
    assert len(desk.told) == MOST_WAITING + 1
    assert {one["detail"]["why"] for one in desk.told[1:]} == {"Hinoban ended before the mail server took it"}


class Server(socketserver.ThreadingTCPServer):
    """As much of a mail server as smtplib talks to."""

    allow_reuse_address = True
    heard: list[str]


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline():
                made.heard.append(line.decode().rstrip())
                verb = line[:4].upper()
                if verb == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    while (line := self.rfile.readline()) != b".\r\n":
                        made.heard.append(line.decode().rstrip())
                self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 fine\r\n")
                if verb == b"QUIT":
                    return

    made = Server(("127.0.0.1", 0), Handler)
    made.heard = []
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


async def test_a_real_server_hears_the_mail_and_is_told_nothing_in_the_clear_where_tls_is_asked_for(server: Server) -> None:
    settings = SmtpSettings(host="127.0.0.1", port=server.server_address[1], starttls=False)
    desk = Desk(settings)
    desk.mailer._send = send_through
    desk.mailer.mail(MAIL)
    await desk.until(lambda: "QUIT" in [line.upper() for line in server.heard])
    assert "rcpt TO:<night@example.com>" in server.heard
    assert any(line.startswith("Subject: it burns") for line in server.heard)
    server.heard.clear()
    safe = SmtpSettings(host="127.0.0.1", port=server.server_address[1], user="u", password="secret")
    with pytest.raises(smtplib.SMTPNotSupportedError):
        await asyncio.to_thread(send_through, safe, desk.sent[0] if desk.sent else EmailMessage())
    assert not any("secret" in line or "AUTH" in line.upper() for line in server.heard)
    await desk.close()
    assert desk.told == []


@pytest.mark.parametrize("address", ["me@", "<", ".::(", "\t.@]"])
async def test_an_address_that_pythons_parser_stumbles_over_is_told(address: str) -> None:
    """Whoever may subscribe to a topic must not be able to end the engine."""
    desk = Desk(SETTINGS)
    desk.mailer.mail(Mail(TOPIC, address, "s", "b"))
    await desk.until(lambda: desk.told)
    assert desk.told[0]["detail"]["why"] == f"it makes no mail: {address!r} is no address"
    await desk.close()
