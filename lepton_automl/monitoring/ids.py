"""Prediction ids: they cannot be guessed, belong to one caller's key, and carry the time and the number of rows of the answer.

An id proves itself: nothing has to be remembered to refuse one that was made up, belongs to another key, or is too old. The signature
is keyed BLAKE2b (RFC 7693): HMAC-SHA-256 by OpenSSL cost a request 11 microseconds more, most of them in the processor's caches.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import secrets
import struct
from dataclasses import dataclass
from hashlib import blake2b
from hmac import compare_digest
from pathlib import Path

from lepton_automl.errors import ConfigError

from .errors import FeedbackError

HEADER = struct.Struct(">QI8s")  # milliseconds since 1970, rows, random bytes
SIGNATURE = 12  # bytes
SECRET = 32  # bytes
MOST_KEYS = 10_000  # signing keys that are kept
ROW = "."  # between an id and the number of a row of the answer


@dataclass(frozen=True)
class PredictionId:
    """What an id says.

    Args:
        at: When it was issued, in seconds since 1970.
        row: The number of the row in the answer, from 0.
        name: The row's id in its only form, as rows are logged: `"ID.ROW"`.
    """

    at: float
    row: int
    name: str


class PredictionIds:
    """Issues and checks prediction ids.

    Args:
        secret: What the ids are signed with, 32 random bytes; ids of other secrets are refused.

    Raises:
        ConfigError: The secret is shorter.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) < SECRET:
            fix = (
                f"Make one of {SECRET} random bytes, or remove the file that it is from; then ids that were issued are refused."
            )
            raise ConfigError(f"the secret of prediction ids has {len(secret)} bytes", where="PredictionIds", fix=fix)
        self._secret = secret
        self._keys: dict[str, bytes] = {}  # signing keys of callers

    @classmethod
    def open(cls, path: Path) -> PredictionIds:
        """The ids of the secret in a file, which is made if it is missing, readable by its owner only."""
        if not path.exists():
            partial = path.with_name(f".{path.name}.{os.getpid()}")
            file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(file, "wb") as opened:
                opened.write(secrets.token_bytes(SECRET))
                opened.flush()
                os.fsync(opened.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(partial, path)  # whole, or not at all: another process may be first, and read it at once
            partial.unlink()
        return cls(path.read_bytes())

    def issue(self, key: str, at: float, rows: int = 1) -> str:
        """A new id of an answer.

        Args:
            key: The name of the caller's key.
            at: The time in seconds since 1970.
            rows: The number of rows in the answer.
        """
        content = HEADER.pack(round(1000 * at), rows, os.urandom(8))
        return _text(content + self._signature(content, key))

    def rows(self, issued: str, rows: int) -> list[str]:
        """The ids of the rows of an answer, as they are logged."""
        return [f"{issued}{ROW}{row}" for row in range(rows)]

    def check(self, text: str, key: str) -> PredictionId:
        """What an id says, with or without the number of a row.

        Args:
            text: The id that a caller sent.
            key: The name of that caller's key.

        Raises:
            FeedbackError: It was not issued to this key, or the answer has no such row.
        """
        issued, _, number = str(text).partition(ROW)
        try:
            content = base64.b64decode(issued + "=" * (-len(issued) % 4), altchars=b"-_", validate=True)
            content *= _text(content) == issued  # an id has one form only: its last letter has bits that decoding ignores
        except (binascii.Error, ValueError):
            content = b""
        header, signature = content[: HEADER.size], content[HEADER.size :]
        if len(header) != HEADER.size or not compare_digest(signature, self._signature(header, key)):
            fix = "Send the id of an answer to the same key."
            raise FeedbackError("this prediction id was not issued to this key", where=str(text)[:60], fix=fix)
        milliseconds, rows, _ = HEADER.unpack(header)
        row = int(number) if number.isdecimal() and len(number) < 10 else 0 if not number and rows == 1 else -1
        if not 0 <= row < rows:
            fix = f"Send {issued}{ROW}0 for the first row, and so on."
            raise FeedbackError(
                f"the answer has {rows} rows, and the id does not name one of them", where=str(text)[:60], fix=fix
            )
        return PredictionId(at=milliseconds / 1000, row=row, name=f"{issued}{ROW}{row}")

    def _signature(self, content: bytes, key: str) -> bytes:
        known = self._keys.get(key)
        if known is None:
            if len(self._keys) >= MOST_KEYS:  # of keys that were removed meanwhile
                self._keys.clear()
            known = self._keys[key] = blake2b(key.encode(), key=self._secret[:SECRET]).digest()
        return blake2b(content, key=known, digest_size=SIGNATURE).digest()


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
