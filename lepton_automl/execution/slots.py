"""Slots: one for each core, shared by all studies of a user on a machine, whatever their homes.

A slot is a file that its study keeps locked, so that it is free once the process dies. A suspended study is detected by its
missing heartbeat, and its slots are taken over. Each study writes how many slots it wants into a file of its own, and
computes with `shares` how many it may have: all studies get the same result.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from lepton_automl.locks import Heartbeats, is_current, lock_folder, open_lock, take_over, try_lock

from .capacity import cores

TURN = 60.0  # seconds that a study keeps its only slot, if there are more studies than cores
EVERY = 0.5  # seconds between reads of the other studies' files
ROOM = 1024  # bytes of a study's file


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a study wants and has.

    Args:
        token: Identifies the claim uniquely.
        name: The name of the study, for messages.
        where: Its home, for messages.
        want: Slots that it could use now.
        have: Slots that it holds.
        since: When it last began or ceased to hold slots, or to want some; seconds since the epoch.
    """

    token: str
    name: str = ""
    where: str = ""
    want: int = 0
    have: int = 0
    since: float = 0.0


def shares(slots: int, claims: Sequence[Claim], now: float) -> dict[str, int]:
    """How many slots each study may have; those that want none are left out.

    If there is one for each, all get the same number, but no more than they want. If there are more studies than slots, they
    take turns: a study whose turn is over gives way to the one that has waited longest.

    Args:
        slots: Number of slots.
        claims: The claims of all studies.
        now: Seconds since the epoch.
    """

    def rank(claim: Claim) -> tuple[int, float, str]:
        if not claim.have:
            return 1, claim.since, claim.token
        over = now - claim.since > TURN
        return (2, -claim.since, claim.token) if over else (0, claim.since, claim.token)

    order = sorted((claim for claim in claims if claim.want > 0), key=rank)
    counts = dict.fromkeys((claim.token for claim in order), 0)
    for _ in range(slots):
        wanting = [claim for claim in order if counts[claim.token] < claim.want]
        if not wanting:
            break
        counts[min(wanting, key=lambda claim: counts[claim.token]).token] += 1
    return counts


def behind(me: Claim, claims: Sequence[Claim]) -> str:
    """A message about what a study without a slot waits for."""
    wanting = [claim for claim in claims if claim.want and claim.token != me.token]
    ahead = [claim for claim in wanting if claim.have] or wanting  # one whose turn has come takes its slot soon
    held = ", ".join(sorted({f"{other.name!r}{f' in {other.where}' if other.where != me.where else ''}" for other in ahead}))
    return f"waiting for a free core, behind {held or 'another process'}; not counted against the budget"


class Slots:
    """A study's slots. All methods are called from one thread, `tick` several times a second.

    Args:
        name: The study's name, which waiting studies show.
        where: Its home.
        folder: The folder of locks; by default the user's.
        slots: How many slots the machine has; by default its cores.
        stale: Seconds without a heartbeat after which others take over a study's slots.
    """

    def __init__(
        self, name: str, where: str = "", *, folder: Path | None = None, slots: int | None = None, stale: float | None = None
    ) -> None:
        self._folder = folder or lock_folder()
        self._slots = slots or cores()
        self._watch = Heartbeats() if stale is None else Heartbeats(stale)
        self._held: dict[Path, int] = {}
        self._me = Claim(token=uuid.uuid4().hex, name=name, where=where, since=time.time())
        self._path = self._folder / f"study-{self._me.token}"
        self._file = self._registered()
        self._looked, self._share, self._others = 0.0, 0, [self._me]

    @property
    def have(self) -> int:
        """Number of slots that are held now."""
        return len(self._held)

    @property
    def want(self) -> int:
        """Number of slots that could be used now."""
        return self._me.want

    @want.setter
    def want(self, number: int) -> None:
        if number != self._me.want:
            self._update_claim(want=number)
            self._looked = 0.0

    @property
    def behind(self) -> str:
        """What the study waits for; empty while it holds a slot or wants none."""
        return "" if self._held or not self._me.want else behind(self._me, self._others)

    def tick(self) -> int:
        """Send a heartbeat, and take free slots up to this study's share; returns the share.

        A study that holds more returns them with `release`, once the workers that use them are stopped.
        """
        now = time.monotonic()
        if now - self._looked < EVERY:
            return self._share
        self._looked = now
        self._touch_locks()
        self._others = [self._me, *self._claims()]
        self._share = shares(self._slots, self._others, time.time()).get(self._me.token, 0)
        for number in reversed(range(self._slots)):  # highest first: processes that see fewer cores use the low ones
            if self.have >= self._share:
                break
            self._take(self._folder / f"slot-{number:04d}")
        self._update_claim()
        return self._share

    def release(self, keep: int = 0) -> None:
        """Return all slots but `keep`."""
        for path in sorted(self._held)[: max(0, self.have - keep)]:
            os.close(self._held.pop(path))
        self._update_claim()

    def close(self) -> None:
        """Return all slots and remove the claim."""
        self.release()
        if self._file >= 0:
            with contextlib.suppress(OSError):
                self._path.unlink()
            os.close(self._file)
            self._file = -1

    # Files

    def _registered(self) -> int:
        """The study's own file, locked before other processes can see it."""
        hidden = self._folder / f"new-{self._me.token}"
        file = open_lock(hidden)
        try_lock(file)
        self._write(file)
        hidden.rename(self._path)
        return file

    def _write(self, file: int) -> None:
        text = json.dumps(asdict(self._me)).encode()
        if len(text) > ROOM:
            text = json.dumps(asdict(replace(self._me, name=self._me.name[:100], where="")), ensure_ascii=True).encode()[:ROOM]
        with contextlib.suppress(OSError):  # a full disk must not end a study; the heartbeat needs no space
            os.pwrite(file, text.ljust(ROOM), 0)

    def _update_claim(self, *, want: int | None = None) -> None:
        """Write what is wanted and held, if that has changed."""
        me = replace(self._me, have=self.have, want=self._me.want if want is None else want)
        if bool(me.have) != bool(self._me.have) or bool(me.want) != bool(self._me.want):
            me = replace(me, since=time.time())
        if me != self._me:
            self._me = me
            self._write(self._file)

    def _touch_locks(self) -> None:
        """Touch all held locks, and drop those that were taken over in the meantime."""
        for path, file in list(self._held.items()):
            if is_current(file, path):
                os.utime(file)
            else:
                os.close(self._held.pop(path))
        if is_current(self._file, self._path):
            os.utime(self._file)
        else:  # the folder was cleaned up
            os.close(self._file)
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = self._registered()

    def _claims(self) -> list[Claim]:
        """The claims of the other studies, without those that are dead or suspended."""
        claims = []
        for path in self._folder.glob("study-*"):
            if path == self._path:
                continue
            with contextlib.suppress(OSError, ValueError, TypeError):
                if _is_dead(path):
                    path.unlink()
                elif not self._watch.is_stale(path):
                    claims.append(Claim(**json.loads(path.read_bytes())))
        return claims

    def _take(self, path: Path) -> None:
        """Take a slot if it is free; if its holder is suspended, make it free for the next tick."""
        if path in self._held:
            return
        file = open_lock(path)
        if try_lock(file) and is_current(file, path):
            os.utime(file)
            self._held[path] = file
            return
        if self._watch.is_stale(path):
            take_over(path, os.fstat(file).st_ino)
            self._looked = 0.0  # check again at the next tick
        os.close(file)


def _is_dead(path: Path) -> bool:
    """Whether no process holds a study's file any more."""
    file = os.open(path, os.O_RDWR)
    try:
        return try_lock(file)
    finally:
        os.close(file)
