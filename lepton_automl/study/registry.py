"""Registered models in a person's hands: their versions side by side, and which of them is meant by an alias."""

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
        uri: Another MLflow store, such as a team's server; by default what MLflow stands at here (MLFLOW_TRACKING_URI), else
            the home's own.

    Raises:
        ConfigError: The address bears a password.
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

        self._mend()
        return model_names(home=self.home.folder, uri=self.uri)

    def versions(self, name: str) -> pd.DataFrame:
        """A model's versions, the newest first: aliases, scores, latencies, sizes, limits, the data's digest.

        Raises:
            StudyError: There is no such model, or MLflow cannot be reached.
        """
        import pandas as pd

        from lepton_automl.tracking.registry import versions

        self._mend()
        table = pd.DataFrame(versions(name, home=self.home.folder, uri=self.uri))
        table["created"] = pd.to_datetime(table["created"], unit="ms")
        first = [column for column in FIRST if column in table]
        return table[[*first, *(column for column in table if column not in {*first, *HIDDEN})]]

    def compare(self, name: str, *versions: str) -> pd.DataFrame:
        """Versions side by side: a column each.

        Args:
            name: The registered model.
            *versions: Which, by number or by alias; by default all.

        Raises:
            StudyError: There is no such model or version, or MLflow cannot be reached.
        """
        table = self.versions(name)
        called = {alias: row.version for row in table.itertuples() for alias in filter(None, str(row.aliases).split(", "))}
        columns = [called.get(str(version), str(version)) for version in versions]
        for column in columns:
            if column not in set(table["version"]):
                known = ", ".join([*called, *table["version"]])
                raise StudyError(f"there is no version {column!r}", where=name, fix=f"Choose one of {known}.")
        side = table.set_index("version").T
        return side[columns] if columns else side

    def promote(self, name: str, version: str | int, *, alias: str = "champion") -> None:
        """Give an alias to a version, by its number or another alias; `roll_back` returns it.

        Raises:
            ConfigError: MLflow would not take the alias.
            StudyError: There is no such model or version, or MLflow cannot be written.
        """
        from lepton_automl.tracking.registry import promote

        self._mend()
        promote(name, str(version), home=self.home.folder, uri=self.uri, alias=alias)
        self._keep(name, alias)

    def roll_back(self, name: str, *, alias: str = "champion") -> str:
        """Give an alias back to the version that bore it before.

        Which that is stands in the registered model's tag `lepton.history.ALIAS`, which registering and promoting write.

        Returns:
            The version that bears it now.

        Raises:
            StudyError: No earlier version is known, there is no such model, or MLflow cannot be written.
        """
        from lepton_automl.tracking.registry import roll_back

        self._mend()
        version = roll_back(name, home=self.home.folder, uri=self.uri, alias=alias)
        self._keep(name, alias)
        return version

    def _mend(self) -> None:
        """Make a lost store of the home's own anew."""
        from lepton_automl.tracking.rebuild import rebuild_lost

        if not self.uri:
            rebuild_lost(self.home.folder)

    def _keep(self, name: str, alias: str) -> None:
        """Write where an alias stands into the journal of the version's study, from which a lost store is rebuilt."""
        from lepton_automl.tracking.registry import alias_history

        past, study = alias_history(name, home=self.home.folder, uri=self.uri, alias=alias)
        if study not in self.home.studies or not (self.home.path(study) / JOURNAL).is_file():
            return
        journal = self.home.journal(study)
        first = next((event for _, event in journal.read()), None)
        if isinstance(first, StudyStarted) and first.config.tracking.uri == self.uri:
            journal.append(AliasMoved(at=time.time(), model=name, version=past[-1], alias=alias, history=past))
