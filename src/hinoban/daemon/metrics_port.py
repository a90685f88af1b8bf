"""The port on which Prometheus reads the measures: 127.0.0.1, no signature, `GET /metrics` and nothing else (docs/decisions/0019)."""

import logging
import socket
from collections.abc import Coroutine
from typing import Any

import uvicorn

from hinoban.daemon.serving import Server
from hinoban.watch.service import Watch
from hinoban.web import metrics

log = logging.getLogger(__name__)


def metrics_server(port: int | None, watch: Watch) -> Coroutine[Any, Any, None] | None:
    """What serves the measures; None where no port was given, or somebody else has it: the watch goes on without."""
    if port is None:
        return None
    try:
        listening = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        log.error("No measures on 127.0.0.1:%s: %s. Give another watch.metrics_port.", port, error.strerror)
        return None
    app = metrics.serving(lambda: metrics.exposition(watch.measures()))
    config = uvicorn.Config(app, loop="none", lifespan="off", access_log=False, log_level="warning", ws="none")
    return Server(config).serve(sockets=[listening])
