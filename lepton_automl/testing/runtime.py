"""The contract of runtimes. A plug-in's own test inherits `RuntimeContract` and provides its runtime."""

from __future__ import annotations

import pickletools
import random
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from lepton_automl import plugins
from lepton_automl.deployment.export import export, export_outputs
from lepton_automl.deployment.runtime import Runtime, Source, get_runtime, runtimes_for
from lepton_automl.errors import BundleError
from lepton_automl.shipped import artifact_loader
from lepton_automl.specs import Deployment
from lepton_automl.variant import Variant

from .shipped import clashing_names, foreign_imports

ROWS = 96
CLOSE = {"fp32": 1e-4, "bf16": 0.05, "int8": 0.1, "int8-dynamic": 0.1}  # tolerance of a probability


class Pictures(nn.Module):
    """A small untrained network of common kinds of layers that outputs probabilities."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.deep = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.wide = nn.Conv2d(8, 16, 1)
        self.head = nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, 3, 16, 16] to [N, 4]."""
        rows = self.wide(self.deep(self.stem(x).relu()).relu()).relu()
        answers: torch.Tensor = self.head(rows.mean((2, 3))).softmax(1)
        return answers


class Rows(nn.Module):
    """The same with linear layers only."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N, 12] to [N, 4]."""
        answers: torch.Tensor = self.layers(x).softmax(1)
        return answers


class RecurrentStep(nn.Module):
    """One step of a loop, with the state as an input and an output."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.change, self.head = nn.Embedding(4, 8), nn.Linear(8, 8), nn.Linear(8, 4)

    def forward(self, token: torch.Tensor, state: torch.Tensor) -> dict[str, torch.Tensor]:
        """[N] and [N, 8] to [N, 4] and [N, 8]."""
        after = (self.tokens(token) + self.change(state)).tanh()
        return {"scores": self.head(after), "next_state": after}


def source_of(module: nn.Module, shape: tuple[int, ...], folder: Path) -> Source:
    """A network with its exported file and sample inputs."""
    inputs = {"x": torch.randn(ROWS, *shape, generator=torch.Generator().manual_seed(0))}
    export(module.eval(), inputs, folder / "model.onnx")
    return Source(module, folder / "model.onnx", inputs)


class RuntimeContract:
    """The contract as pytest tests: a subclass provides `runtime`."""

    runtime: Runtime

    @pytest.fixture(params=["pictures", "rows"])
    def source(self, request: pytest.FixtureRequest, tmp_path: Path) -> Source:
        """A convolutional network, and one of linear layers."""
        if missing := self.runtime.missing():
            pytest.skip(f'pip install "{missing}"')
        torch.manual_seed(0)
        return (
            source_of(Pictures(), (3, 16, 16), tmp_path) if request.param == "pictures" else source_of(Rows(), (12,), tmp_path)
        )

    def test_it_is_chosen_by_its_name(self) -> None:
        """In a deployment; a runtime with a missing package is not used by default."""
        name = self.runtime.name
        assert plugins.is_known("runtimes", name) and type(get_runtime(name)) is type(self.runtime)
        assert Deployment(runtimes=(name,)).runtimes == (name,)
        default = not self.runtime.missing() and self.runtime.by_default
        assert (name in [runtime.name for runtime in runtimes_for(())]) == default

    def test_other_settings_run_the_same_file(self, source: Source, tmp_path: Path) -> None:
        """They are tried on the file of the fastest variant, with no more threads than allowed."""
        variant, path = Variant(runtime=self.runtime.name), tmp_path / f"plain{self.runtime.suffix}"
        self.runtime.write(variant, source, path)
        for other in self.runtime.settings(variant, 2):
            assert other.replace(options={}) == variant.replace(options={}) and other.options.get("threads", 1) <= 2
            assert self.runtime.open(path, other, threads=2)(_first(source, 1)).shape == (1, 4)

    def test_what_a_bundle_ships_opens_the_same_file(self, source: Source, tmp_path: Path) -> None:
        """From its bytes, with modules that need only NumPy and the runtime's packages."""
        modules = (*self.runtime.loader_modules,)
        needed = {re.split(r"[<>=!~ ]", package)[0] for package in self.runtime.packages}
        foreign = [name for name in foreign_imports(modules) if name.rpartition(" ")[2].partition(".")[0] not in needed]
        assert not foreign and not clashing_names(modules)
        variant, path = Variant(runtime=self.runtime.name), tmp_path / f"plain{self.runtime.suffix}"
        self.runtime.write(variant, source, path)
        loader = artifact_loader(variant.to_json())
        assert loader.operations(path.read_bytes()) == []
        shipped = loader.open(path.read_bytes(), rows=1)(_first(source, 7))
        assert np.array_equal(shipped, self.runtime.open(path, variant, rows=1)(_first(source, 7)))

    def test_every_variant_answers_as_its_module(self, source: Source, tmp_path: Path) -> None:
        """For any number of rows, from a file that could come from another process."""
        with torch.inference_mode():
            expected = source.module(**source.inputs).numpy()
        variants = [variant for variant in self.runtime.variants(source) if not variant.options.get("compiled")]
        variants += [
            fallback_variants
            for full in variants
            if full.precision == "int8"
            for fallback_variants in self.runtime.fallback_variants(full, source)
        ]
        assert Variant(runtime=self.runtime.name) in variants
        for number, variant in enumerate(variants):
            path = tmp_path / f"{number}{self.runtime.suffix}"
            self.runtime.write(variant, source, path)
            opened = self.runtime.open(path, variant, rows=1)
            assert opened.any_rows
            for count in (1, 7, ROWS):
                answers = opened(_first(source, count))
                assert answers.shape == (count, 4) and answers.dtype == np.float32
                assert float(np.abs(answers - expected[:count]).max()) < CLOSE[variant.precision], variant.name

    def test_several_outputs_are_given_by_name(self, tmp_path: Path) -> None:
        """As the programs of a network give them; inputs may be integers."""
        if missing := self.runtime.missing():
            pytest.skip(f'pip install "{missing}"')
        torch.manual_seed(0)
        module, variant = RecurrentStep().eval(), Variant(runtime=self.runtime.name)
        inputs = {"token": torch.arange(ROWS) % 4, "state": torch.randn(ROWS, 8)}
        export_outputs(module, inputs, tmp_path / "model.onnx")
        path = tmp_path / f"step{self.runtime.suffix}"
        self.runtime.write(variant, Source(module, tmp_path / "model.onnx", inputs), path)
        opened = self.runtime.open(path, variant, rows=1)
        with torch.inference_mode():
            expected = module(**inputs)
        for count in (1, ROWS):
            outputs = opened.outputs({name: rows[:count].numpy() for name, rows in inputs.items()})
            assert [*outputs] == [*expected] == ["scores", "next_state"]
            assert all(np.allclose(outputs[name], expected[name][:count].numpy(), atol=CLOSE["fp32"]) for name in expected)

    def test_an_answer_is_not_changed_by_the_next_call(self, source: Source, tmp_path: Path) -> None:
        """No answer is a view of memory that the next call writes to."""
        opened = self._plain(source, tmp_path)
        first_answer = opened(_first(source, 1))
        copy = first_answer.copy()
        opened({name: 1 - rows for name, rows in _first(source, 1).items()})
        assert np.array_equal(first_answer, copy)

    def test_the_state_of_the_process_is_unchanged(self, source: Source, tmp_path: Path) -> None:
        """Opening and calling a file does not change the process's random states, threads or modes."""
        threads = torch.get_num_threads()
        try:
            torch.set_num_threads(threads + 1)
            before = _process()
            self._plain(source, tmp_path)(_first(source, 1))
            assert _process() == before
        finally:
            torch.set_num_threads(threads)

    def test_nothing_in_a_file_is_pickled(self, source: Source, tmp_path: Path) -> None:
        """An untrusted file cannot run code."""
        path = tmp_path / f"plain{self.runtime.suffix}"
        self.runtime.write(Variant(runtime=self.runtime.name), source, path)
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                assert not any(_unpickles(archive.read(name)) for name in archive.namelist())
        else:
            assert not _unpickles(path.read_bytes())

    def test_an_invalid_file_is_refused(self, source: Source, tmp_path: Path) -> None:
        """With a `BundleError`, not with the runtime's own exception."""
        del source
        path = tmp_path / f"broken{self.runtime.suffix}"
        path.write_bytes(b"this is no model")
        with pytest.raises(BundleError, match=r"cannot open|damaged"):
            self.runtime.open(path, Variant(runtime=self.runtime.name))

    def _plain(self, source: Source, folder: Path):  # type: ignore[no-untyped-def]  # noqa: ANN202  # an opened model
        path = folder / f"plain{self.runtime.suffix}"
        self.runtime.write(Variant(runtime=self.runtime.name), source, path)
        return self.runtime.open(path, Variant(runtime=self.runtime.name), rows=1)


def _process() -> list[Any]:
    """The global state that other code in the process uses."""
    modes = [torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.get_default_dtype(), torch.get_num_threads()]
    numpy_state = str(np.random.get_state())  # noqa: NPY002  # the global state
    return [*modes, torch.get_rng_state().tolist(), numpy_state, random.getstate(), np.geterr()]


def _first(source: Source, count: int) -> dict[str, NDArray[np.float32]]:
    return {name: rows[:count].numpy() for name, rows in source.inputs.items()}


def _unpickles(content: bytes) -> bool:
    """Whether bytes are a complete pickle; a torch file would begin with one."""
    try:
        return len(list(pickletools.genops(content))) > 1
    except Exception:
        return False
