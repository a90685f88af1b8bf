"""Sends the mails of topics through the mail server of the configuration; a mail that does not go out is told in the journal.

The mails that wait live in memory: those of a daemon that is killed meanwhile are lost, as SNS promises no mail to arrive.
"""

import asyncio
import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import formatdate
from functools import partial
from typing import Any

from msgspec import Struct

from hinoban.aws import arns
from hinoban.base.clock import SECONDS, Clock
from hinoban.base.ids import Ids
from hinoban.base.supervise import Group
from hinoban.base.units import iso_seconds
from hinoban.engine.neighbours.wire import Mail

SOURCE = "hinoban.sns"
UNSENT = "Hinoban Mail Unsent"
# Before the second and the third try. SNS goes on for six hours (facts/cloudtrail_sns_lambda.md §2.3).
PAUSES = (10 * SECONDS, 60 * SECONDS)
WITHIN = 15 * SECONDS
AT_ONCE = 2
MOST_WAITING = 1_000
_TLS_PORT = 465

Send = Callable[["SmtpSettings", EmailMessage], None]


class SmtpSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[smtp]`. With `starttls` nothing is said in the clear (the default, but for port 465, which speaks TLS at once)."""

    host: str
    port: int = 587
    starttls: bool = True
    user: str | None = None
    password: str | None = None
    sender: str = "hinoban@localhost"

    def __repr__(self) -> str:
        return f"SmtpSettings(host={self.host!r}, port={self.port})"  # never the password


class Mailer:
    """Takes mails by `mail`; `tell` gets an envelope for each that was not sent."""

    def __init__(
        self,
        settings: SmtpSettings | None,
        tell: Callable[[dict[str, Any]], None],
        clock: Clock,
        ids: Ids,
        account: str,
        *,
        on_failure: Callable[[BaseException], None],
        send: Send | None = None,
    ) -> None:
        self._settings = settings
        self._tell = tell
        self._clock = clock
        self._ids = ids
        self._account = account
        self._send = send or send_through
        self._group = Group(on_failure)
        self._places = asyncio.Semaphore(AT_ONCE)
        self._under_way = 0

    def mail(self, mail: Mail) -> None:
        """Send it in the background, or tell why not."""
        if self._settings is None:
            self._unsent(mail, "no mail server is configured")
        elif self._under_way >= MOST_WAITING:
            self._unsent(mail, f"{MOST_WAITING} mails wait for the mail server already")
        else:
            self._under_way += 1
            self._group.start(self._deliver(self._settings, mail), f"mail to {mail.to}")

    async def close(self) -> None:
        """Give up what waits, and tell it."""
        await self._group.close()

    async def _deliver(self, settings: SmtpSettings, mail: Mail) -> None:
        try:
            why = await self._tried(settings, mail)
        except asyncio.CancelledError:
            self._unsent(mail, "Hinoban ended before the mail server took it")
            raise
        finally:
            self._under_way -= 1
        if why:
            self._unsent(mail, why)

    async def _tried(self, settings: SmtpSettings, mail: Mail) -> str:
        """Why it did not go out at the last; empty where it did."""
        try:
            message = _message(settings, mail, self._clock.now(), self._ids.uuid())
        except Exception as error:
            # ValueError, or whatever Python's parser of addresses stumbles over: `me@` is an IndexError to it.
            return f"it makes no mail: {error if isinstance(error, ValueError) else f'{mail.to!r} is no address'}"
        why = ""
        for pause in (0.0, *PAUSES):
            await self._clock.sleep_until(self._clock.now() + pause)
            async with self._places:
                try:
                    await asyncio.to_thread(partial(self._send, settings, message))
                    return ""
                except (OSError, smtplib.SMTPException, ValueError) as error:
                    why = _why(settings, error)
                    if _for_good(error):
                        return why
        return f"{why} ({len(PAUSES) + 1} tries)"

    @property
    def _server(self) -> str | None:
        return f"{self._settings.host}:{self._settings.port}" if self._settings is not None else None

    def _unsent(self, mail: Mail, why: str) -> None:
        self._tell(
            {
                "version": "0",
                "id": self._ids.uuid(),
                "detail-type": UNSENT,
                "source": SOURCE,
                "account": self._account,
                "time": iso_seconds(self._clock.now()),
                "region": arns.parse(mail.topic).region,
                "resources": [mail.topic],
                "detail": {"topic": mail.topic, "to": mail.to, "subject": mail.subject, "why": why, "server": self._server},
            }
        )


def send_through(settings: SmtpSettings, message: EmailMessage) -> None:
    """Hand the message to the mail server; blocks, OSError or SMTPException where it is not taken."""
    safe = ssl.create_default_context()
    server: smtplib.SMTP
    if settings.port == _TLS_PORT:
        server = smtplib.SMTP_SSL(settings.host, settings.port, timeout=WITHIN, context=safe)
    else:
        server = smtplib.SMTP(settings.host, settings.port, timeout=WITHIN)
    with server:
        if settings.starttls and settings.port != _TLS_PORT:
            server.starttls(context=safe)
        if settings.user is not None:
            server.login(settings.user, settings.password or "")
        server.send_message(message)


def _message(settings: SmtpSettings, mail: Mail, now: float, id_: str) -> EmailMessage:
    """ValueError for an address that is none."""
    message = EmailMessage()
    message["From"] = settings.sender
    message["To"] = mail.to
    message["Subject"] = " ".join(mail.subject.split())
    message["Date"] = formatdate(now)
    message["Message-ID"] = f"<{id_}@hinoban>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.body)
    if not message["To"].addresses or "@" not in mail.to:
        raise ValueError(f"{mail.to!r} is no address")
    return message


def _for_good(error: Exception) -> bool:
    """Whether trying again is useless: the server said so (5xx), or cannot what we need."""
    match error:
        case smtplib.SMTPRecipientsRefused():
            return all(code >= 500 for code, _ in error.recipients.values())
        case smtplib.SMTPResponseException():
            return error.smtp_code >= 500
        case smtplib.SMTPNotSupportedError() | ssl.SSLCertVerificationError():
            return True
    return isinstance(error, ValueError) and not isinstance(error, OSError)


def _why(settings: SmtpSettings, error: Exception) -> str:
    said = str(error) or type(error).__name__
    match error:
        case smtplib.SMTPRecipientsRefused():
            code, text = next(iter(error.recipients.values()))
            said = f"{code} {_decoded(text)}"
        case smtplib.SMTPResponseException():
            said = f"{error.smtp_code} {_decoded(error.smtp_error)}"
    return f"the mail server {settings.host}:{settings.port} did not take it: {said}"


def _decoded(text: str | bytes) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text
