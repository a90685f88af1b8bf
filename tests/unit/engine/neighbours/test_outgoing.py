"""Notifications: collected while a write runs, sent only when told."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from hinoban.engine.neighbours.outgoing import Outgoing
from hinoban.engine.neighbours.wire import Mail


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
    envelope = {"Type": "Notification", "MessageId": "i", "TopicArn": "t", "Message": "m"}
    outgoing.post(f"http://127.0.0.1:{server.server_port}/a?b=c", envelope, subscription="t:s", raw=False)
    outgoing.mail(Mail("t", "a@example.com", "s", "b"))
    collected, mails = outgoing.take()
    assert (len(collected), len(mails), outgoing.take(), heard) == (1, 1, ([], []), [])
    outgoing.deliver(collected)
    assert done.wait(20)
    server.shutdown()
    server.server_close()
    assert heard == [("/a?b=c", "Notification", envelope)] * 2


def test_a_raw_notification_is_the_message_alone_and_says_so() -> None:
    outgoing = Outgoing()
    outgoing.post(
        "http://127.0.0.1:1/", {"Type": "Notification", "MessageId": "i", "TopicArn": "t", "Message": "ü"}, subscription="t:s", raw=True
    )
    ((one,), _) = outgoing.take()
    assert one.body == "ü".encode()
    assert (one.headers["x-amz-sns-rawdelivery"], one.headers["x-amz-sns-subscription-arn"]) == ("true", "t:s")
