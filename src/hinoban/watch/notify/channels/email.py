"""E-mail as a channel: hands a message to the configured mail server. A delivery's mail has the same Message-ID at every try, by which
mail programs know a repeat; a try that may be one says so too."""

import asyncio
import contextlib
import smtplib
import ssl
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from email.utils import formatdate
from functools import partial
from zoneinfo import ZoneInfo

from hinoban.base.clock import SECONDS, Clock
from hinoban.watch.config import Email, Link
from hinoban.watch.history.daily import Daily
from hinoban.watch.history.ledger import Message
from hinoban.watch.notify.channels.channel import DeliveryFailed
from hinoban.watch.notify.channels.http import shortened, without
from hinoban.watch.notify.channels.keep import REPEAT, Keep, Takers, once
from hinoban.watch.notify.links import links_of
from hinoban.watch.notify.plain import body, daily_body, daily_subject, subject

WITHIN = 15 * SECONDS
SUBJECT_MOST = 200
_TLS_PORT = 465

Refused = dict[str, tuple[int, bytes]]
"""By address: the server's code and words."""
Send = Callable[[Email, EmailMessage, Sequence[str]], Refused]


class EmailChannel:
    """One mail for all receivers. Those that the server refused are tried again by themselves, where that may help."""

    def __init__(
        self,
        config: Email,
        clock: Clock,
        keep: Keep,
        *,
        tz: str = "UTC",
        links: tuple[Link, ...] = (),
        send: Send | None = None,
    ) -> None:
        self.name = config.name
        self._config = config
        self._clock = clock
        self._keep = keep
        self._takers = Takers(keep, config.name)
        self._zone = ZoneInfo(tz)
        self._links = links
        self._send = send or send_through

    async def send(self, message: Message, delivery_id: str) -> None:
        links = links_of(message.incident, self._links)
        title, text = subject(message, self._zone, SUBJECT_MOST), partial(body, message, self._zone, links=links)
        await once(self._keep, self.name, delivery_id, partial(self._mail, title, text, message.incident.id, delivery_id))

    async def report(self, daily: Daily, delivery_id: str) -> None:
        title, text = daily_subject(daily, self._zone, SUBJECT_MOST), partial(daily_body, daily, self._zone)
        await once(self._keep, self.name, delivery_id, partial(self._mail, title, text, daily.id, delivery_id))

    async def close(self) -> None:
        """Each mail has a connection of its own."""

    async def _mail(self, title: str, text: Callable[..., str], about: str, delivery_id: str, repeat: bool) -> None:
        to = self._takers.left(delivery_id, self._config.to)
        mail = self._made(title, text(repeat=REPEAT if repeat else ""), about, delivery_id)
        try:
            refused = await asyncio.to_thread(partial(self._send, self._config, mail, to))
        except smtplib.SMTPRecipientsRefused as error:
            refused = error.recipients
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise self._failure(error) from None
        self._takers.took(delivery_id, [one for one in to if one not in refused])
        if refused:
            said = ", ".join(f"{address}: {code} {_decoded(text)}" for address, (code, text) in refused.items())
            raise DeliveryFailed(f"the mail server refused {self._clean(said)}", permanent=all(code >= 500 for code, _ in refused.values()))

    def _made(self, title: str, text: str, about: str, delivery_id: str) -> EmailMessage:
        mail = EmailMessage()
        mail["From"] = self._config.sender
        mail["To"] = ", ".join(self._config.to)
        mail["Subject"] = title
        mail["Date"] = formatdate(self._clock.now())
        mail["Message-ID"] = f"<{delivery_id}@hinoban>"
        # Mail programs show an incident's mails as one conversation.
        mail["References"] = f"<{about}@hinoban>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(text)
        return mail

    def _failure(self, error: Exception) -> DeliveryFailed:
        match error:
            case smtplib.SMTPResponseException():
                said, permanent = f"{error.smtp_code} {_decoded(error.smtp_error)}", error.smtp_code >= 500
            case smtplib.SMTPNotSupportedError() | ssl.SSLCertVerificationError():
                said, permanent = str(error), True
            case _:
                said, permanent = str(error) or type(error).__name__, isinstance(error, ValueError) and not isinstance(error, OSError)
        # The server may have taken the mail before the line broke; before a connection there was nobody to take it.
        in_doubt = isinstance(error, TimeoutError | ConnectionResetError | smtplib.SMTPServerDisconnected)
        where = f"the mail server {self._config.host}:{self._config.port}"
        return DeliveryFailed(f"{where} did not take it: {self._clean(said)}", permanent=permanent, in_doubt=in_doubt)

    def _clean(self, said: str) -> str:
        return without(shortened(said), self._config.password or "")


def send_through(config: Email, mail: EmailMessage, to: Sequence[str]) -> Refused:
    """Hand the mail to the mail server; whom it refused. Blocks; OSError or SMTPException where it took nothing."""
    safe = ssl.create_default_context()
    server: smtplib.SMTP
    if config.port == _TLS_PORT:
        server = smtplib.SMTP_SSL(config.host, config.port, timeout=WITHIN, context=safe)
    else:
        server = smtplib.SMTP(config.host, config.port, timeout=WITHIN)
    try:
        if config.starttls and config.port != _TLS_PORT:
            server.starttls(context=safe)
        if config.user is not None:
            server.login(config.user, config.password or "")
        return server.send_message(mail, from_addr=config.sender, to_addrs=list(to))
    finally:
        # What the server says to our goodbye takes no mail back.
        with contextlib.suppress(OSError, smtplib.SMTPException):
            server.quit()
        server.close()


def _decoded(text: str | bytes) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text
