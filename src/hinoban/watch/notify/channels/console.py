"""The console as a channel: prints a message's lines to a stream (`hinoban up` lets the watch inherit its own)."""

from typing import TextIO
from zoneinfo import ZoneInfo

from hinoban.watch.history.daily import Daily
from hinoban.watch.history.ledger import Message
from hinoban.watch.notify.channels.channel import DeliveryFailed
from hinoban.watch.notify.daily_words import daily_labels, daily_title
from hinoban.watch.notify.message import alert, console_lines, titled_lines


class Console:
    """Prints; a closed stream is a failed delivery, tried again."""

    name = "console"

    def __init__(self, stream: TextIO, tz: str = "UTC") -> None:
        self._stream = stream
        self._zone = ZoneInfo(tz)

    async def send(self, message: Message, delivery_id: str) -> None:
        self.say(*console_lines(alert(message.incident, message.change, self._zone), self._zone))

    async def report(self, daily: Daily, delivery_id: str) -> None:
        self.say(*titled_lines(daily.at, daily_title(daily, self._zone), daily_labels(daily, self._zone), self._zone))

    def say(self, *lines: str) -> None:
        """Print lines that are no message, e.g. that another channel gave up."""
        try:
            self._stream.write("".join(f"{line}\n" for line in lines))
            self._stream.flush()
        except (OSError, ValueError) as error:
            raise DeliveryFailed(f"the console cannot be written: {error}") from error

    async def close(self) -> None:
        """The stream is not ours to close."""
