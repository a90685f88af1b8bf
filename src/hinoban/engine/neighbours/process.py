"""The neighbours as the daemon knows them: a process that is started at the first use, handed the log, asked, and started again when it dies.

The daemon never imports moto. The child's standard input stays open as long as we live: when we are killed it reads the end of file and goes.
"""

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from hinoban.aws import errors
from hinoban.aws.call import Caller
from hinoban.aws.errors import AwsError
from hinoban.aws.http import HttpRequest, HttpResponse
from hinoban.aws.sigv4 import TemporaryKey, Verified
from hinoban.base.clock import SECONDS, Clock
from hinoban.base.supervise import Group
from hinoban.engine.neighbours import wire
from hinoban.engine.neighbours.log import MOST_BYTES, MOST_WRITES, WriteLog
from hinoban.store.database import Database

Make = Callable[[int], wire.ToChild]

_log = logging.getLogger(__name__)
_LAST_WORDS = 5 * SECONDS
# A request that was under way when the child died is asked once more: what it did died with the child, unlogged.
_TRIES = 2
_SHOWN = 5


class Neighbours:
    """Answers any request of a service that is not ours."""

    def __init__(
        self, database: Database, directory: Path, account: str, clock: Clock, *, on_mail: Callable[[wire.Mail], None] | None = None
    ) -> None:
        """`on_mail` is handed each mail that a topic sends, once the Publish it belongs to is kept."""
        self._database = database
        self._log = WriteLog(database)
        self._key_file = directory / "neighbours.key"
        self._account = account
        self._clock = clock
        self._on_mail = on_mail
        self._group = Group(self._failed)
        self._process: asyncio.subprocess.Process | None = None
        self._starting: asyncio.Future[None] | None = None
        self._asked: dict[int, asyncio.Future[wire.FromChild]] = {}
        self._number = 0
        self._closed = False
        self.starts = 0

    async def handle(self, request: HttpRequest, verified: Verified) -> HttpResponse:
        """moto's answer, once what it changed is kept; AwsError where there is none."""
        answer = await self._ask(
            lambda number: wire.Ask(
                number,
                request.method,
                request.path,
                request.query,
                request.headers,
                request.body,
                request.client,
                self._account,
                verified.region,
                verified.service,
                verified.access_key_id,
                self._log.room,
            )
        )
        assert isinstance(answer, wire.Answer)
        match answer.refused:
            case "":
                return HttpResponse(answer.status, answer.headers, answer.body)
            case "unknown_service" | "ours":
                raise errors.unknown_service(verified.service or "of this request")
            case "full":
                raise AwsError(
                    "LimitExceededException",
                    f"Hinoban keeps {MOST_WRITES} writes or {MOST_BYTES >> 20} MiB of them for the services that moto answers, and has "
                    "them. Delete queue messages, or empty the engine: POST /_hinoban/v1/reset",
                )
        raise errors.internal_failure()

    async def key(self, access_key_id: str) -> TemporaryKey | None:
        """A key that IAM or STS made here. Does not start the child where nothing was ever written."""
        if self._process is None and not self._log.writes:
            return None
        found = await self._ask(lambda number: wire.WhoseKey(number, access_key_id, self._account))
        assert isinstance(found, wire.Key)
        if not found.secret:
            return None
        return TemporaryKey(found.secret, Caller(access_key_id, found.arn, found.kind), found.session_token or None)

    async def reset(self) -> None:
        """Forget everything; the next use begins with an empty street."""
        gate = asyncio.get_running_loop().create_future()
        process, starting = self._process, self._starting
        self._process, self._starting = None, gate
        if starting is not None and not starting.done():
            # Who waits for a child that was about to live waits for the next one.
            starting.set_result(None)
        await _end(process)
        self._log.clear()
        await self._database.committed()
        self._starting = None
        gate.set_result(None)

    async def close(self) -> None:
        """End the child."""
        self._closed = True
        process, self._process, self._starting = self._process, None, None
        await _end(process)
        await self._group.close()

    # The conversation ------------------------------------------------------------------------------------------------------------------

    async def _ask(self, make: Make) -> wire.FromChild:
        for _ in range(_TRIES):
            await self._started()
            self._number += 1
            number = self._number
            answer: asyncio.Future[wire.FromChild] = asyncio.get_running_loop().create_future()
            self._asked[number] = answer
            try:
                process = self._process
                if process is None or process.stdin is None:
                    continue
                process.stdin.write(wire.frame(make(number)))
                with contextlib.suppress(ConnectionError):
                    await process.stdin.drain()
                said = await answer
                await self._database.committed()
                return said
            except _ChildDied:
                continue
            finally:
                self._asked.pop(number, None)
        raise errors.internal_failure()

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Take the child's answers until it ends; what it wrote is kept in the turn in which it is heard of."""
        assert process.stdout is not None
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                size = int.from_bytes(await process.stdout.readexactly(wire.LENGTH), "big")
                message = wire.from_child.decode(await process.stdout.readexactly(size))
                if isinstance(message, wire.Ready):
                    if self._process is process:
                        self._ready(message)
                    continue
                if isinstance(message, wire.Mail):
                    self._database.after_commit(partial(self._mailed, message))
                    continue
                if isinstance(message, wire.Answer):
                    self._log.keep(message.write, message.drop)
                waiting = self._asked.get(message.id)
                if waiting is not None and not waiting.done():
                    waiting.set_result(message)
        code = await process.wait()
        if self._process is process:
            self._process = self._starting = None
        if not self._closed and code:
            _log.error("The neighbours' process ended (%s); the next call starts it again", code)
        for waiting in list(self._asked.values()):
            if not waiting.done():
                waiting.set_exception(_ChildDied())

    def _mailed(self, mail: wire.Mail) -> None:
        if self._on_mail is not None:
            self._on_mail(mail)

    def _ready(self, ready: wire.Ready) -> None:
        self._log.keep(None, ready.drop)
        if ready.damaged:
            _log.error(
                "%d writes of the neighbours' log are damaged and were skipped (numbers %s%s); what they made is gone, the rest is there",
                len(ready.damaged),
                ", ".join(map(str, ready.damaged[:_SHOWN])),
                " ..." if len(ready.damaged) > _SHOWN else "",
            )
        if ready.different:
            _log.warning(
                "%d writes of the neighbours' log answered otherwise than at first, e.g. %s",
                len(ready.different),
                "; ".join(ready.different[:_SHOWN]),
            )
        if ready.replayed:
            print(f"  neighbours: {ready.replayed} writes replayed in {ready.seconds:.2f} s", file=sys.stderr, flush=True)  # noqa: T201
        if self._starting is not None and not self._starting.done():
            self._starting.set_result(None)

    # Its life --------------------------------------------------------------------------------------------------------------------------

    async def _started(self) -> None:
        while True:
            if self._closed:
                raise errors.internal_failure()
            if self._starting is None:
                self._starting = asyncio.get_running_loop().create_future()
                self._group.start(self._live(self._starting), "neighbours")
            await asyncio.shield(self._starting)
            if self._process is not None:
                return

    async def _live(self, started: asyncio.Future[None]) -> None:
        """One life of the child."""
        process: asyncio.subprocess.Process | None = None
        try:
            await self._database.committed()
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "hinoban.engine.neighbours.child"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=child_environment(os.environ, self._key_file.parent),
                start_new_session=True,
            )
            if self._starting is not started:
                process.kill()
                return
            self._process = process
            self.starts += 1
            assert process.stdin is not None
            reading = self._group.start(self._read(process), "neighbours' answers")
            with contextlib.suppress(ConnectionError):
                process.stdin.write(wire.frame(wire.Settings(str(self._key_file))))
                for page in self._log.pages():
                    process.stdin.write(wire.frame(wire.Entries(page)))
                    await process.stdin.drain()
                process.stdin.write(wire.frame(wire.Begin(self._log.last())))
            await reading
        finally:
            if not started.done():
                started.set_exception(errors.internal_failure())
                started.exception()
                if process is not None and process.returncode is None:
                    process.kill()
            if self._starting is started:
                self._starting = None

    def _failed(self, error: BaseException) -> None:
        _log.error("The neighbours cannot be reached", exc_info=error)


async def _end(process: asyncio.subprocess.Process | None) -> None:
    """Let the child read the end of its input; kill it where it does not go."""
    if process is None or process.returncode is not None:
        return
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), _LAST_WORDS)
    except TimeoutError:
        process.kill()
        await process.wait()


class _ChildDied(Exception):
    """The child ended before it answered."""


def child_environment(environ: Mapping[str, str], directory: Path) -> dict[str, str]:
    """The child's variables: nothing of AWS, moto or a proxy, and the same order of sets in every life."""
    strange = ("AWS_", "MOTO_", "TEST_", "S3_", "SF_", "INITIAL_NO_AUTH", "DEFAULT_CONTAINER_REGISTRY", "HTTP_PROXY", "HTTPS_PROXY")
    kept = {name: value for name, value in environ.items() if not name.upper().startswith(strange)}
    return kept | {
        "PYTHONHASHSEED": "0",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "MOTO_DISABLE_GLOBAL_CORS": "true",
        "MOTO_LAMBDA_DATA_DIR": str(directory / "lambda"),
    }
