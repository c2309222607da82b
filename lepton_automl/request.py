"""What a worker process does besides trials: requests and their responses, which both ends identify by class name."""

from __future__ import annotations

from typing import Any

from ._json import Value

MESSAGES: dict[str, type[Value]] = {}  # every request and response by its class's name


class Message(Value):
    """Base of requests and responses; a subclass can be sent as soon as it is defined."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        MESSAGES[cls.__name__] = cls


class Request(Message):
    """Base of requests. What handles one is registered by its class in `pipelines.requests.HANDLERS`."""


class Response(Message):
    """Base of responses."""
