"""Checks of the arguments of `AutoML` and its `fit`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .custom import custom_space
from .data.options import DataOptions, option_names
from .errors import Complaints, ConfigError, LeptonError, one_of
from .execution.executor import name_of_executor
from .factory import Factory, factory_of
from .family import family_named
from .plugins import check_plugin, names
from .source import SqlQuery, shown_url
from .space import Space
from .specs import DataSpec, PriorTrial
from .study.study import Study
from .study_store import StudyStore
from .tracking.tracking_uri import address
from .tracking.tracking_uri import check_name as check_experiment_name


def warm_studies(warm_start: Any, home: StudyStore, complaints: Complaints) -> list[Study]:
    """The earlier studies to learn from; those that cannot be read are added to the complaints."""
    studies: list[Study] = []
    for earlier in warm_start if isinstance(warm_start, list | tuple) else [warm_start]:
        if not isinstance(earlier, str | Study):
            complaints.add(f"warm_start is {earlier!r}", "Pass earlier studies or their names.")
            continue
        try:
            studies.append(earlier if isinstance(earlier, Study) else Study(earlier, home))
            studies[-1].state.settings  # noqa: B018  # raises if there is no such study
        except LeptonError as error:
            complaints.add(f"warm_start: {error.what}", error.fix)
    return studies


def prior_trials(earlier: Sequence[Study], space: Space) -> tuple[PriorTrial, ...]:
    """Trials of earlier studies that a search over this space can learn from."""
    if not earlier:
        return ()
    from .search.warm import prior_trials as prior_trials_of

    by_study, complaints = {study.name: prior_trials_of(study.state, space) for study in earlier}, Complaints("warm_start")
    for name, trials in by_study.items():
        fix = "Leave it out, or choose one that trained networks of the same family (images or tables)."
        complaints.check(trials, f"study {name!r} has no trials that this one can learn from", fix)
    complaints.raise_any()
    return tuple(trial for trials in by_study.values() for trial in trials)


def check_model(model: Any, space: Any, complaints: Complaints) -> tuple[Factory | None, Space | None]:
    """The user's own factory and space, checked as far as possible without the data."""
    if model is None:
        fix = "Use hyperparameters=... for the built-in networks, or pass your own with model=..."
        complaints.check(space is None, "space is given without model", fix)
        return None, None
    factory = hyperparameters = None
    try:
        factory = factory_of(model)
    except ConfigError as error:
        complaints.add(error.what, error.fix)
    try:
        hyperparameters = custom_space(space or {})
    except ConfigError as error:
        complaints.add(f"space: {error.what}", error.fix)
    return factory, hyperparameters


def check_family(family: Any, spec: DataSpec | None, complaints: Complaints) -> None:
    """Check a network family or several, and whether they fit the data if these are known."""
    if family is None:
        return
    known, requested = names("families"), [family] if isinstance(family, str) else list(family)
    complaints.check(requested, "family is empty", "Name at least one family, or leave it out.")
    complaints.check(len(set(requested)) == len(requested), f"family names one twice: {', '.join(map(str, requested))}")
    for name in requested:
        if name not in known:
            complaints.add(f"there is no network family {name!r}.", one_of(str(name), known))
        elif spec is not None and not family_named(name).accepts(spec):
            fits = [name for name in known if family_named(name).accepts(spec)]
            complaints.add(f"the network family {name!r} does not support these data", f"Families that do: {', '.join(fits)}.")


def check_start(start: Any, others: Mapping[str, Any], complaints: Complaints) -> None:
    """Check a network that a search begins at; `others` are arguments that choose the networks in another way."""
    if start is None:
        return
    from .sequential.search_start import check_start as check_network

    check_network(start, complaints)
    for name, value in others.items():
        complaints.check(value is None, f"both start and {name} are given", "Pass one of them.")


def check_place(uri: Any, experiment: Any, complaints: Complaints) -> None:
    """Check the settings for MLflow."""
    for word, text in (("tracking_uri", uri), ("experiment", experiment)):
        complaints.check(
            text is None or (isinstance(text, str) and text), f"{word} is {text!r}", "Pass a string, or leave it out."
        )
    for check in (
        lambda: address(uri if isinstance(uri, str) else "", ""),
        lambda: check_experiment_name(str(experiment or "")),
    ):
        try:
            check()
        except ConfigError as error:
            complaints.add(error.what, error.fix)


def check_executor(executor: Any, complaints: Complaints) -> None:
    """Check an executor, given by its name or its settings."""
    if isinstance(executor, str):
        check_plugin("executors", executor, complaints)
        return
    try:
        name_of_executor(executor)
    except ConfigError as error:
        complaints.add(error.what, error.fix)


def check_name(name: Any, home: StudyStore, complaints: Complaints) -> None:
    """Check a study's name, if one is given."""
    if name is not None:
        try:
            home.path(name)
        except ConfigError as error:
            complaints.add(error.what, error.fix)


def check_integer(name: str, number: Any, least: int, complaints: Complaints) -> None:
    """Check that a number is an integer of at least `least`, below 2**32."""
    valid = isinstance(number, int) and not isinstance(number, bool) and least <= number < 2**32
    complaints.check(valid, f"{name} is {number!r}; it must be an integer of at least {least}")


def check_search(space: Space, grid: Sequence[str], configs: Sequence[Mapping[str, Any]]) -> None:
    """Check the grid and the initial configurations, now that the space is known."""
    complaints = Complaints("AutoML")
    for name in grid:
        complaints.check(name in space, f"there is no hyperparameter {name!r} for the grid.", one_of(name, space))
    complaints.raise_any()
    for config in configs:
        space.complete(config)


def query_or_data(data: Any, y: Any, sql: Any, connection: Any) -> Any:
    """The data of a call of `fit`: the given ones, or a query.

    Raises:
        ConfigError: Both are given, neither, or half of a query; all such mistakes are listed.
    """
    if sql is None and connection is None:
        if data is None:
            fix = "Pass a folder, a file, a DataFrame, arrays or a Dataset; or sql= and connection=."
            raise ConfigError("no data are given", where="fit", fix=fix)
        if y is not None and isinstance(data, str | Path):
            fix = "Name the column of a table with target='...'; the labels of images are their folders."
            raise ConfigError("y is given beside the name of a file or folder", where="fit", fix=fix)
        return data
    complaints = Complaints("fit")
    complaints.check(sql is not None, "connection is given without sql.", "Pass sql='select ...' as well.")
    complaints.check(connection is not None, "sql is given without connection.", "Pass a SQLAlchemy URL or engine as well.")
    complaints.check(data is None, "both data and sql are given.", "Pass one of them.")
    complaints.check(y is None, "y is given beside sql.", "Name the column of the query with target='...'.")
    complaints.raise_any()
    return SqlQuery(sql=sql, connection=connection)


def data_options(options: Mapping[str, Any], settings: Mapping[str, Any]) -> DataOptions:
    """The options for the data, with checked names.

    Args:
        options: Keyword arguments of `fit`.
        settings: Fields that `AutoML` itself decides, which `fit` does not accept.

    Raises:
        ConfigError: Some options are unknown; all are listed.
    """
    known = [name for name in option_names() if name not in settings]
    complaints = Complaints("fit")
    for name in options:
        if name in settings:
            complaints.add(f"{name} is not an option of fit.", f"Pass AutoML({name}=...).")
        else:
            complaints.check(name in known, f"there is no option {name!r}.", one_of(name, known))
    complaints.raise_any()
    return DataOptions(**options, **settings)


def name_of(data: Any) -> str:
    """A study's name, made from the name of its data."""
    if isinstance(data, str | Path):
        stem = Path(shown_url(str(data)).rstrip("/")).absolute().name.split(".")[0]
        clean = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in stem).strip("-_")
        return clean[:90] if clean.isascii() and clean else "study"
    return "study"
