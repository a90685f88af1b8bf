"""An incident's message as plain text, for mails, topics and whatever Apprise knows. Pure."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from hinoban.watch.history.ledger import Message
from hinoban.watch.notify.labels import padded
from hinoban.watch.notify.message import alert
from hinoban.watch.notify.wording import SEPARATOR, day_time


def subject(message: Message, zone: ZoneInfo, most: int) -> str:
    """The title on one line, of at most `most` characters."""
    title = alert(message.incident, message.change, zone).title
    return title if len(title) <= most else title[: most - 1] + "…"


def body(message: Message, zone: ZoneInfo, *, links: Sequence[tuple[str, str]] = (), repeat: str = "") -> str:
    """Title, labels, log, where and when, links; `repeat` comes first, so that it is read before somebody acts twice."""
    told, finding = alert(message.incident, message.change, zone), message.incident.finding
    lines = [*([repeat, ""] if repeat else []), told.title, *(f"{padded(label)}{text}" for label, text in told.labels)]
    if message.log:
        lines += ["", "Log (last lines)", *(f"  {line}" for line in message.log)]
    cluster = f"cluster {finding.cluster}" if finding.cluster else ""
    where = SEPARATOR.join(part for part in (finding.account, finding.region, cluster) if part)
    lines += ["", f"{padded('Where')}{where}", f"{padded('When')}{day_time(told.at, zone)}"]
    lines += [f"{padded('More')}hinoban why {message.incident.id}", *(f"{text}: {url}" for text, url in links)]
    return "\n".join(lines) + "\n"
