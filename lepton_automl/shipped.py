"""What a bundle ships from the plug-ins that its model needs: preprocessing, decoder and loader of the model's file.

A bundle defines these functions itself, for its one modality, task and runtime; here, plug-ins are looked up by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from lepton_automl import plugins
from lepton_automl.arrays import Json
from lepton_automl.errors import BundleError, ConfigError, InputError
from lepton_automl.modality import Preprocess, modality_named
from lepton_automl.task import Decoder, task_named
from lepton_automl.variant import Variant


def load_preprocess(data: Json) -> Preprocess:
    """The preprocessing from its JSON.

    Args:
        data: The result of `to_json`.

    Raises:
        InputError: Its kind is not known here.
    """
    name = data.get("input", {}).get("modality")
    try:
        modality = modality_named(name)
    except ConfigError as error:
        raise InputError(f"preprocessing of kind {name!r} is not known here. {error.fix}") from error
    preprocess: Preprocess = getattr(import_module(modality.preprocess_modules[-1]), modality.preprocess_class).from_json(data)
    return preprocess


def load_decoder(output: Json) -> Decoder:
    """The decoder, which makes answers from a model's outputs.

    Args:
        output: The `"output"` of the preprocessing's JSON.

    Raises:
        InputError: Its task is not known here.
    """
    name = output.get("task", "")
    try:
        task = task_named(name)
    except ConfigError as error:
        raise InputError(f"the task {name!r} is not known here. {error.fix}") from error
    decoder: Decoder = getattr(import_module(task.decoder_modules[-1]), task.decoder_class)(output)
    return decoder


def artifact_loader(variant: Mapping[str, Any]) -> Any:
    """The loader of a model's file, a `deployment.open_artifact.ArtifactLoader`.

    Args:
        variant: A `Variant` as JSON, which names the runtime.

    Raises:
        BundleError: The runtime is not known here.
    """
    name = variant.get("runtime", Variant.runtime)
    try:
        runtime = plugins.instance("runtimes", name)
    except (ConfigError, TypeError) as error:
        fix = "Install the package that provides it, or run the bundle's own predict.py, which needs none."
        raise BundleError(f"the runtime {name!r} of this model is not known here", where="runtime", fix=fix) from error
    return getattr(import_module(runtime.loader_modules[-1]), runtime.loader_class)(variant)
