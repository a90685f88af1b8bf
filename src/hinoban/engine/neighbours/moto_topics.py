"""moto's topics, told to tell: mails and HTTP messages are collected for whoever sends them, all signed with one key.

Child only (docs/decisions/0012). Messages to queues stay moto's own business, but for a queue that is gone.
"""

import logging
from typing import Any

import msgspec

from hinoban.engine.neighbours.keys import Keys
from hinoban.engine.neighbours.outgoing import Outgoing
from hinoban.engine.neighbours.patch import put
from hinoban.engine.neighbours.wire import Mail

_log = logging.getLogger(__name__)
# What SNS calls a mail without a subject (facts/cloudtrail_sns_lambda.md §2.2).
NO_SUBJECT = "AWS Notification Message"
_ENVELOPE = ("Type", "MessageId", "SequenceNumber", "TopicArn", "Subject", "Message", "Timestamp", "SignatureVersion", "Signature",
             "SigningCertURL", "UnsubscribeURL", "MessageAttributes")  # fmt: skip


class Topics:
    """What is changed in moto's SNS."""

    def __init__(self, keys: Keys, outgoing: Outgoing) -> None:
        self._keys = keys
        self._outgoing = outgoing
        self._key: Any = None

    def install(self) -> None:
        """Put ours before moto's."""
        from moto.sns import models
        from moto.sqs.exceptions import QueueDoesNotExist

        publish, set_attribute = models.Subscription.publish, models.SNSBackend.set_subscription_attributes

        def publish_ours(this: Any, message: str, message_id: str, **named: Any) -> None:
            if this.protocol in ("http", "https", "email", "email-json"):
                self._collect(this, message, message_id, **named)
                return
            try:
                publish(this, message, message_id, **named)
            except QueueDoesNotExist:
                # On AWS the publisher never hears what becomes of a message ("Amazon SNS message delivery retries").
                _log.warning("%s is subscribed to %s and does not exist; its message is lost", this.endpoint, this.topic.arn)

        def set_subscription_attributes(this: Any, arn: str, name: str, value: Any) -> None:
            # moto takes every text for true.
            set_attribute(this, arn, name, value == "true" if name == "RawMessageDelivery" and isinstance(value, str) else value)

        page = models.SNSBackend.list_subscriptions_by_topic

        def list_subscriptions_by_topic(this: Any, topic_arn: str, **named: Any) -> Any:
            if "next_token" in named:
                return page(this, topic_arn, **named)
            # moto's Publish asks for the first page, and forgets everybody on the second.
            return this._get_topic_subscriptions(this.get_topic(topic_arn)), None

        put(models.SNSBackend, "list_subscriptions_by_topic", list_subscriptions_by_topic)
        put(models.Subscription, "publish", publish_ours)
        put(models.SNSBackend, "set_subscription_attributes", set_subscription_attributes)
        # moto makes one for each subscription and life.
        put(models.Subscription, "private_key", lambda this: self._signing_key())

    def _collect(
        self,
        subscription: Any,
        message: str,
        message_id: str,
        *,
        subject: str | None = None,
        message_attributes: dict[str, Any] | None = None,
        message_structure: str | None = None,
        **other: Any,
    ) -> None:
        """What moto would not send, or not as SNS does (facts/cloudtrail_sns_lambda.md §2.2)."""
        matcher = subscription._filter_policy_matcher
        if matcher is not None and not matcher.matches(message_attributes, message):
            return
        if message_structure == "json":
            message = subscription._parse_message_structure(message, subscription.protocol)
        topic = subscription.topic.arn
        if subscription.protocol == "email":
            # Differs from AWS: an e-mail subscription counts as confirmed at once, and the mail's foot names the call that ends it, no link.
            foot = f"\n\n--\nTo stop: aws sns unsubscribe --subscription-arn {subscription.arn}\n"
            self._outgoing.mail(Mail(topic, subscription.endpoint, subject or NO_SUBJECT, message + foot))
            return
        made = subscription.get_post_data(message, message_id, subject, message_attributes)
        envelope = {name: made[name] for name in _ENVELOPE if name in made}
        if subscription.protocol == "email-json":
            body = msgspec.json.encode(envelope).decode()
            self._outgoing.mail(Mail(topic, subscription.endpoint, subject or NO_SUBJECT, body))
            return
        raw = str(subscription.attributes.get("RawMessageDelivery")).lower() == "true"
        self._outgoing.post(subscription.endpoint, envelope, subscription=subscription.arn, raw=raw)

    def _signing_key(self) -> Any:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        if self._key is None:
            if not self._keys.signing_key:
                fresh = rsa.generate_private_key(public_exponent=65537, key_size=2048)
                form = (serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
                self._keys.keep_signing_key(fresh.private_bytes(*form))
            self._key = serialization.load_der_private_key(self._keys.signing_key, password=None)
        return self._key
