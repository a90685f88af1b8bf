"""Notifications: collected while a write runs, sent only when told."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from hinoban.engine.neighbours.outgoing import Outgoing


def test_a_notification_is_posted_once_told_and_tried_again() -> None:
    heard: list[tuple[str, str, dict[str, str]]] = []
    done = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            heard.append((self.path, self.headers["x-amz-sns-message-type"], body))
            self.send_response(500 if len(heard) == 1 else 200)
            self.end_headers()
            if len(heard) == 2:
                done.set()

        def log_message(self, *said: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    outgoing = Outgoing()
    outgoing.post(f"http://127.0.0.1:{server.server_port}/a?b=c", {"Type": "Notification", "Message": "m"}, {"content-type": "text/plain"})
    collected = outgoing.take()
    assert (len(collected), outgoing.take(), heard) == (1, [], [])
    outgoing.deliver(collected)
    assert done.wait(20)
    server.shutdown()
    server.server_close()
    assert heard == [("/a?b=c", "Notification", {"Type": "Notification", "Message": "m"})] * 2
