"""Load from wrk: requests signed beforehand by botocore are replayed, and every answer's status and body is checked."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

SCRIPT = Path(__file__).with_name("replay.lua")
# Lua patterns: RunTask launched what it was asked to; the ARN of each task (moto names the definition's ARN as its containers' taskArn).
NO_FAILURES = '"failures": ?%[%]'
TASK_ARN = '"taskArn": ?"([^"]+:task/[^"]+)"'
SKEW = 300.0  # seconds that a signature is valid on either side of its date


@dataclass(frozen=True)
class Target:
    """An endpoint and who calls it."""

    endpoint: str
    region: str
    access_key_id: str
    secret_access_key: str


@dataclass(frozen=True)
class Answers:
    """What a run gave. Seconds are wall-clock time from the first request to the last answer that counted."""

    sent: int
    answered: int
    wrong: int
    distinct: int
    exhausted: int
    socket_errors: int
    seconds: float
    p50: float
    p99: float
    first_wrong: str

    @property
    def rate(self) -> float:
        """Checked answers a second."""
        return self.answered / self.seconds if self.seconds else 0.0

    def checked(self) -> "Answers":
        """Itself, if every answer was right; else an AssertionError that quotes the first that was not."""
        if not self.answered or self.wrong or self.socket_errors or self.exhausted:
            raise AssertionError(f"the run does not count: {self}")
        return self

    def __str__(self) -> str:
        latency = f"p50 {self.p50 * 1000:.1f} ms, p99 {self.p99 * 1000:.1f} ms"
        faults = f"{self.wrong} wrong, {self.socket_errors} socket errors, {self.exhausted} beyond those signed"
        quoted = f"; first wrong: {self.first_wrong}" if self.first_wrong else ""
        return f"{self.rate:,.0f}/s ({self.answered} answers in {self.seconds:.2f} s, {latency}; {faults}{quoted})"


def signed(target: Target, service: str, operation: str, body: bytes, *, version: str = "1.1") -> bytes:
    """One HTTP request as bytes; `operation` is the X-Amz-Target, such as `AmazonEC2ContainerServiceV20141113.RunTask`."""
    headers = {
        "Host": urlsplit(target.endpoint).netloc,
        "Content-Type": f"application/x-amz-json-{version}",
        "X-Amz-Target": operation,
        "Content-Length": str(len(body)),
    }
    request = AWSRequest(method="POST", url=f"{target.endpoint}/", data=body, headers=headers)
    SigV4Auth(Credentials(target.access_key_id, target.secret_access_key), service, target.region).add_auth(request)
    lines = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    return f"POST / HTTP/1.1\r\n{lines}\r\n".encode() + body


def once(target: Target, request: bytes) -> bytes:
    """The body of the answer to one request; AssertionError unless it is a 200."""
    head, _, body = request.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    connection = HTTPConnection(urlsplit(target.endpoint).netloc, timeout=60)
    try:
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        found = answer.read()
        if answer.status != 200:
            raise AssertionError(f"{answer.status} {found[:400]!r}")
        return found
    finally:
        connection.close()


def replay(
    target: Target,
    requests: Sequence[bytes],
    *,
    expect: str = "",
    exact: bytes | None = None,
    seconds: int,
    connections: int = 32,
    stop_after: int | None = None,
    distinct: str | None = None,
    cycle: bool = False,
) -> Answers:
    """Send `requests` in order for `seconds`, or until `stop_after` answers came.

    `expect` is a Lua pattern that the body of every 200 must hold, or `exact` what it must be to the byte (searching a large body costs
    the client more than sending it cost the server); `distinct` one whose captures are counted, each once. Unless `cycle`,
    running out of requests is told in `exhausted`: sign `connections` more than `stop_after`, since as many are under way at its end.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        settings, raw, figures = (Path(folder, name) for name in ("settings", "requests", "figures"))
        lines = {"expect": expect, "cycle": "yes" if cycle else "no", "distinct": distinct, "stop_after": stop_after}
        if exact is not None:
            lines["exact"] = str(Path(folder, "exact"))
            Path(folder, "exact").write_bytes(exact)
        settings.write_text("".join(f"{key} {value}\n" for key, value in lines.items() if value is not None))
        raw.write_bytes(b"".join(b"%d\n%b" % (len(request), request) for request in requests))
        shape = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s"]
        finished = subprocess.run(
            [_wrk(), *shape, "-s", str(SCRIPT), target.endpoint, "--", str(settings), str(raw)],
            env={**os.environ, "REPLAY_FIGURES": str(figures)},
            capture_output=True,
            text=True,
            timeout=seconds + 60,
        )
        if not figures.exists():
            raise RuntimeError(f"wrk gave no figures: {finished.stdout}{finished.stderr}")
        if time.monotonic() - started > SKEW:
            raise RuntimeError(f"the run outlived its signatures ({SKEW:.0f} s): sign fewer requests, or run for less")
        return _answers(figures.read_text())


def _wrk() -> str:
    if (found := shutil.which("wrk")) is None:
        raise SystemExit("The benchmarks put on load with wrk, which is not here. Type: apt-get install wrk")
    return found


def _answers(text: str) -> Answers:
    row = dict(line.split(" ", 1) for line in text.splitlines())
    counts = {name: int(float(row[name])) for name in ("sent", "answered", "wrong", "distinct", "exhausted", "socket_errors")}
    return Answers(
        **counts,
        seconds=float(row["ended"]) - float(row["started"]),
        p50=float(row["p50"]),
        p99=float(row["p99"]),
        first_wrong=bytes.fromhex(row["first_wrong"]).decode(errors="replace"),
    )
