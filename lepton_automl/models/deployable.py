"""Networks that return a task's answers."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from torch import nn

from lepton_automl.errors import ConfigError
from lepton_automl.family import ProgramFamily, family_named
from lepton_automl.generation import GeneratingDecoder
from lepton_automl.recipe import CUSTOM
from lepton_automl.shipped import load_decoder
from lepton_automl.specs import DataSpec
from lepton_automl.task import task_of

from .generating import GeneratingNetwork


def deployable(model: Any, spec: DataSpec) -> Any:
    """Return a copy in evaluation mode whose `forward` returns the task's answers, numbers in the target's own unit.

    Its family optimises the copy for inference where it can. Where the family exports several programs, `forward` runs the
    task's loop over them.

    Args:
        model: A trained network; it is not changed.
        spec: Describes the data and names the task.

    Raises:
        ConfigError: The family exports several programs, and the task has no loop for them.
    """
    copied = copy.deepcopy(model)
    copied.eval()
    family = None if copied.recipe.family == CUSTOM else family_named(copied.recipe.family)
    if family is not None:
        family.for_inference(copied)
    copied.finish = task_of(spec).answers(spec.output, members=copied.ensemble, unit=True)
    if isinstance(family, ProgramFamily):
        return _generating(family.programs(copied), copied.recipe.family, spec)
    return copied


def _generating(programs: Mapping[str, nn.Module], family: str, spec: DataSpec) -> GeneratingNetwork:
    decoder = load_decoder({"task": spec.task, "target": spec.target, **spec.output.shipped()})
    if not isinstance(decoder, GeneratingDecoder):
        what = (
            f"networks of the family {family!r} have the programs {', '.join(programs)}, and the task {spec.task!r} has no loop"
        )
        raise ConfigError(what, where="family", fix="Choose another family: its accepts() should refuse this task.")
    return GeneratingNetwork(programs, decoder).eval()
