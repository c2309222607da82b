"""Writes a network in a variant, opens the file and checks its outputs."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np

from lepton_automl.deployment.artifact import open_artifact, opens_safely, write_artifact
from lepton_automl.deployment.open_artifact import InferenceSession
from lepton_automl.deployment.program_network import as_programs
from lepton_automl.deployment.runtime import Source, get_runtime
from lepton_automl.deployment.verify import ExpectedAnswers, compare
from lepton_automl.errors import BundleError, LeptonError, in_one_line
from lepton_automl.specs import Deployment
from lepton_automl.variant import Variant

MOST_ROW_DIFFERENCE = (
    0.1  # largest mean difference between int8 outputs of single rows and of a batch, as a share of their spread
)


def open_variant(  # the source, where to, and what to compare with
    variant: Variant,
    source: Source,
    folder: Path,
    deployment: Deployment,
    expected: ExpectedAnswers,
    *,
    guarded: bool = False,
) -> tuple[Path, InferenceSession]:
    """Write a network's artifact in a variant, open it, and check its outputs; returns its path and the opened model.

    Args:
        variant: The runtime and precision.
        source: The network.
        folder: Where to write the file; one that is there already is used again.
        deployment: The device.
        expected: The network's outputs.
        guarded: Whether the file is first opened in a separate process.

    Raises:
        BundleError: It cannot be written or opened, or its outputs are wrong.
    """
    runtime = get_runtime(variant.runtime)
    path = folder / f"{_file_of(variant)}{runtime.suffix}"  # shared by runtimes that read ONNX
    if not path.exists():
        write_artifact(variant, source, path)
    settings = {"threads": deployment.threads, "rows": deployment.batch_size}
    if guarded and not opens_safely(path, variant, **settings):
        raise BundleError(f"{variant.name} crashes the process that opens it")
    network = as_programs(source.module)
    model = open_artifact(path, variant, network and network.decoder, **settings)
    try:
        check_artifact(variant, model, expected)
    except LeptonError:
        raise
    except Exception as error:  # a kernel may still fail after opening; the exceptions have no common base
        raise BundleError(f"{variant.name} cannot run: {in_one_line(error)}") from error
    return path, model


def check_artifact(variant: Variant, model: InferenceSession, expected: ExpectedAnswers) -> None:
    """Check the outputs of an artifact against those of the network.

    A float32 artifact must reproduce the network's outputs. An int8 one must return similar outputs for a single row and for
    the row in a batch; otherwise it is judged by its score. OpenVINO 2026.4 sometimes returned uninitialised memory.

    Args:
        variant: The artifact's variant.
        model: The opened artifact.
        expected: The network's outputs, in a batch and row by row.

    Raises:
        BundleError: The outputs are wrong.
    """
    if variant.precision == "fp32":
        try:
            compare(expected, model)
        except BundleError as error:
            raise BundleError(f"{variant.name}: {error.what}") from error
        return
    rows = expected.rows
    answers = model(rows)
    if answers.shape != expected.together.shape or not np.isfinite(answers).all():
        raise BundleError(
            f"{variant.name} returns outputs of shape {answers.shape}, expected {expected.together.shape}, or non-finite values"
        )
    alone = np.concatenate([model({name: array[n : n + 1] for name, array in rows.items()}) for n in range(len(answers))])
    spread = float(expected.together.std()) or 1.0
    if not np.isfinite(alone).all() or float(np.abs(alone - answers).mean()) > MOST_ROW_DIFFERENCE * spread:
        raise BundleError(f"{variant.name} returns different outputs for a single row and for the row in a batch")


def _file_of(variant: Variant) -> str:
    """A file name for the weights and precision, whatever the runtime; layer names may contain slashes and are hashed."""
    if not variant.quantizer:
        return "float"
    content = json.dumps([variant.floats, bool(variant.options.get("seven_bit"))])
    return f"{variant.precision}-{variant.quantizer}-{zlib.crc32(content.encode()):08x}"
