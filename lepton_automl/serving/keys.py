"""Keys of callers: roles, rates, and the file that keeps them hashed.

Keys are 256 random bits, so the file keeps plain SHA-256: a slow hash such as scrypt protects secrets that can be guessed, and
nobody searches 2^256 keys. It would cost every request tens of milliseconds, and so help whoever wants to exhaust the server.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from lepton_automl._json import Value
from lepton_automl.errors import Complaints, ConfigError, did_you_mean, one_of
from lepton_automl.monitoring.ids import PredictionIds

from .rate_limit import TokenBucket

Role = Literal["predict", "feedback", "read", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
PREFIX = "lepton_"  # of a key, so that scanners for leaked secrets find it
LOCAL = "local"  # the id of callers without a key
FILE = "keys.json"
_SECRET = "secret"  # noqa: S105  # a file's name
_LONGEST_NAME = 100


@dataclass(frozen=True, kw_only=True)
class ApiKey(Value):
    """A key as it is kept; the key itself is not.

    Args:
        id: The first 12 digits of its hash, which name it.
        hash: SHA-256 of the key, in hexadecimal.
        name: Whom it was made for.
        roles: What its holder may do.
        rate: Requests per second that it may make in the long run; 0 for no limit.
        burst: Requests that it may make at once.
        created: Seconds since 1970.
    """

    id: str
    hash: str
    name: str
    roles: tuple[str, ...]
    rate: float = 0.0
    burst: int = 100
    created: float = 0.0


@dataclass(frozen=True)
class Caller:
    """Who asks, and what they may do.

    Args:
        id: The id of the key; `LOCAL` without one.
        name: The name of the key.
        roles: What the caller may do.
        bucket: How often.
    """

    id: str
    name: str
    roles: frozenset[str]
    bucket: TokenBucket = field(compare=False)


def local_caller() -> Caller:
    """A caller without a key on this machine: it may do everything but change what others get."""
    return Caller(LOCAL, "this machine, without a key", frozenset(ROLES) - {"admin"}, TokenBucket(0.0, 1))


class KeyFile:
    """The keys of a server, in a file that only its owner can read.

    Args:
        folder: The server's own folder; it is created when it is first written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / FILE

    def entries(self) -> list[ApiKey]:
        """All keys, in the order of their creation.

        Raises:
            ConfigError: The file cannot be read.
        """
        try:
            return [ApiKey.from_json(entry) for entry in json.loads(self.path.read_text(encoding="utf-8"))["keys"]]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            fix = "Restore it from a backup, or remove it and make new keys: lepton keys add NAME"
            raise ConfigError(f"the keys cannot be read: {error}", where=str(self.path), fix=fix) from error

    def add(self, name: str, roles: Sequence[str], *, rate: float = 0.0, burst: int = 100) -> str:
        """Make a key; it is returned once, and cannot be shown again.

        Args:
            name: Whom it is for.
            roles: Some of `ROLES`.
            rate: Requests per second in the long run; 0 for no limit.
            burst: Requests at once.

        Raises:
            ConfigError: The name is taken, a role is not known, or a limit is not a number above 0.
        """
        key = PREFIX + secrets.token_urlsafe(32)
        digest = hash_of(key)
        with self._changing() as keys:
            _check(name, roles, rate, burst, taken=[known.name for known in keys])
            ordered = tuple(role for role in ROLES if role in roles)
            keys.append(
                ApiKey(id=digest[:12], hash=digest, name=name, roles=ordered, rate=rate, burst=burst, created=time.time())
            )
        return key

    def remove(self, name: str) -> ApiKey:
        """Remove a key by its name or its id; a running server refuses it within seconds.

        Raises:
            ConfigError: There is no such key.
        """
        with self._changing() as keys:
            found = next((key for key in keys if name in {key.name, key.id}), None)
            if found is None:
                known = [key.name for key in keys]
                listed = f"Keys here: {', '.join(known)}.{did_you_mean(name, known)}" if known else "There are none."
                raise ConfigError(f"there is no key {name!r}", where=str(self.path), fix=listed)
            keys.remove(found)
        return found

    def prediction_ids(self) -> PredictionIds:
        """The ids of the server's predictions, by a secret beside the keys that is made at the first call."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return PredictionIds.open(self.folder / _SECRET)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[list[ApiKey]]:
        """The keys, which are written when the block ends without an error; other processes wait."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(self.folder / ".lock", "a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            keys = self.entries()
            yield keys
            content = json.dumps({"keys": [key.to_json() for key in keys]}, indent=1).encode()
            partial = self.path.with_name(f".{FILE}.{os.getpid()}")
            _write_private(partial, content)
            partial.replace(self.path)


class KeyRing:
    """The callers by the hashes of their keys, reloaded when the file changes.

    Args:
        file: The keys' file.
    """

    def __init__(self, file: KeyFile) -> None:
        self.file = file
        self._state: tuple[int, int, int] | None = None
        self._callers: dict[bytes, Caller] = {}
        self.refresh()

    def __len__(self) -> int:
        return len(self._callers)

    def refresh(self) -> None:
        """Read the file if it has changed; keys whose limits are the same keep what they have used.

        Raises:
            ConfigError: The file cannot be read; the keys stay as they were.
        """
        state = _state_of(self.file.path)
        if state == self._state:
            return
        known = {caller.id: caller for caller in self._callers.values()}
        self._callers = {bytes.fromhex(key.hash): _caller(key, known.get(key.id)) for key in self.file.entries()}
        self._state = state

    def caller(self, key: bytes) -> Caller | None:
        """Who has a key; None if nobody does.

        The lookup takes no secret-dependent path that helps an attacker: what is compared is the hash of what they sent.
        """
        return self._callers.get(hashlib.sha256(key).digest())


def hash_of(key: str) -> str:
    """SHA-256 of a key, in hexadecimal."""
    return hashlib.sha256(key.encode()).hexdigest()


def _caller(key: ApiKey, before: Caller | None) -> Caller:
    same = before is not None and (before.bucket.rate, before.bucket.burst) == (key.rate, float(key.burst))
    bucket = before.bucket if before is not None and same else TokenBucket(key.rate, key.burst)
    return Caller(key.id, key.name, frozenset(key.roles), bucket)


def _check(name: str, roles: Sequence[str], rate: Any, burst: Any, *, taken: Sequence[str]) -> None:
    complaints = Complaints("the key")
    complaints.check(name.isprintable() and 0 < len(name) <= _LONGEST_NAME, f"{name!r} cannot be its name", "Use a short word.")
    complaints.check(name not in taken, f"there is a key {name!r} already", f"Remove it first: lepton keys remove {name}")
    complaints.check(roles, "it has no role", one_of("", ROLES))
    for role in roles:
        complaints.check(role in ROLES, f"{role!r} is not a role", one_of(role, ROLES))
    complaints.check(isinstance(rate, int | float) and 0 <= rate < float("inf"), f"rate is {rate!r}; it must be 0 or more")
    complaints.check(isinstance(burst, int) and burst >= 1, f"burst is {burst!r}; it must be an integer from 1")
    complaints.raise_any()


def _state_of(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _write_private(path: Path, content: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(file, "wb") as writer:
        writer.write(content)
        writer.flush()
        os.fsync(writer.fileno())
