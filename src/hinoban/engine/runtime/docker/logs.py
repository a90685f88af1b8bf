"""Docker's log stream (frames of stdout and stderr, a timestamp before each line) as lines with a cursor that only grows. PURE.

The cursor is a line's time in nanoseconds, moved up by one where the line before already has it. Docker is asked again from a
millisecond before the cursor (`since`), the same cursors come out, and the lines up to the old one are passed over: none is lost or
doubled. Docker cuts lines longer than 16 KiB into parts with one timestamp; they are joined, and lines of the other stream
wait meanwhile, so that no cursor passes an unfinished line.
"""

from hinoban.engine.runtime.docker.report import nanoseconds

_HEADER = 8
_OVERLAP = 1_000_000  # ns
LONGEST_LINE = 256 * 1024  # bytes; CloudWatch Logs' longest event in the time this was written
Line = tuple[int, str]


def since(cursor: int) -> str:
    """The value of Docker's `since` to go on behind a cursor."""
    start = max(0, cursor - _OVERLAP)
    return f"{start // 10**9}.{start % 10**9:09d}"


class LogReader:
    """Takes the bytes of one connection after another; `cursor` is behind the last line handed out."""

    def __init__(self, cursor: int = 0) -> None:
        self.cursor = cursor
        self.reconnect()

    def reconnect(self) -> None:
        """Forget what a broken connection left unfinished: the next one begins again at `since(cursor)`."""
        self._raw = bytearray()
        self._seen = 0
        self._parts: dict[int, tuple[int, bytearray]] = {}
        self._waiting: list[tuple[int, bytes]] = []

    def feed(self, data: bytes) -> tuple[Line, ...]:
        """The lines that are complete now, as (milliseconds, text)."""
        self._raw += data
        at = 0
        while len(self._raw) - at >= _HEADER:
            size = int.from_bytes(self._raw[at + 4 : at + _HEADER], "big")
            if len(self._raw) - at < _HEADER + size:
                break
            self._frame(self._raw[at], bytes(self._raw[at + _HEADER : at + _HEADER + size]))
            at += _HEADER + size
        del self._raw[:at]
        return () if self._parts else self._hand_out()

    def end(self) -> tuple[Line, ...]:
        """The container has ended and all its output was fed: what is left, also a last line without its line feed."""
        for moment, text in sorted(self._parts.values(), key=lambda part: part[0]):
            self._waiting.append((moment, bytes(text)))
        self._parts.clear()
        return self._hand_out()

    def _frame(self, stream: int, message: bytes) -> None:
        stamp, _, text = message.partition(b" ")
        try:
            moment = nanoseconds(stamp.decode())
        except ValueError:
            # Docker's own words about a log it cannot read carry no time; they are told at the last known one.
            moment, text = max(self._seen, self.cursor), message
        begun, line = self._parts.pop(stream, (moment, bytearray()))
        line += text
        if text.endswith(b"\n") or len(line) >= LONGEST_LINE:
            self._waiting.append((begun, bytes(line)))
        else:
            self._parts[stream] = (begun, line)

    def _hand_out(self) -> tuple[Line, ...]:
        lines = []
        for moment, text in self._waiting:
            self._seen = max(moment, self._seen + 1)
            if self._seen > self.cursor:
                self.cursor = self._seen
                lines.append((moment // 10**6, text.removesuffix(b"\n").decode("utf-8", "replace")))
        self._waiting.clear()
        return tuple(lines)
