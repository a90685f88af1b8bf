"""moto's queues, told to tell: the ledger hears what happens to messages, and a receive never waits here but says how long it would.

Child only (docs/decisions/0012).
"""

from typing import Any

from hinoban.engine.neighbours.ledger import Ledger
from hinoban.engine.neighbours.patch import put
from hinoban.engine.neighbours.replayable import Replayable


class Queues:
    """What is changed in moto's SQS."""

    def __init__(self, ledger: Ledger, replayable: Replayable) -> None:
        self._ledger = ledger
        self._replayable = replayable
        self.waits = 0.0

    def install(self) -> None:
        """Put ours before moto's."""
        from moto.sqs import models

        ledger, now = self._ledger, self._replayable.now
        SQSBackend = models.SQSBackend
        send, receive, delete, change = (
            SQSBackend.send_message,
            SQSBackend.receive_message,
            SQSBackend.delete_message,
            SQSBackend.change_message_visibility,
        )

        def tied(queue: Any) -> None:
            # Order, duplicates and dead letters of these depend on messages that are gone.
            if queue.fifo_queue or queue.redrive_policy:
                ledger.pin()

        def send_message(this: Any, queue_name: str, *given: Any, **named: Any) -> Any:
            queue = this.get_queue(queue_name)
            # moto counts the whole queue whenever it asks for one attribute: 20 messages a second at 4,000 waiting.
            queue.BASE_ATTRIBUTES = ()
            try:
                message = send(this, queue_name, *given, **named)
            finally:
                del queue.BASE_ATTRIBUTES
            ledger.touch(message.id)
            tied(queue)
            return message

        def receive_message(this: Any, queue_name: str, count: int, wait_seconds_timeout: int, *given: Any, **named: Any) -> Any:
            queue = this.get_queue(queue_name)
            before = len(queue._messages)
            messages = receive(this, queue_name, count, 0, *given, **named)
            for message in messages:
                ledger.touch(message.id)
            tied(queue)
            if not messages and len(queue._messages) == before:
                self.waits = float(wait_seconds_timeout or 0) or -1.0
            return messages

        def delete_message(this: Any, queue_name: str, receipt_handle: str) -> None:
            queue = this.get_queue(queue_name)
            gone = [message.id for message in queue._messages if message.had_receipt_handle(receipt_handle)]
            delete(this, queue_name, receipt_handle)
            for message in gone:
                ledger.died(message)
            tied(queue)

        def change_message_visibility(this: Any, queue_name: str, receipt_handle: str, *given: Any, **named: Any) -> None:
            queue = this.get_queue(queue_name)
            change(this, queue_name, receipt_handle, *given, **named)
            for message in queue._messages:
                if message.had_receipt_handle(receipt_handle):
                    ledger.touch(message.id)
            tied(queue)

        put(SQSBackend, "send_message", send_message)
        put(SQSBackend, "receive_message", receive_message)
        put(SQSBackend, "delete_message", delete_message)
        put(SQSBackend, "change_message_visibility", change_message_visibility)
        # The same moment as moto's, without two datetimes for each message that is looked at.
        put(models, "unix_time_millis", lambda moment=None: now() * 1000.0)
