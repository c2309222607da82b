"""Checks of what `AutoML` and its `fit` are given."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .custom import custom_space
from .data.options import DataOptions
from .errors import Complaints, ConfigError, LeptonError, one_of
from .factory import Factory, factory_of
from .space import Space
from .specs import PriorTrial
from .study.study import Study
from .study_store import StudyStore
from .tracking.tracking_uri import address
from .tracking.tracking_uri import check_name as check_experiment_name


def warm_studies(said: Any, home: StudyStore, complaints: Complaints) -> list[Study]:
    """The studies to learn from, which can be read; what is wrong with others is added to the complaints."""
    found: list[Study] = []
    for one in said if isinstance(said, list | tuple) else [said]:
        if not isinstance(one, str | Study):
            complaints.add(f"warm_start is {one!r}", "Give earlier studies, or their names.")
            continue
        try:
            found.append(one if isinstance(one, Study) else Study(one, home))
            found[-1].state.settings  # noqa: B018  # reading it says whether there is such a study
        except LeptonError as error:
            complaints.add(f"warm_start: {error.what}", error.fix)
    return found


def prior_trials(earlier: Sequence[Study], space: Space) -> tuple[PriorTrial, ...]:
    """What earlier studies teach one over this space."""
    if not earlier:
        return ()
    from .search.warm import prior_trials as prior_trials_of

    told, complaints = {study.name: prior_trials_of(study.state, space) for study in earlier}, Complaints("warm_start")
    for name, known in told.items():
        fix = "Leave it out, or name one that has trained networks of the same family (images or tables)."
        complaints.check(known, f"study {name!r} has nothing to teach this one", fix)
    complaints.raise_any()
    return tuple(one for known in told.values() for one in known)


def check_model(model: Any, space: Any, complaints: Complaints) -> tuple[Factory | None, Space | None]:
    """A person's own factory and space, checked as far as that goes without the data."""
    if model is None:
        fix = "Say knobs=... for our own networks, or give your own by model=..."
        complaints.check(space is None, "space is given without a model", fix)
        return None, None
    factory = knobs = None
    try:
        factory = factory_of(model)
    except ConfigError as error:
        complaints.add(error.what, error.fix)
    try:
        knobs = custom_space(space or {})
    except ConfigError as error:
        complaints.add(f"space: {error.what}", error.fix)
    return factory, knobs


def check_place(uri: Any, experiment: Any, complaints: Complaints) -> None:
    """What was said about MLflow."""
    for word, text in (("tracking_uri", uri), ("experiment", experiment)):
        complaints.check(text is None or (isinstance(text, str) and text), f"{word} is {text!r}", "Give text, or leave it out.")
    for check in (
        lambda: address(uri if isinstance(uri, str) else "", ""),
        lambda: check_experiment_name(str(experiment or "")),
    ):
        try:
            check()
        except ConfigError as error:
            complaints.add(error.what, error.fix)


def check_name(name: Any, home: StudyStore, complaints: Complaints) -> None:
    """A study's name, where one is given."""
    if name is not None:
        try:
            home.path(name)
        except ConfigError as error:
            complaints.add(error.what, error.fix)


def check_whole(name: str, number: Any, least: int, complaints: Complaints) -> None:
    """A whole number."""
    whole = isinstance(number, int) and not isinstance(number, bool) and least <= number < 2**32
    complaints.check(whole, f"{name} is {number!r}; it must be a whole number of at least {least}")


def check_search(space: Space, grid: Sequence[str], configs: Sequence[Mapping[str, Any]]) -> None:
    """What was said about knobs before the space was known."""
    complaints = Complaints("AutoML")
    for name in grid:
        complaints.check(name in space, f"the grid has no knob {name!r} to turn.", one_of(name, space))
    complaints.raise_any()
    for config in configs:
        space.complete(config)


def data_options(given: Mapping[str, Any], said: Mapping[str, Any]) -> DataOptions:
    """What was said about the data, in `fit` and before; the names are checked."""
    known = [field.name for field in dataclasses.fields(DataOptions) if field.name not in said]
    complaints = Complaints("fit")
    for name in given:
        if name in said:
            complaints.add(f"{name} is asked for elsewhere.", f"Say AutoML({name}=...).")
        else:
            complaints.check(name in known, f"there is no option {name!r}.", one_of(name, known))
    complaints.raise_any()
    return DataOptions(**given, **said)


def name_of(data: Any) -> str:
    """A study's name from its source."""
    if isinstance(data, str | Path):
        stem = Path(data).absolute().name.split(".")[0]
        clean = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in stem).strip("-_")
        return clean[:90] if clean.isascii() and clean else "study"
    return "study"
