"""A standard queue of SQS on a fake clock: visibility, new handles at each receive, messages that come twice and in any order."""

from typing import Any

import httpx
import msgspec

from hinoban.aws.client import Client
from hinoban.base.clock import FakeClock

QUEUE = "https://sqs.ap-northeast-1.amazonaws.com/123456789012/hinoban-events"
REGION = "ap-northeast-1"


class FakeSqs:
    """`deleted` and `hidden` tell what the reader did; `down` makes every call fail, `keep` makes deletions fail for now."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.messages: dict[str, dict[str, Any]] = {}
        self.deleted: list[str] = []
        self.hidden: list[str] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.down = self.keep = False
        self._number = 0

    def send(self, body: str | bytes) -> str:
        self._number += 1
        message_id = f"m-{self._number}"
        text = body.decode() if isinstance(body, bytes) else body
        self.messages[message_id] = {"body": text, "visible_at": 0.0, "times": 0, "handle": ""}
        return message_id

    def client(self) -> Client:
        return Client("http://sqs.test", None, REGION, clock=self.clock, transport=httpx.MockTransport(self.answer))

    def answer(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("nobody listens", request=request)
        operation = request.headers["x-amz-target"].removeprefix("AmazonSQS.")
        params = msgspec.json.decode(request.content)
        assert params["QueueUrl"] == QUEUE
        self.calls.append((operation, params))
        return httpx.Response(200, content=msgspec.json.encode(getattr(self, operation)(params)))

    def ReceiveMessage(self, params: dict[str, Any]) -> dict[str, Any]:
        now, found = self.clock.now(), []
        for message_id, one in reversed(self.messages.items()):
            if one["visible_at"] <= now and len(found) < params["MaxNumberOfMessages"]:
                one["times"] += 1
                one["visible_at"] = now + params["VisibilityTimeout"]
                one["handle"] = f"{message_id}#{one['times']}"
                attributes = {"ApproximateReceiveCount": str(one["times"])}
                found.append({"MessageId": message_id, "ReceiptHandle": one["handle"], "Body": one["body"], "Attributes": attributes})
        return {"Messages": found} if found else {}

    def DeleteMessageBatch(self, params: dict[str, Any]) -> dict[str, Any]:
        assert 1 <= len(params["Entries"]) <= 10
        if self.keep:
            failed = [{"Id": one["Id"], "SenderFault": False, "Code": "InternalError"} for one in params["Entries"]]
            return {"Successful": [], "Failed": failed}
        for entry in params["Entries"]:
            message_id = entry["ReceiptHandle"].partition("#")[0]
            # An old handle: success, and the message stays (facts/cloudtrail_sns_lambda.md §5.2).
            if self.messages.get(message_id, {}).get("handle") == entry["ReceiptHandle"]:
                del self.messages[message_id]
                self.deleted.append(message_id)
        return {"Successful": [{"Id": one["Id"]} for one in params["Entries"]], "Failed": []}

    def ChangeMessageVisibilityBatch(self, params: dict[str, Any]) -> dict[str, Any]:
        assert 1 <= len(params["Entries"]) <= 10
        for entry in params["Entries"]:
            message_id = entry["ReceiptHandle"].partition("#")[0]
            self.messages[message_id]["visible_at"] = self.clock.now() + entry["VisibilityTimeout"]
            self.hidden.append(message_id)
        return {"Successful": [], "Failed": []}
