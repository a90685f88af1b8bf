"""The operations of EventBridge (service `events`)."""

from hinoban.engine.events.api.test_pattern import EventPatterns

__all__ = ["EventPatterns"]
