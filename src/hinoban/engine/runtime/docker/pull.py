"""Images on this machine: which are here, pulling those that are not, and a failed pull in AWS's words."""

import asyncio
from typing import Any

import msgspec
from aiodocker import DockerError

from hinoban.base.clock import Clock
from hinoban.base.supervise import Group
from hinoban.engine.runtime.docker.client import DockerApi
from hinoban.engine.runtime.docker.report import image_digest

NOT_FOUND = 404
BAD_NAME = 400
IN_PULL = "CannotPullContainerError: context canceled"
MISSING = "missing"
ALWAYS = "always"
_MARKS_MISSING = ("manifest unknown", "not found", "no such image", "manifest for ", "name unknown")
_MARKS_DENIED = ("pull access denied", "requested access to the resource is denied", "unauthorized", "no basic auth credentials")
_DEFAULT_REGISTRY = "docker.io"
_KNOWN = 1000


Pulled = tuple[float, float] | None
"""When an image was pulled for the container that asked; None: it was here."""


class PullError(Exception):
    """The image could not be had; `reason` is ECS's, `pulled` when it was tried."""

    def __init__(self, reason: str, pulled: tuple[float, float]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.pulled = pulled


def split_reference(image: str) -> tuple[str, str]:
    """`fromImage` and `tag` of the Docker API: a digest stays with the name, a name without a tag means `latest`. PURE."""
    if "@" in image:
        return image, ""
    name, colon, tag = image.rpartition(":")
    if not colon or "/" in tag:
        return image, "latest"
    return name, tag


def full_reference(image: str) -> str:
    """The image as containerd, and so Fargate, spells it: with registry, `library/` and tag. PURE."""
    name, tag = split_reference(image)
    first, slash, _ = name.partition("/")
    if not slash:
        name = f"{_DEFAULT_REGISTRY}/library/{name}"
    elif "." not in first and ":" not in first and first != "localhost":
        name = f"{_DEFAULT_REGISTRY}/{name}"
    return f"{name}:{tag}" if tag else name


def pull_reason(image: str, message: str) -> str:
    """ECS's CannotPullContainerError for what Docker said (facts/ecs.md §2.3): AWS's text by kind, Docker's own words otherwise. PURE."""
    said = message.strip()
    low = said.lower()
    reference = full_reference(image)
    resolving = f"CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {reference}: "
    if "toomanyrequests" in low or "429 too many requests" in low:
        return f"CannotPullContainerError: ref pull has been retried 1 time(s): failed to copy: httpReadSeeker: failed open: {said}"
    if "no matching manifest" in low or "does not match the specified platform" in low:
        return f"CannotPullContainerError: image Manifest does not contain descriptor matching platform: {said}"
    if any(mark in low for mark in _MARKS_DENIED):
        words = "pull access denied, repository does not exist or may require authorization: server message: "
        return f"{resolving}{words}insufficient_scope: authorization failed"
    if "no such host" in low or "dial " in low or "timeout" in low or "request canceled" in low or "connection refused" in low:
        return f"{resolving}failed to do request: {said}"
    if any(mark in low for mark in _MARKS_MISSING):
        return f"{resolving}{reference}: not found"
    return f"CannotPullContainerError: {said}"


class Images:
    """What images are here; one pull of an image serves all who wait for it. Raises Unreachable where Docker does not answer."""

    def __init__(self, api: DockerApi, clock: Clock, group: Group, policy: str) -> None:
        self._api = api
        self._clock = clock
        self._group = group
        self._policy = policy
        self._known: dict[str, str] = {}
        self._pulls: dict[str, asyncio.Task[str | BaseException | None]] = {}

    async def ensure(self, image: str, stopping: asyncio.Future[None] | None = None) -> Pulled:
        """Have the image here, pulled if the policy asks for it. Raises PullError, also when `stopping` comes before the pull's end."""
        if self._policy != ALWAYS and await self._digest(image) is not None:
            return None
        begun = self._clock.now()
        pull = self._pull(image)
        # Waited for without ending it: a container that is stopped meanwhile does not end the pull of the others.
        waited: set[asyncio.Future[Any]] = {pull} if stopping is None else {pull, stopping}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        pulled = (begun, self._clock.now())
        if not pull.done():
            raise PullError(IN_PULL, pulled)
        trouble = pull.result()
        if isinstance(trouble, BaseException):
            raise trouble
        if trouble is not None:
            raise PullError(pull_reason(image, trouble), pulled)
        if await self._digest(image) is None:
            raise PullError(pull_reason(image, "not found after the pull"), pulled)
        return pulled

    async def digest_by_id(self, image_id: str) -> str | None:
        """The registry's digest of the image that a container was made from; None where it is gone.

        Never asked by name: somebody may have built another image of that name meanwhile.
        """
        return await self._digest(image_id)

    def forget(self, image: str) -> None:
        """What was known of the image is no longer true: someone removed it."""
        self._known.pop(image, None)

    async def _digest(self, image: str) -> str | None:
        if (known := self._known.get(image)) is not None:
            return known
        try:
            inspected = await self._api.call("GET", f"images/{image}/json")
        except DockerError as error:
            # 400: a name that Docker cannot read as an image's; the pull tells it in Docker's words.
            if error.status in (NOT_FOUND, BAD_NAME):
                return None
            raise
        if len(self._known) >= _KNOWN:
            self._known.clear()
        self._known[image] = digest = image_digest(inspected)
        return digest

    def _pull(self, image: str) -> asyncio.Task[str | BaseException | None]:
        """The one pull of an image: None when it came, Docker's words when it was refused, the exception when Docker did not answer."""
        if (running := self._pulls.get(image)) is None:
            running = self._group.start(self._fetch(image), f"pull {image}")
            self._pulls[image] = running
        return running

    async def _fetch(self, image: str) -> str | BaseException | None:
        name, tag = split_reference(image)
        self.forget(image)
        try:
            async with self._api.stream("POST", "images/create", {"fromImage": name, "tag": tag}) as answer:
                return await _progress_error(answer.content)
        except DockerError as error:
            return str(error.message)
        except Exception as error:
            return error
        finally:
            del self._pulls[image]


async def _progress_error(lines: Any) -> str | None:
    """The error in a stream of progress messages, if there is one."""
    found = None
    async for line in lines:
        if line.strip() and "error" in (message := msgspec.json.decode(line)):
            found = str((message.get("errorDetail") or {}).get("message") or message["error"])
    return found
