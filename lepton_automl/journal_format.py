"""The format of a study's journal: its number, and how a line of an older format is converted.

Lines without a format number are in format 1. To change a stored name, raise `FORMAT` and describe the
change in the tables below: what an event is called, what its fields are called, and where names of hyperparameters are stored.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .errors import StudyError

FORMAT = 2
KEY = "format"  # in each line, after its number; lines without it are in format 1
EVERY = "*"  # in a path: each item of a list, or each value of a mapping

# From format 1 to 2. The events' names come first, and fields are renamed in this order.
EVENTS = {
    "HostWeighed": "HostBenchmarked",
    "TrialThawed": "TrialResumed",
    "Asked": "CommandReceived",
    "KnobsRanked": "HyperparametersRanked",
}
FIELDS: dict[str, tuple[tuple[tuple[str, ...], str], ...]] = {
    "StudyStarted": (
        (("config", "target"), "deployment"),
        (("config", "deployment", "max_drop"), "max_score_drop"),
        (("config", "lean"), "prune"),
        (("config", "own"), "factory"),
        (("config", "precedents"), "prior_trials"),
        (("config", "space", "knobs"), "hyperparameters"),
    ),
    "HostBenchmarked": ((("weighed",), "benchmark"),),
    "CommandReceived": (
        (("target",), "deployment"),
        (("deployment", "max_drop"), "max_score_drop"),
        (("knobs",), "hyperparameters"),
    ),
    "ModelAccelerated": ((("found",), "result"), (("result", "tried", EVERY, "said"), "outcome")),
}
HYPERPARAMETERS = {"lean.ratio": "prune.ratio"}
NAMED_IN: dict[str, tuple[tuple[str, ...], ...]] = {  # lists of names, or mappings by name
    "StudyStarted": (("config", "space", "hyperparameters"), ("config", "grid"), ("config", "prior_trials", EVERY, "config")),
    "TrialProposed": (("config",),),
    "CommandReceived": (("config",), ("hyperparameters",)),
    "HyperparametersRanked": (("shares", EVERY),),
}
ORIGINS = {"portfolio": "first_design"}  # of a trial


class FormatError(StudyError):
    """A journal is in a format that this version does not read."""


def format_of(line: dict[str, Any]) -> int:
    """The format of a line, or of a study's request.

    Args:
        line: The line's JSON object.

    Returns:
        Its format; 1 if it has none.
    """
    number = line.get(KEY, 1)
    return number if isinstance(number, int) and not isinstance(number, bool) else 1


def check_format(line: dict[str, Any], study: str) -> None:
    """Refuse a line in another format.

    Args:
        line: The line's JSON object.
        study: The study's name, for the message.

    Raises:
        FormatError: It is in another format; the message says what to do.
    """
    number = format_of(line)
    if number == FORMAT:
        return
    what = f"the journal is of format {number}, and this version reads format {FORMAT}"
    fix = "Upgrade lepton_automl." if number > FORMAT else f"lepton repair {study} converts it, and keeps the old file."
    raise FormatError(what, where=study, fix=fix)


def converted(line: dict[str, Any]) -> dict[str, Any]:
    """A line in the current format; converted if it is in an older one.

    Args:
        line: The line's JSON object: an event with its kind. It is not changed.

    Returns:
        The event, with the number of the current format.
    """
    if format_of(line) >= FORMAT:
        return line
    kind = EVENTS.get(str(line.get("event")), line.get("event"))
    converted_line = {**line, "event": kind, KEY: FORMAT}
    for path, name in FIELDS.get(str(kind), ()):
        converted_line = _at(converted_line, path[:-1], functools.partial(_renamed, names={path[-1]: name}))
    converted_line = _at(converted_line, ("config", "data"), _split_data) if kind == "StudyStarted" else converted_line
    converted_line = (
        _at(converted_line, ("config", "train"), functools.partial(_with_augmentation, line))
        if kind == "StudyStarted"
        else converted_line
    )
    for path in NAMED_IN.get(str(kind), ()):
        converted_line = _at(converted_line, path, functools.partial(_renamed, names=HYPERPARAMETERS))
    if kind == "TrialProposed":
        converted_line["origin"] = ORIGINS.get(str(converted_line.get("origin")), converted_line.get("origin"))
    return converted_line


def converted_config(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration with the current names of hyperparameters; it may have those of an older format."""
    return dict(_renamed(config, HYPERPARAMETERS))


def converted_data(data: dict[str, Any]) -> dict[str, Any]:
    """A data set's description, converted from an older format."""
    return dict(_split_data(data))


def _split_data(data: Any) -> Any:
    """A description with the fields of its modality in `input`, and those of its task in `output`.

    Both get every field that some modality or task has; unknown ones are ignored when the value is read.
    """
    if not isinstance(data, dict) or not {"modality", "task"} <= data.keys():
        return data
    common = {name: value for name, value in data.items() if name not in {"modality", "task", *_OF_INPUT, *_OF_OUTPUT}}
    input_part = {new: data[old] for old, new in _OF_INPUT.items() if old in data}
    shape = data.get("shape")
    if isinstance(shape, list) and len(shape) == 1:
        input_part["numeric"] = shape[0]
    output_part = {new: data[old] for old, new in _OF_OUTPUT.items() if old in data}
    return {**common, "input": {"kind": data["modality"], **input_part}, "output": {"kind": data["task"], **output_part}}


_OF_INPUT = {name: name for name in ("shape", "plain", "cardinalities", "pixel_mean", "pixel_std", "columns")}
_OF_OUTPUT = {name: name for name in ("counts", "class_weight")} | {
    "classes": "labels",
    "target_mean": "mean",
    "target_scale": "scale",
}
_OF_AUGMENTATION = ("flip", "shift", "cutout", "mixup")


def _with_augmentation(line: dict[str, Any], plan: Any) -> Any:
    """A training plan with its augmentation as a value of the modality, if anything is augmented."""
    config = line.get("config")
    data = config.get("data") if isinstance(config, dict) else None
    if not isinstance(plan, dict) or not isinstance(data, dict) or not any(plan.get(name) for name in _OF_AUGMENTATION):
        return plan
    augment = {name: plan[name] for name in _OF_AUGMENTATION if name in plan}
    return {**plan, "augment": {"kind": data.get("modality", ""), **augment}}


def _at(item: Any, path: tuple[str, ...], change: Callable[[Any], Any]) -> Any:
    """A copy of nested JSON with the item at a path changed; unchanged if there is no such path."""
    if not path:
        return change(item)
    head, rest = path[0], path[1:]
    if head == EVERY and isinstance(item, list):
        return [_at(part, rest, change) for part in item]
    if head == EVERY and isinstance(item, dict):
        return {name: _at(part, rest, change) for name, part in item.items()}
    if isinstance(item, dict) and head in item:
        return {**item, head: _at(item[head], rest, change)}
    return item


def _renamed(item: Any, names: dict[str, str]) -> Any:
    """A mapping whose keys, or a list whose items, have new names; in the same order."""
    if isinstance(item, dict):
        return {names.get(name, name): part for name, part in item.items()}
    if isinstance(item, list):
        return [names.get(part, part) if isinstance(part, str) else part for part in item]
    return item
