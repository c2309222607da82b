"""The models that are served: which versions are open, and which of them is the champion."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence

from lepton_automl.errors import Complaints, LeptonError, did_you_mean

from .limits import Limits
from .refusal import RefusalError
from .served_model import ServedModel
from .sources import NAME, ModelSource, Offer
from .worker import Worker

AGAIN = 10.0  # seconds until a version that could not be opened is tried again: it may have been half copied
OPEN = 4  # versions of one model that stay open: the champion and those asked for last
logger = logging.getLogger("lepton_automl.serving")


class Entry:
    """A model with its versions.

    Args:
        source: Where it comes from.
        limits: Of the server.
        threads: Threads that one call may use.

    Attributes:
        champion: The version that answers; replaced as a whole, so a request that has begun ends with the one it began with.
        offer: What the source offered last.
        problem: Why the source's champion is not served; empty if it is.
    """

    def __init__(self, source: ModelSource, limits: Limits, threads: int) -> None:
        self.source, self.limits, self.threads = source, limits, threads
        self.name = source.name
        self.champion: ServedModel | None = None
        self.offer = Offer("", {})
        self.problem = ""
        self.swapped_at = 0.0
        self.worker = Worker(self.name, limits.waiting)
        self._open: dict[str, ServedModel] = {}
        self._failed: tuple[str, str] | None = None
        self._next_try = 0.0
        self._lock = asyncio.Lock()

    async def refresh(self) -> bool:
        """Ask the source, and serve its champion if that is another one now; return whether it is.

        A version that cannot be opened is not served: the one before stays, and `problem` says why.

        Raises:
            LeptonError: Nothing is served yet, and the champion cannot be opened.
        """
        async with self._lock:
            try:
                offer = await asyncio.to_thread(self.source.poll)
            except (LeptonError, OSError) as error:
                return self._keep(error)
            before, self.offer = self.offer, offer
            wanted = (offer.champion, offer.digest)
            if wanted == self._failed:
                if time.monotonic() < self._next_try:
                    return False
            elif wanted == (before.champion, before.digest):
                self.problem = ""  # the source could not be read for a while
                return False
            if offer.digest != before.digest:
                self._open.pop(offer.champion, None)
            try:
                await self._promote(offer.champion)
            except (LeptonError, OSError) as error:
                self._failed, self._next_try = wanted, time.monotonic() + AGAIN
                return self._keep(error)
            self._failed, self.problem = None, ""
            return True

    def _keep(self, error: Exception) -> bool:
        """Keep what is served, and remember why nothing newer is."""
        if self.champion is None:
            raise error
        if str(error) != self.problem:
            logger.error("%s: version %s stays, as the next cannot be served: %s", self.name, self.champion.version, error)
        self.problem = str(error)
        return False

    async def promote(self, version: str) -> ServedModel:
        """Make a version the champion of this server, until its source names another one.

        Raises:
            RefusalError: There is no such version, or it cannot be opened.
        """
        async with self._lock:
            self._check(version)
            try:
                return await self._promote(version)
            except (LeptonError, OSError) as error:
                fix = "The version before stays. See the server's log."
                raise RefusalError(409, f"version {version} cannot be opened", where=self.name, fix=fix) from error

    async def _promote(self, version: str) -> ServedModel:
        model = await self._opened(version)
        self.champion, self.swapped_at = model, time.time()
        logger.info("%s: version %s answers now.", self.name, version)
        return model

    async def version(self, version: str) -> ServedModel:
        """A version by its number; it is opened if it is not open.

        Raises:
            RefusalError: There is no such version, or it cannot be opened.
        """
        champion = self.champion
        if champion is not None and champion.version == version:
            return champion
        model = self._open.get(version)
        if model is not None:
            return model
        async with self._lock:
            self._check(version)
            try:
                return await self._opened(version)
            except (LeptonError, OSError) as error:
                logger.error("%s: version %s cannot be opened: %s", self.name, version, error)  # noqa: TRY400  # no traceback
                raise RefusalError(503, f"version {version} cannot be opened", where=self.name) from error

    def _check(self, version: str) -> None:
        if version not in self.offer.versions:
            known = list(self.offer.versions)
            fix = f"Versions: {', '.join(known[-20:])}.{did_you_mean(version, known)}"
            raise RefusalError(404, f"there is no version {version[:50]!r}", where=self.name, fix=fix)

    async def _opened(self, version: str) -> ServedModel:
        model = self._open.pop(version, None)
        if model is None:
            folder = self.offer.versions[version]
            model = await asyncio.to_thread(ServedModel, self.name, version, folder, self.limits, self.threads)
        self._open[version] = model  # last: the one that was asked for last
        for other in list(self._open)[:-1]:
            if len(self._open) > OPEN and (self.champion is None or other != self.champion.version):
                del self._open[other]
        return model


class Catalogue:
    """All models of a server, by name; the first one answers where a request names none.

    Args:
        sources: Where they come from.
        limits: Of the server.
        threads: Threads that one call may use.

    Raises:
        ConfigError: There is no source, two have the same name, or a name cannot be part of an address.
    """

    def __init__(self, sources: Sequence[ModelSource], limits: Limits, threads: int = 1) -> None:
        complaints = Complaints("serve")
        complaints.check(sources, "there is no model", "Name a study, a registered model, or the folder of a bundle.")
        names = [source.name for source in sources]
        for name in names:
            complaints.check(NAME.fullmatch(name), f"{name!r} cannot be a model's name", "Give it another: NAME=FOLDER")
        for name in sorted({name for name in names if names.count(name) > 1}):
            complaints.check(False, f"two models are named {name!r}", "Give one another name: NAME=FOLDER")
        complaints.raise_any()
        self.entries = {source.name: Entry(source, limits, threads) for source in sources}
        self.first = self.entries[names[0]]

    async def open(self) -> None:
        """Open the champion of every model.

        Raises:
            LeptonError: One cannot be opened.
        """
        for entry in self.entries.values():
            await entry.refresh()

    async def watch(self, seconds: float) -> None:
        """Follow the sources until cancelled.

        Args:
            seconds: Between two looks.
        """
        while True:
            await asyncio.sleep(seconds)
            for entry in self.entries.values():
                try:
                    await entry.refresh()
                except Exception:
                    logger.exception("%s cannot be looked up.", entry.name)

    def close(self) -> None:
        """Close the sources."""
        for entry in self.entries.values():
            with contextlib.suppress(Exception):
                entry.source.close()

    def entry(self, name: str | None) -> Entry:
        """A model by name; the first one for None.

        Raises:
            RefusalError: There is no such model.
        """
        if name is None:
            return self.first
        entry = self.entries.get(name)
        if entry is None:
            known = list(self.entries)
            fix = f"Models: {', '.join(known)}.{did_you_mean(name, known)}"
            raise RefusalError(404, f"there is no model {name[:50]!r}", where="the address", fix=fix)
        return entry

    def champion(self, name: str | None) -> tuple[Entry, ServedModel]:
        """A model and its champion; the first one for None.

        Raises:
            RefusalError: There is no such model, or it is being opened.
        """
        entry = self.first if name is None else self.entry(name)
        champion = entry.champion
        if champion is None:
            raise RefusalError(503, "the model is being opened", where=entry.name, fix="Ask again soon.", retry_after=1)
        return entry, champion

    async def model(self, name: str | None, version: str | None) -> tuple[Entry, ServedModel]:
        """A model's champion, or one of its versions.

        Raises:
            RefusalError: There is no such model or version, or it cannot be opened.
        """
        if version is None:
            return self.champion(name)
        entry = self.entry(name)
        return entry, await entry.version(version)
