"""What a container printed, on disk: bounded, in order, with a cursor that only grows. Standard library only.

A stream of records `<milliseconds> <text>\\n` is cut into files named by the offset at which they begin; the cursor is the offset
behind a record. The oldest files go when a container has written more than it may keep.
"""

import os

FILE_BYTES = 8 << 20
KEPT_FILES = 8
LINE_BYTES = 256 << 10
CHUNK_BYTES = 256 << 10

Lines = list[tuple[int, str]]


class OutputFiles:
    """One container's output in one directory; opened again, it goes on where it ended."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._starts = sorted(int(name[7:]) for name in os.listdir(directory) if name.startswith("output."))
        self.end = 0
        self._file: int | None = None
        self._partial = b""
        if self._starts:
            self._cut_torn_record(self._path(self._starts[-1]))
            self.end = self._starts[-1] + os.path.getsize(self._path(self._starts[-1]))

    def _path(self, start: int) -> str:
        return f"{self._directory}/output.{start}"

    @staticmethod
    def _cut_torn_record(path: str) -> None:
        with open(path, "rb+") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 4 * LINE_BYTES))
            tail = file.read()
            if tail and not tail.endswith(b"\n"):
                file.truncate(size - len(tail) + tail.rfind(b"\n") + 1)

    def feed(self, data: bytes, now: int) -> Lines:
        """Take raw bytes; the lines that they complete are written and returned."""
        *whole, self._partial = (self._partial + data).split(b"\n")
        while len(self._partial) >= LINE_BYTES:
            whole.append(self._partial[:LINE_BYTES])
            self._partial = self._partial[LINE_BYTES:]
        return self._append(whole, now)

    def finish(self, now: int) -> Lines:
        """A last line that no newline ended; then nothing more is written."""
        partial, self._partial = self._partial, b""
        lines = self._append([partial] if partial else [], now)
        if self._file is not None:
            os.close(self._file)
            self._file = None
        return lines

    def _append(self, raw: list[bytes], now: int) -> Lines:
        lines: Lines = []
        for line in raw:
            for start in range(0, max(len(line), 1), LINE_BYTES):
                lines.append((now, line[start : start + LINE_BYTES].decode("utf-8", "replace").removesuffix("\r")))
        if not lines:
            return lines
        record = "".join(f"{moment} {text}\n" for moment, text in lines).encode()
        if self._file is None or self.end - self._starts[-1] >= FILE_BYTES:
            self._rotate()
        assert self._file is not None
        view = memoryview(record)
        while view:
            view = view[os.write(self._file, view) :]
        self.end += len(record)
        return lines

    def _rotate(self) -> None:
        if self._file is not None:
            os.close(self._file)
        if not self._starts or self.end > self._starts[-1]:
            self._starts.append(self.end)
        self._file = os.open(self._path(self._starts[-1]), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        for start in self._starts[:-KEPT_FILES]:
            os.unlink(self._path(start))
        self._starts = self._starts[-KEPT_FILES:]

    def read(self, cursor: int) -> tuple[Lines, int]:
        """Some lines behind the cursor and the cursor behind them; what was dropped meanwhile is told as a line."""
        lines: Lines = []
        if not self._starts or cursor >= self.end:
            return lines, self.end
        if cursor < self._starts[0]:
            lines.append((0, f"[hinoban: {self._starts[0] - cursor} bytes of output were dropped here, more than a container may keep]"))
            cursor = self._starts[0]
        start = max(each for each in self._starts if each <= cursor)
        with open(self._path(start), "rb") as file:
            file.seek(cursor - start)
            data = file.read(CHUNK_BYTES)
            data += b"" if data.endswith(b"\n") else file.readline()
        for record in data.decode().split("\n")[:-1]:
            moment, _, text = record.partition(" ")
            lines.append((int(moment), text))
        if lines and lines[0][0] == 0:
            lines[0] = (lines[1][0] if len(lines) > 1 else 0, lines[0][1])
        return lines, cursor + len(data)
