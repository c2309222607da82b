"""Versions in MLflow's model registry: created from bundles, listed, promoted by aliases and rolled back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lepton_automl.errors import Complaints, StudyError, did_you_mean
from lepton_automl.texts import code_span

from .logged import VERSIONS, ModelRecord, log_models, logged_model, show_at_parent
from .remove import delete_study
from .secrets import masked
from .store import LONGEST, Store, opened_store, ui_command
from .tracking_uri import tracking_uri

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel
    from mlflow.entities.model_registry import ModelVersion

# the interface for the other packages
__all__ = [
    "ModelRecord",
    "delete_study",
    "log_models",
    "model_names",
    "promote",
    "register",
    "roll_back",
    "tracking_uri",
    "ui_command",
    "versions",
]

HISTORY = "lepton.history."  # prefix of a registered model's tag: the versions that an alias belonged to, the current one last
WORDS = ("data_digest", "limits")  # tags that stay text, even if they look like numbers


def register(
    model: ModelRecord | str | Path,
    name: str,
    *,
    home: str | Path,
    uri: str | None = None,
    alias: str = "champion",
) -> str:
    """Register a bundle as a version of a model; a bundle that is registered already keeps its version.

    It is stored as a model from code that uses the bundle's own `predict.py`, without a pickle:
    `mlflow.pyfunc.load_model("models:/NAME@champion").predict(rows)` needs what `requirements.txt` beside it lists.
    See https://mlflow.org/docs/latest/ml/model/models-from-code/. The version refers to the trial's logged model, and
    copies no files. The run of the bundle's trial shows the model, so sync the study first.

    Args:
        model: The model's record, or only the bundle's folder.
        name: The registered model; it is created with its first version.
        home: The folder of all studies.
        uri: An MLflow store other than the home's own.
        alias: The alias to give to the version; it is moved from an earlier version, and `roll_back` returns it. For
            example, a `challenger` leaves the `champion` unchanged. Empty for none.

    Returns:
        The version.

    Raises:
        ConfigError: MLflow does not accept the name or the alias.
        BundleError: The folder is not a bundle.
        StudyError: MLflow cannot be written.
    """
    _check_names(name, alias)
    record = model if isinstance(model, ModelRecord) else ModelRecord(bundle=Path(model))
    target = record.preprocess["output"]["target"]
    with opened_store(Path(home), uri) as store:
        client = store.client
        logged = logged_model(store, record, name)
        known = json.loads(logged.tags.get(VERSIONS, "[]"))
        version = next((str(entry["version"]) for entry in known if entry["name"] == name), None)
        if version is None or version not in _numbers(store, name):
            if name not in model_names_in(store):
                client.create_registered_model(name, description=f"Predicts {code_span(target)}; created by lepton_automl.")
            version = add_version(store, name, logged, record.bundle)
        if alias:
            _assign_alias(store, name, version, alias)
    return version


def add_version(store: Store, name: str, logged: LoggedModel, bundle: Path) -> str:
    """Add a logged model as the next version of a registered model; return the version."""
    known = json.loads(logged.tags.get(VERSIONS, "[]"))
    version = _version(store, name, logged, _untitled(_readme(bundle)))
    listed = [*(entry for entry in known if entry["name"] != name), {"name": name, "version": int(version)}]
    store.client.set_logged_model_tags(logged.model_id, {VERSIONS: json.dumps(listed)})  # used by the links in the MLflow UI
    show_at_parent(store, logged)
    return version


def _untitled(card: str) -> str:
    """A model card without its title: MLflow's list of versions shows the first line as it is."""
    return card.partition("\n")[2].lstrip() if card.startswith("# ") else card


def _version(store: Store, name: str, logged: LoggedModel, text: str) -> str:
    tags = {key: value for key, value in logged.tags.items() if not key.startswith("mlflow.")}
    # By its location, as MLflow 3.17 looks models:/<id> up in the process's default store.
    version = store.client.create_model_version(
        name, logged.artifact_location, logged.source_run_id, tags, description=text, model_id=logged.model_id
    )
    return str(version.version)


def model_names(*, home: str | Path, uri: str | None = None) -> list[str]:
    """Names of all registered models, sorted.

    Raises:
        StudyError: MLflow cannot be reached.
    """
    with opened_store(Path(home), uri) as store:
        return model_names_in(store)


def versions(name: str, *, home: str | Path, uri: str | None = None) -> list[dict[str, Any]]:
    """A registered model's versions, the newest first.

    Returns:
        Rows with `version`, `aliases`, `created`, and the version's tags; numeric tags are numbers.

    Raises:
        StudyError: There is no such model, or MLflow cannot be reached.
    """
    with opened_store(Path(home), uri) as store:
        found_versions, called = _versions(store, name), _aliases(store, name)
    return [
        {
            "version": str(entry.version),
            "aliases": ", ".join(sorted(alias for alias, version in called.items() if version == str(entry.version))),
            **_facts(entry.tags),
            "created": entry.creation_timestamp,
        }
        for entry in found_versions
    ]


def promote(name: str, version: str, *, home: str | Path, uri: str | None = None, alias: str = "champion") -> None:
    """Give an alias to a version, which may be given by another alias; its previous version is kept for `roll_back`.

    Raises:
        ConfigError: MLflow does not accept the alias.
        StudyError: There is no such model or version, or MLflow cannot be written.
    """
    _check_names(name, alias)
    with opened_store(Path(home), uri) as store:
        known = [str(version.version) for version in _versions(store, name)]
        version = _aliases(store, name).get(str(version), version)
        if str(version) not in known:
            fix = f"Available: {', '.join(known)}."
            raise StudyError(f"there is no version {version}", where=name, fix=fix)
        _assign_alias(store, name, str(version), alias)


def roll_back(name: str, *, home: str | Path, uri: str | None = None, alias: str = "champion") -> str:
    """Return an alias to its previous version; a second call goes back one further.

    The history is in the registered model's tag `lepton.history.ALIAS`; deleted versions are skipped.

    Returns:
        The version that has the alias now.

    Raises:
        StudyError: No earlier version is known, there is no such model, or MLflow cannot be written.
    """
    with opened_store(Path(home), uri) as store:
        known = {str(version.version) for version in _versions(store, name)}
        past = _history(store, name, alias)[:-1]
        past = [version for version in past if version in known]
        if not past:
            fix = f"Choose one: lepton promote {name} VERSION --alias {alias}"
            raise StudyError(f"no earlier version with the alias {alias} is known", where=name, fix=fix)
        set_alias(store, name, alias, past)
        return past[-1]


def alias_history(
    name: str, *, home: str | Path, uri: str | None = None, alias: str = "champion"
) -> tuple[tuple[str, ...], str]:
    """The versions that an alias belonged to, the current one last; and the study of the current one, or "".

    Raises:
        StudyError: There is no such model, or MLflow cannot be reached.
    """
    with opened_store(Path(home), uri) as store:
        studies = {str(version.version): version.tags.get("lepton.study", "") for version in _versions(store, name)}
        past = tuple(_history(store, name, alias))
    return past, studies.get(past[-1], "") if past else ""


def _assign_alias(store: Store, name: str, version: str, alias: str) -> None:
    past = _history(store, name, alias)
    if past[-1:] != [version]:
        past = [*past, version]
    set_alias(store, name, alias, past)


def set_alias(store: Store, name: str, alias: str, past: list[str]) -> None:
    """Give an alias to the last version of a history, and record the history for `roll_back`."""
    # The tag comes first: `_history` corrects a history that is ahead of the alias, but cannot restore a missing entry.
    store.client.set_registered_model_tag(name, HISTORY + alias, ",".join(past))
    store.client.set_registered_model_alias(name, alias, past[-1])


def _history(store: Store, name: str, alias: str) -> list[str]:
    """The versions that an alias belonged to, the current one last, even if another tool has moved it."""
    model = store.client.get_registered_model(name)
    past = [version for version in str(model.tags.get(HISTORY + alias, "")).split(",") if version]
    present = _aliases(store, name).get(alias)
    if present and present in past:
        return past[: len(past) - past[::-1].index(present)]
    return [*past, present] if present else past


def _versions(store: Store, name: str) -> list[ModelVersion]:
    names = model_names_in(store)
    if name not in names:
        known = (
            f"Registered here: {', '.join(names)}.{did_you_mean(name, names)}" if names else "Register one: study.register()"
        )
        raise StudyError(f"there is no registered model {name!r}", where=masked(store.uri), fix=known)
    model_versions = store.client.search_model_versions(f"name = '{name}'", max_results=10_000)
    return sorted(model_versions, key=lambda version: -int(version.version))


def _numbers(store: Store, name: str) -> list[str]:
    return [str(version.version) for version in _versions(store, name)] if name in model_names_in(store) else []


def model_names_in(store: Store) -> list[str]:
    """Names of all registered models of a store, sorted."""
    names: list[str] = []
    token = None
    while True:
        page = store.client.search_registered_models(max_results=1000, page_token=token)
        names += [model.name for model in page]
        token = page.token
        if not token:
            return sorted(names)


def _aliases(store: Store, name: str) -> dict[str, str]:
    return {alias: str(version) for alias, version in store.client.get_registered_model(name).aliases.items()}


def _facts(tags: Mapping[str, str]) -> dict[str, Any]:
    """Tags for reading: ours without their prefix, numeric ones as numbers."""
    words = {key.removeprefix("lepton."): value for key, value in tags.items() if key.startswith("lepton.") or key in WORDS}
    return {**words, **{key: _number(value) for key, value in tags.items() if key.removeprefix("lepton.") not in words}}


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _check_names(name: str, alias: str) -> None:
    """Check the names before anything is created, as MLflow would reject them only later."""
    complaints = Complaints("register")
    fix = "Use letters, digits, dots, dashes, underscores and spaces."
    complaints.check(re.fullmatch(r"[\w .-]{1,250}", name), f"{name!r} is not a valid model name", fix)
    reserved = re.fullmatch(r"latest|v\d+", alias, re.IGNORECASE)
    good = not alias or (re.fullmatch(r"[\w.-]{1,250}", alias, re.ASCII) and not reserved)
    complaints.check(
        good, f"{alias!r} is not a valid alias", "Use letters, digits, dots, dashes and underscores, as in 'champion'."
    )
    complaints.raise_any()


def _readme(bundle: Path) -> str:
    path = bundle / "README.md"
    return path.read_text(encoding="utf-8")[:LONGEST] if path.exists() else ""
