"""Answers that refuse a request: JSON that says what is wrong, where, and what to do."""

from __future__ import annotations

import json
from http import HTTPStatus

from lepton_automl.errors import LeptonError

LONGEST = 1000  # characters of a message


class RefusalError(Exception):
    """A request that is not answered as asked.

    Args:
        status: The HTTP status.
        what: What is wrong, in one sentence.
        where: The part of the request that it is about.
        fix: What the client should do.
        retry_after: Seconds after which the same request may succeed; 0 if it never will.
    """

    def __init__(self, status: int, what: str, *, where: str = "", fix: str = "", retry_after: float = 0.0) -> None:
        super().__init__(what)
        self.status, self.what, self.where, self.fix, self.retry_after = status, what, where, fix, retry_after

    def body(self) -> bytes:
        """The JSON; it has the keys that clients of MLflow (`message`) and of the Open Inference Protocol (`error`) read."""
        head = f"{self.where}: {self.what}" if self.where else self.what
        end = "" if head.endswith((".", "!", "?")) else "."
        message = f"{head}{end} {self.fix}".rstrip()[:LONGEST]
        phrase = HTTPStatus(self.status).name
        content = {"error": message, "error_code": phrase, "message": message, "where": self.where, "fix": self.fix}
        return json.dumps(content).encode()

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Headers that belong to the refusal."""
        found = []
        if self.retry_after:
            found.append((b"retry-after", str(max(1, round(self.retry_after))).encode()))
        if self.status == HTTPStatus.UNAUTHORIZED:
            found.append((b"www-authenticate", b"Bearer"))
        return found


def refusal_of(error: Exception, where: str) -> RefusalError | None:
    """The refusal for an error that the client's input caused; None if the server is at fault.

    Args:
        error: What was raised while a request was handled.
        where: The part of the request.
    """
    if isinstance(error, RefusalError):
        return error
    if isinstance(error, LeptonError) and isinstance(error, ValueError):
        return RefusalError(400, error.what, where=error.where or where, fix=error.fix)
    if isinstance(error, ValueError | TypeError | OverflowError):
        return RefusalError(400, str(error)[:LONGEST] or "the input does not fit the model", where=where)
    return None
