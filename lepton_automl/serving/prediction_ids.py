"""Ids of predictions: unguessable, and valid only for the caller that received them."""

from __future__ import annotations

import base64
import binascii
import os
import time
from hashlib import blake2b
from hmac import compare_digest

SECRET_BYTES = 32
_TIME, _RANDOM, _MAC = 6, 11, 16  # bytes: milliseconds since 1970, random bits, authentication code
_LENGTH = 4 * (_TIME + _RANDOM + _MAC) // 3  # characters of base64, without padding
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_FEW_MS = 5_000  # a clock that was set back by less is no reason to refuse an id


class PredictionIds:
    """Issues ids and checks them; nothing is stored.

    An id is a time, 88 random bits, and an authentication code of both under a key that is derived from the secret and the
    caller. So it cannot be guessed, another caller cannot use it, and its age is known without looking it up. The code is keyed
    BLAKE2b (RFC 7693), as HMAC-SHA-256 by OpenSSL cost a request 11 microseconds more, most of them in the processor's caches.

    Args:
        secret: 32 random bytes; ids stay valid for as long as it is kept.
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) < SECRET_BYTES:
            raise ValueError(f"the secret has {len(secret)} bytes; it needs {SECRET_BYTES}")
        self._secret = secret
        self._keys: dict[str, bytes] = {}

    def issue(self, caller: str) -> str:
        """A new id for an answer to a caller, 44 characters of URL-safe base64.

        Args:
            caller: The id of the caller's key.
        """
        core = int(time.time() * 1000).to_bytes(_TIME, "big") + os.urandom(_RANDOM)
        return binascii.b2a_base64(core + self._mac(caller, core), newline=False).translate(_URL_SAFE).decode()

    def issued_at(self, prediction_id: object, caller: str) -> float | None:
        """When an id was issued to a caller, in seconds since 1970; None if it was not issued, or to another caller.

        Args:
            prediction_id: What the caller sent.
            caller: The id of the caller's key.
        """
        if not isinstance(prediction_id, str) or len(prediction_id) != _LENGTH or not prediction_id.isascii():
            return None
        try:
            content = base64.b64decode(prediction_id, altchars=b"-_", validate=True)
        except ValueError:
            return None
        core, mac = content[:-_MAC], content[-_MAC:]
        if not compare_digest(mac, self._mac(caller, core)):
            return None
        milliseconds = int.from_bytes(core[:_TIME], "big")
        return milliseconds / 1000 if milliseconds <= time.time() * 1000 + _FEW_MS else None

    def _mac(self, caller: str, core: bytes) -> bytes:
        key = self._keys.get(caller)
        if key is None:
            if len(self._keys) >= 10_000:  # keys that were removed meanwhile
                self._keys.clear()
            key = self._keys[caller] = blake2b(caller.encode(), key=self._secret[:SECRET_BYTES]).digest()
        return blake2b(core, key=key, digest_size=_MAC).digest()
