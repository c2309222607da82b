"""Export networks of several programs: the files of one network are in one folder."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from lepton_automl.arrays import Array
from lepton_automl.errors import BundleError
from lepton_automl.generation import Generation

from .eager import TorchModel
from .export import export, export_outputs
from .integrity import is_plain_name
from .open_artifact import InferenceSession
from .program_network import ProgramNetwork, as_programs
from .verify import ROWS, compare, expected_answers, spread_rows

ONNX = ".onnx"
MOST_RECORDED = 512  # rows of a program's recorded calls that it is traced and compared on


def export_network(
    module: nn.Module, inputs: dict[str, Tensor], path: Path, *, rows: int = ROWS, alone: int | None = None
) -> InferenceSession:
    """Export a network of one program or of several, and check that its files return the network's outputs.

    Each program is traced and compared on what the loop calls it with, and the loop over all files is compared with the loop over
    the network's own programs.

    Args:
        module: Called as `module(**inputs)`; see `models.deployable`.
        inputs: One or more example rows by argument name.
        path: Where to write: the file, or the folder for several files, which is created.
        rows: How many of the rows to compare on, in one call and one by one.
        alone: How many of these to run through the network one by one; all by default.

    Returns:
        The opened network, for one thread.

    Raises:
        BundleError: As for `export`; or the loop never calls a program, or calls it with arrays of several shapes.
    """
    network = as_programs(module)
    if network is None:
        return export(module, inputs, path, rows=rows, alone=alone)
    expected = expected_answers(module, inputs, rows=rows, alone=alone)
    recorded = recorded_inputs(network, spread_rows(inputs, rows))
    path.mkdir()
    sessions = {}
    for name, program in network.programs.items():
        examples = spread_rows(recorded[name], rows)
        sessions[name] = export_outputs(program, examples, path / f"{name}{ONNX}", rows=rows, alone=alone)
    model = Generation(sessions, network.decoder)
    compare(expected, model)
    return model


def torch_session(module: nn.Module, threads: int) -> InferenceSession:
    """A network of one program or of several in PyTorch, called like an opened file."""
    network = as_programs(module)
    if network is None:
        return TorchModel(module, threads)
    return Generation({name: TorchModel(program, threads) for name, program in network.programs.items()}, network.decoder)


def recorded_inputs(module: ProgramNetwork, inputs: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """The inputs that the loop calls each program with for some rows, of all calls together.

    Raises:
        BundleError: A program's name cannot be that of a file, the loop never calls a program, or calls it with arrays of several
            shapes.
    """
    threads = torch.get_num_threads()
    recorders = {name: _Recorder(TorchModel(program, threads)) for name, program in module.programs.items()}
    Generation(recorders, module.decoder)({name: rows.numpy() for name, rows in inputs.items()})
    recorded_by_program = {}
    for name, recorder in recorders.items():
        if not is_plain_name(name) or not recorder.calls:
            what = "cannot be the name of a file" if recorder.calls else "is a program that the loop of the task never calls"
            raise BundleError(f"{name!r} {what}", where="export", fix="Change what programs() of the network's family returns.")
        shapes = [{key: array.shape[1:] for key, array in call.items()} for call in recorder.calls]
        if any(other != shapes[0] for other in shapes):
            what = f"the loop of the task calls the program {name!r} with arrays of several shapes"
            raise BundleError(what, where="export", fix="Only the number of rows may change from call to call.")
        stacked = {key: torch.cat([torch.from_numpy(call[key]) for call in recorder.calls]) for key in recorder.calls[0]}
        recorded_by_program[name] = spread_rows(stacked, MOST_RECORDED)
    return recorded_by_program


class _Recorder:
    """A program that records the inputs of its calls."""

    any_rows = True

    def __init__(self, program: TorchModel) -> None:
        self.program = program
        self.calls: list[dict[str, Array]] = []

    def outputs(self, arrays: dict[str, Array]) -> dict[str, Array]:
        self.calls.append({name: array.copy() for name, array in arrays.items()})
        return self.program.outputs(arrays)
