"""What a bundle ships by the plug-ins that a model needs: its preprocessing and its decoder.

A bundle defines both functions for itself, for the one modality and the one task that it is of; here, they are found by name.
"""

from __future__ import annotations

from importlib import import_module

from lepton_automl.arrays import Json
from lepton_automl.errors import ConfigError, InputError
from lepton_automl.modality import Preprocess, modality_named
from lepton_automl.task import Decoder, task_named


def load_preprocess(data: Json) -> Preprocess:
    """The preprocessing back from its JSON.

    Args:
        data: What `to_json` gave.

    Raises:
        InputError: It is of a kind that is not known here.
    """
    name = data.get("input", {}).get("modality")
    try:
        modality = modality_named(name)
    except ConfigError as error:
        raise InputError(f"preprocessing of kind {name!r} is not known here. {error.fix}") from error
    found: Preprocess = getattr(import_module(modality.preprocess_modules[-1]), modality.preprocess_class).from_json(data)
    return found


def load_decoder(output: Json) -> Decoder:
    """What makes answers of a model's outputs.

    Args:
        output: The `"output"` of the preprocessing's JSON.

    Raises:
        InputError: It is of a task that is not known here.
    """
    name = output.get("task", "")
    try:
        task = task_named(name)
    except ConfigError as error:
        raise InputError(f"the task {name!r} is not known here. {error.fix}") from error
    found: Decoder = getattr(import_module(task.decoder_modules[-1]), task.decoder_class)(output)
    return found
