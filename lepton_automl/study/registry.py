"""The registered models: their versions side by side, and their aliases."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lepton_automl.errors import StudyError
from lepton_automl.events import AliasMoved, StudyStarted
from lepton_automl.study_store import JOURNAL, StudyStore

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

FIRST = ("version", "aliases", "study", "trial", "score", "latency_ms", "size_bytes", "variant", "limits")  # of the columns
HIDDEN = ("model_uid", "on_front")


class Registry:
    """The registered models of a home's MLflow store.

    Example:
        >>> registry = Registry()  # doctest: +SKIP
        >>> registry.versions("flowers")  # doctest: +SKIP
        >>> registry.promote("flowers", "3"); registry.roll_back("flowers")  # doctest: +SKIP

    Args:
        home: The folder of all studies; by default `$LEPTON_HOME`, else `mlruns`.
        uri: Another MLflow store, such as a team's server; by default the one MLflow is set to (MLFLOW_TRACKING_URI), else
            the home's own.

    Raises:
        ConfigError: The URI contains a password.
    """

    def __init__(self, home: str | Path | None = None, *, uri: str | None = None) -> None:
        from lepton_automl.tracking.tracking_uri import requested_tracking

        self.home = StudyStore(home)
        self.uri = requested_tracking(self.home.folder, uri).uri

    def __repr__(self) -> str:
        from lepton_automl.tracking.secrets import masked

        return f"<Registry of {masked(self.uri) or self.home.folder}>"

    @property
    def models(self) -> list[str]:
        """Names of all registered models.

        Raises:
            StudyError: MLflow cannot be reached.
        """
        from lepton_automl.tracking.registry import model_names

        self._rebuild_lost()
        return model_names(home=self.home.folder, uri=self.uri)

    def versions(self, name: str) -> pd.DataFrame:
        """The versions of a model, newest first: aliases, scores, latencies, sizes, limits, the data's digest.

        Raises:
            StudyError: There is no such model, or MLflow cannot be reached.
        """
        import pandas as pd

        from lepton_automl.tracking.registry import versions

        self._rebuild_lost()
        table = pd.DataFrame(versions(name, home=self.home.folder, uri=self.uri))
        table["created"] = pd.to_datetime(table["created"], unit="ms")
        first = [column for column in FIRST if column in table]
        return table[[*first, *(column for column in table if column not in {*first, *HIDDEN})]]

    def compare(self, name: str, *versions: str) -> pd.DataFrame:
        """Compare versions side by side, one column each.

        Args:
            name: The registered model.
            *versions: Numbers or aliases of versions; by default all.

        Raises:
            StudyError: There is no such model or version, or MLflow cannot be reached.
        """
        table = self.versions(name)
        by_alias = {alias: row.version for row in table.itertuples() for alias in filter(None, str(row.aliases).split(", "))}
        columns = [by_alias.get(str(version), str(version)) for version in versions]
        for column in columns:
            if column not in set(table["version"]):
                known = ", ".join([*by_alias, *table["version"]])
                raise StudyError(f"there is no version {column!r}", where=name, fix=f"Choose one of {known}.")
        by_version = table.set_index("version").T
        return by_version[columns] if columns else by_version

    def promote(self, name: str, version: str | int, *, alias: str = "champion") -> None:
        """Give an alias to a version, named by its number or another alias; `roll_back` moves it back.

        Raises:
            ConfigError: MLflow does not allow the alias.
            StudyError: There is no such model or version, or MLflow cannot be written.
        """
        from lepton_automl.tracking.registry import promote

        self._rebuild_lost()
        promote(name, str(version), home=self.home.folder, uri=self.uri, alias=alias)
        self._record_alias(name, alias)

    def roll_back(self, name: str, *, alias: str = "champion") -> str:
        """Move an alias back to the version that had it before.

        The registered model's tag `lepton.history.ALIAS` records it; registering and promoting write that tag.

        Returns:
            The version that has it now.

        Raises:
            StudyError: No earlier version is known, there is no such model, or MLflow cannot be written.
        """
        from lepton_automl.tracking.registry import roll_back

        self._rebuild_lost()
        version = roll_back(name, home=self.home.folder, uri=self.uri, alias=alias)
        self._record_alias(name, alias)
        return version

    def _rebuild_lost(self) -> None:
        """Rebuild the home's own store if it is lost."""
        from lepton_automl.tracking.rebuild import rebuild_lost

        if not self.uri:
            rebuild_lost(self.home.folder)

    def _record_alias(self, name: str, alias: str) -> None:
        """Record an alias in the journal of the version's study, from which a lost store is rebuilt."""
        from lepton_automl.tracking.registry import alias_history

        past, study = alias_history(name, home=self.home.folder, uri=self.uri, alias=alias)
        if study not in self.home.studies or not (self.home.path(study) / JOURNAL).is_file():
            return
        journal = self.home.journal(study)
        first = next((event for _, event in journal.read()), None)
        if isinstance(first, StudyStarted) and first.config.tracking.uri == self.uri:
            journal.append(AliasMoved(at=time.time(), model=name, version=past[-1], alias=alias, history=past))
