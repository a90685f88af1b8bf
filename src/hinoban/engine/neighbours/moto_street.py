"""moto, made to live on our street: its application called in this process, its time and dice ours, its queues told to the ledger.

Child only. What is changed in moto is changed here and nowhere else, each with its reason (docs/decisions/0012).
"""

import functools
import io
import logging
from typing import Any
from urllib.parse import unquote_to_bytes

from msgspec import Struct, structs

from hinoban.engine.neighbours import translate
from hinoban.engine.neighbours.keys import Keys
from hinoban.engine.neighbours.ledger import Ledger
from hinoban.engine.neighbours.moto_queues import Queues
from hinoban.engine.neighbours.moto_topics import Topics
from hinoban.engine.neighbours.outgoing import Outgoing
from hinoban.engine.neighbours.patch import put
from hinoban.engine.neighbours.replayable import Replayable
from hinoban.engine.neighbours.wire import OURS

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "server", "date", "te", "trailer", "upgrade"})

_log = logging.getLogger(__name__)


class UnknownService(Exception):
    """moto does not have the service."""


class OurService(Exception):
    """The request would reach moto's twin of a service of ours."""


class Request(Struct, frozen=True, array_like=True):
    """What a request is to moto; `headers` hold what moto reads, nothing of the signature."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    client: str
    account: str
    region: str
    service: str
    access_key_id: str


class Street:
    """moto's services in this process."""

    def __init__(self, keys: Keys, replayable: Replayable, ledger: Ledger, outgoing: Outgoing) -> None:
        self._keys = keys
        self._replayable = replayable
        self._ledger = ledger
        from moto.core import responses
        from moto.core.config import default_user_config
        from moto.core.utils import method_names_from_class
        from moto.moto_api._internal import mock_random
        from moto.moto_server import werkzeug_app

        replayable.seeds(mock_random)
        # A function or a batch job is stored, never run: containers are our engine's business.
        default_user_config["lambda"]["use_docker"] = False
        default_user_config["batch"]["use_docker"] = False
        # AmazonECSTaskExecutionRolePolicy and its like can be attached, as on AWS.
        default_user_config["iam"]["load_aws_managed_policies"] = True
        # moto looks through a class's members at every call: a tenth of a write's time.
        put(responses, "method_names_from_class", functools.cache(method_names_from_class))
        self._make_app: Any = werkzeug_app.create_backend_app
        self._dispatcher = werkzeug_app.DomainDispatcherApplication(werkzeug_app.create_backend_app)
        self._apps: dict[str, Any] = {}
        self._backends: dict[str, str] = {}
        self._own_backends()
        self._queues = Queues(ledger, replayable)
        self._queues.install()
        Topics(keys, outgoing).install()

    def call(self, request: Request) -> tuple[int, list[tuple[str, str]], bytes]:
        """Status, headers and body of moto's answer."""
        self._queues.waits = 0.0
        if not translate.speaks_cbor(request.headers, request.path):
            return self._call(request)
        headers, body = translate.as_json(request.path, request.headers, request.body)
        status, answered, body = self._call(structs.replace(request, path="/", headers=headers, body=body))
        return status, *translate.as_cbor(self._service(request), request.path, status, answered, body)

    def _call(self, request: Request) -> tuple[int, list[tuple[str, str]], bytes]:
        environ = _environ(request)
        app = self._app(environ)
        status, headers = 500, []

        def start_response(line: str, found: list[tuple[str, str]], problem: Any = None) -> None:
            nonlocal status, headers
            status, headers = int(line.split(" ", 1)[0]), found

        answer = app(environ, start_response)
        try:
            body = b"".join(answer)
        finally:
            if hasattr(answer, "close"):
                answer.close()
        kept = [(name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP]
        if request.method != "HEAD" and status not in (204, 304):
            kept = [(name, value) for name, value in kept if name.lower() != "content-length"]
            kept.append(("content-length", str(len(body))))
        return status, kept, body

    @property
    def waits(self) -> float:
        """For how many seconds the last call would have waited for messages, there being none: negative if it would not wait, 0 if it was no
        receive or got something."""
        return self._queues.waits

    def secret_of(self, access_key_id: str, account: str) -> tuple[str, str, str, str] | None:
        """Secret, owner's ARN, kind and session token of a key that IAM or STS made and that still is good."""
        from moto.core.utils import utcnow
        from moto.iam.models import iam_backends
        from moto.sts.models import sts_backends

        for user in iam_backends[account]["aws"].users.values():
            for key in user.access_keys:
                if key.access_key_id == access_key_id and key.status == "Active":
                    return key.secret_access_key, user.arn, "IAMUser", ""
        for role in sts_backends[account]["aws"].assumed_roles:
            if role.access_key_id == access_key_id and role.expiration > utcnow():
                return role.secret_access_key, role.arn, "AssumedRole", role.session_token
        return None

    def _app(self, environ: dict[str, Any]) -> Any:
        """The application of the service that the request's credential scope names; never moto's own control API."""
        backend = self._backend(environ)
        if backend in OURS:
            raise OurService(backend)
        app = self._apps.get(backend)
        if app is None:
            app = self._apps[backend] = self._make_app(backend)
        return app

    def _backend(self, environ: dict[str, Any]) -> str:
        """moto's (and mostly botocore's) name of the service."""
        host = self._dispatcher.infer_service_region_host(environ, environ["PATH_INFO"]) or "s3.us-east-1.amazonaws.com"
        known = self._backends.get(host)
        if known is None:
            found = self._dispatcher.get_backend_for_host(host)
            if not found or found in ("moto_api", "instance_metadata"):
                raise UnknownService(host)
            known = self._backends[host] = str(found)
        return known

    def _service(self, request: Request) -> str:
        return self._backend(_environ(request))

    def _own_backends(self) -> None:
        """A region of a service is made when first asked for, be it by a read that nobody logs: what it comes with (a default VPC, say) has
        the dice of its name and the moment of the state directory."""
        from moto.core.base_backend import AccountSpecificBackend
        from moto.core.common_models import BaseModel

        make = AccountSpecificBackend.__getitem__
        replayable, made = self._replayable, self._keys.made

        def get(this: Any, region: str) -> Any:
            if dict.__contains__(this, region):
                return dict.__getitem__(this, region)
            with replayable.aside(f"backend/{this.service_name}/{this.account_id}/{region}", made):
                return make(this, region)

        def untracked(cls: Any, *given: Any, **named: Any) -> Any:
            return object.__new__(cls)

        put(AccountSpecificBackend, "__getitem__", get)
        # moto keeps every object it ever made for its dashboard; a daemon lives too long for that.
        put(BaseModel, "__new__", untracked)


def _environ(request: Request) -> dict[str, Any]:
    """The request as WSGI has it. The signature is checked already: moto reads only its scope, which is made anew."""
    headers = dict(request.headers)
    host = headers.get("host", "localhost")
    name, _, port = host.partition(":")
    raw = request.path + (f"?{request.query}" if request.query else "")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.path.encode("latin-1")).decode("latin-1"),
        "QUERY_STRING": request.query,
        "RAW_URI": raw,
        "REQUEST_URI": raw,
        "SERVER_NAME": name,
        "SERVER_PORT": port or "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": request.client,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "CONTENT_LENGTH": str(len(request.body)),
        "HTTP_X_MOTO_ACCOUNT_ID": request.account,
    }
    if request.service:
        scope = f"{request.access_key_id or 'none'}/20000101/{request.region}/{request.service}/aws4_request"
        environ["HTTP_AUTHORIZATION"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
    spelled: dict[str, str] = {}
    for header, value in headers.items():
        key = header.upper().replace("-", "_")
        if key == "CONTENT_TYPE":
            environ[key] = value
            continue
        key = f"HTTP_{key}"
        if "_" in header:
            # Names of S3's metadata may hold underscores, which WSGI cannot tell from dashes.
            if not header.startswith("x-amz-meta-"):
                continue
            spelled[key] = header
        environ.setdefault(key, value)
    environ["moto.preserved_header_names"] = spelled
    return environ
