"""Versions in MLflow's model registry: made from bundles, compared, and called by aliases that pass on and come back."""

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

# what the rest of the house needs, in one place
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

HISTORY = "lepton.history."  # a registered model's tag: the versions that an alias belonged to, the present one last
WORDS = ("data_digest", "limits")  # tags that are no figures, whatever they look like


def register(
    model: ModelRecord | str | Path,
    name: str,
    *,
    home: str | Path,
    uri: str | None = None,
    alias: str = "champion",
) -> str:
    """Make a bundle a version of a registered model; a bundle that is one already stays that version.

    It is kept as models from code over the bundle's own `predict.py`, without a pickle:
    `mlflow.pyfunc.load_model("models:/NAME@champion").predict(rows)` needs what `requirements.txt` beside it lists.
    See https://mlflow.org/docs/latest/ml/model/models-from-code/. The version is a name for the trial's logged model, and
    copies nothing that is there. The run of the trial that the bundle comes from shows the model; so let a tracker catch
    up before.

    Args:
        model: What is known of it; or the bundle's folder alone.
        name: The registered model; it comes to be with its first version.
        home: The folder of all studies.
        uri: Another MLflow store than the home's own.
        alias: What the version is to be called; it passes from any earlier one, to which `roll_back` returns it. A name
            that has its `champion` can take `challenger`, which leaves the champion where it is. Empty for none.

    Returns:
        The version.

    Raises:
        ConfigError: MLflow would not take the name or the alias.
        BundleError: The folder is no bundle.
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
                client.create_registered_model(name, description=f"Predicts {code_span(target)}; by lepton_automl.")
            version = add_version(store, name, logged, record.bundle)
        if alias:
            _assign_alias(store, name, version, alias)
    return version


def add_version(store: Store, name: str, logged: LoggedModel, bundle: Path) -> str:
    """A logged model as the next version of a registered one; returns the version."""
    known = json.loads(logged.tags.get(VERSIONS, "[]"))
    version = _version(store, name, logged, _readme(bundle))
    listed = [*(entry for entry in known if entry["name"] != name), {"name": name, "version": int(version)}]
    store.client.set_logged_model_tags(logged.model_id, {VERSIONS: json.dumps(listed)})  # MLflow's pages link by this
    show_at_parent(store, logged)
    return version


def _version(store: Store, name: str, logged: LoggedModel, text: str) -> str:
    tags = {key: value for key, value in logged.tags.items() if not key.startswith("mlflow.")}
    # By its place and not as models:/<id>, which MLflow 3.17 looks up in the process's default store.
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
        Rows with `version`, `aliases`, and the version's tags; figures are numbers.

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
    """Give an alias to a version, which may be named by another alias; who bore it before is kept for `roll_back`.

    Raises:
        ConfigError: MLflow would not take the alias.
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
    """Give an alias back to the version that bore it before; once more, to the one before that.

    Which that is stands in the registered model's tag `lepton.history.ALIAS`; versions that were deleted are passed over.

    Returns:
        The version that bears it now.

    Raises:
        StudyError: No earlier version is known, there is no such model, or MLflow cannot be written.
    """
    with opened_store(Path(home), uri) as store:
        known = {str(version.version) for version in _versions(store, name)}
        past = _history(store, name, alias)[:-1]
        past = [version for version in past if version in known]
        if not past:
            fix = f"Name one: lepton promote {name} VERSION --alias {alias}"
            raise StudyError(f"no earlier version with the alias {alias} is known", where=name, fix=fix)
        set_alias(store, name, alias, past)
        return past[-1]


def alias_history(
    name: str, *, home: str | Path, uri: str | None = None, alias: str = "champion"
) -> tuple[tuple[str, ...], str]:
    """The versions that an alias belonged to, the present one last; and the study that the present one comes from, or "".

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
    """Give an alias to the last of the versions that it belonged to, and keep the others for `roll_back`."""
    # The tag comes first: a history that runs ahead of the alias is mended by `_history`, a lost one is not.
    store.client.set_registered_model_tag(name, HISTORY + alias, ",".join(past))
    store.client.set_registered_model_alias(name, alias, past[-1])


def _history(store: Store, name: str, alias: str) -> list[str]:
    """The versions that an alias belonged to, the present one last; also where somebody has moved it by another tool."""
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
    """Tags as they are read: what is ours by its short name, figures as numbers."""
    words = {key.removeprefix("lepton."): value for key, value in tags.items() if key.startswith("lepton.") or key in WORDS}
    return {**words, **{key: _number(value) for key, value in tags.items() if key.removeprefix("lepton.") not in words}}


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _check_names(name: str, alias: str) -> None:
    """What MLflow would refuse, before anything is made."""
    complaints = Complaints("register")
    fix = "Use letters, digits, dots, dashes, underscores and spaces."
    complaints.check(re.fullmatch(r"[\w .-]{1,250}", name), f"{name!r} cannot be a model's name", fix)
    reserved = re.fullmatch(r"latest|v\d+", alias, re.IGNORECASE)
    good = not alias or (re.fullmatch(r"[\w.-]{1,250}", alias, re.ASCII) and not reserved)
    complaints.check(
        good, f"{alias!r} cannot be an alias", "Use letters, digits, dots, dashes and underscores, as in 'champion'."
    )
    complaints.raise_any()


def _readme(bundle: Path) -> str:
    path = bundle / "README.md"
    return path.read_text(encoding="utf-8")[:LONGEST] if path.exists() else ""
