"""The contract of modalities. A plug-in's own test inherits `ModalityContract` and provides its modality and sample data."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from lepton_automl import plugins
from lepton_automl.arrays import Array
from lepton_automl.cells import objects
from lepton_automl.data.open import Data, open_data
from lepton_automl.data.options import DataOptions
from lepton_automl.data.store import PREPROCESS
from lepton_automl.explanation import ExplainableModality
from lepton_automl.modality import Modality, PerturbableModality, modality_named
from lepton_automl.plans import Augmentation, TrainPlan
from lepton_automl.shipped import load_preprocess
from lepton_automl.specs import DataSpec, InputSpec
from lepton_automl.task import task_of

from .shipped import bundle_code, clashing_names, foreign_imports

LIMITS = {"max_pixels": 1_000_000}  # of a request over HTTP
COPIES = 30  # of the examples, in a large batch


class ModalityContract:
    """The contract as pytest tests: a subclass provides `modality`, `source` and `strangers`.

    Attributes:
        modality: The modality under test.
        options: Options of `fit` that the sample data need.
    """

    modality: Modality
    options: ClassVar[Mapping[str, Any]] = {}

    def source(self, folder: Path, seed: int) -> Any:
        """A source of about 100 examples with targets; each seed gives different examples of the same kind.

        Args:
            folder: An existing folder that files may be written to.
            seed: 0 or more.
        """
        raise NotImplementedError

    def strangers(self, folder: Path) -> list[Any]:
        """Sources of other kinds, which the modality must not claim; files may be written to the folder."""
        raise NotImplementedError

    @pytest.fixture
    def data(self, tmp_path: Path) -> Data:
        """The sample data, prepared."""
        return self._prepared(tmp_path, "data", None)

    def test_it_is_chosen_by_its_name(self) -> None:
        """In `fit(modality=...)`, and in the JSON of its input and augmentation."""
        assert plugins.is_known("modalities", self.modality.name)
        assert type(modality_named(self.modality.name)) is type(self.modality)
        assert self.modality.Input.kind == self.modality.name
        assert self.modality.Augmentation is None or self.modality.Augmentation.kind == self.modality.name

    def test_it_claims_its_own_sources_and_no_others(self, tmp_path: Path) -> None:
        """A claim has a confidence and a reason."""
        (tmp_path / "own").mkdir()
        (tmp_path / "strangers").mkdir()
        claim = self.modality.recognize(self.source(tmp_path / "own", 0))
        assert claim is not None and 0 < claim.confidence <= 1 and claim.reason
        for stranger in self.strangers(tmp_path / "strangers"):
            assert self.modality.recognize(stranger) is None, f"it claims {stranger!r}"

    def test_nothing_is_learned_from_test_rows(self, tmp_path: Path) -> None:
        """With different test data the preprocessing and the training rows are the same."""
        first, second = (self._prepared(tmp_path, f"test-{seed}", seed) for seed in (1, 2))
        assert first.preprocess.to_json() == second.preprocess.to_json()
        assert first.spec.input == second.spec.input and first.spec.output == second.spec.output
        assert _same(_arrays(first), _arrays(second))

    def test_a_row_has_the_same_bits_alone_in_a_batch_and_after_json(self, data: Data) -> None:
        """Whatever the other rows are, and also with the code of a bundle."""
        described = json.loads((Path(data.spec.folder) / PREPROCESS).read_text())
        ours, shipped = load_preprocess(described), bundle_code(self.modality, task_of(data.spec)).load_preprocess(described)
        batch = self.modality.call(data.examples)
        expected = data.preprocess.arrays(batch)
        assert [len(part) for part in expected.values()] == [len(data.examples)] * len(expected)
        for preprocess in (ours, shipped):
            assert _same(preprocess.arrays(batch), expected)
        many = data.preprocess.arrays(self.modality.call(data.examples * COPIES))
        assert _same({name: part[: len(data.examples)] for name, part in many.items()}, expected)
        for number, example in enumerate(data.examples):
            row = {name: part[number : number + 1] for name, part in expected.items()}
            assert _same(data.preprocess.arrays(example), row)
            assert _same(data.preprocess.arrays(self.modality.call([example])), row)

    def test_stored_rows_match_the_preprocessing(self, data: Data) -> None:
        """In the names, types and shapes of the inputs; no examples give arrays without rows."""
        arrays = data.preprocess.arrays(self.modality.call(data.examples))
        stored = _arrays(data)
        assert {name: (part.dtype, part.shape[1:]) for name, part in arrays.items()} == {
            name: (part.dtype, part.shape[1:]) for name, part in stored.items()
        }
        empty = data.preprocess.arrays([])
        assert {name: part.shape for name, part in empty.items()} == {
            name: (0, *part.shape[1:]) for name, part in stored.items()
        }

    def test_one_example_is_distinguished_from_a_list_of_one(self, data: Data) -> None:
        """It gets one answer; the list gets an array of one."""
        assert data.preprocess.is_single(data.examples[0])
        assert not data.preprocess.is_single(self.modality.call(data.examples[:1]))

    def test_context_has_a_value_for_each_row(self, data: Data) -> None:
        """What decoding needs from the input; a row has the same alone and in a batch."""
        batch = data.preprocess.context(self.modality.call(data.examples))
        for number, example in enumerate(data.examples):
            alone = data.preprocess.context(example)
            assert {name: np.asarray(part)[0] for name, part in alone.items()} == {
                name: np.asarray(part)[number] for name, part in batch.items()
            }

    def test_a_request_becomes_arrays(self, data: Data) -> None:
        """The sample row of a request has its columns, is JSON, and can be read."""
        row = data.preprocess.sample_request()
        assert set(row) == set(data.preprocess.request_columns)
        rows = [json.loads(json.dumps(row))] * 2
        arrays = data.preprocess.arrays(data.preprocess.from_request(rows, LIMITS))
        assert {name: part.shape for name, part in arrays.items()} == {
            name: (2, *part.shape[1:]) for name, part in _arrays(data).items()
        }

    def test_a_table_of_requests_becomes_the_same_arrays(self, data: Data) -> None:
        """If its preprocessing reads whole columns."""
        if not hasattr(data.preprocess, "from_table"):
            return
        row = data.preprocess.sample_request()
        columns = {name: objects([cell] * 40) for name, cell in row.items()}
        arrays = data.preprocess.arrays(data.preprocess.from_table(columns, LIMITS))
        by_rows = data.preprocess.arrays(data.preprocess.from_request([row] * 40, LIMITS))
        assert all(np.array_equal(part, by_rows[name]) for name, part in arrays.items()) and len(arrays) == len(by_rows)

    def test_its_values_survive_json(self, data: Data) -> None:
        """The input and the spec of the data, the options, the augmentation."""
        assert InputSpec.from_json(_through_json(data.spec.input.to_json())) == data.spec.input
        assert DataSpec.from_json(_through_json(data.spec.to_json())) == data.spec
        options = self.modality.Options()
        assert self.modality.Options.from_json(_through_json(options.to_json())) == options
        if self.modality.Augmentation is not None:
            augmentation = self.modality.Augmentation()
            assert Augmentation.from_json(_through_json(augmentation.to_json())) == augmentation
            assert TrainPlan.from_json(_through_json(TrainPlan(augment=augmentation).to_json())).augment == augmentation

    def test_what_a_bundle_ships_needs_numpy_alone(self) -> None:
        """Apart from what every bundle ships."""
        assert not foreign_imports(self.modality.preprocess_modules)
        assert not clashing_names(self.modality.preprocess_modules)

    def test_it_provides_its_texts(self, data: Data) -> None:
        """For reports, model cards and MLflow."""
        modality, spec, usage = self.modality, data.spec, self.modality.usage
        texts = [modality.describe(spec), modality.row(spec), usage.article, usage.example, usage.plural, usage.file]
        assert all(isinstance(text, str) and text for text in [*texts, usage.python, usage.files, usage.request, usage.takes])
        schema = modality.schema(spec)
        assert schema and all(name and kind for name, kind in schema)
        json.dumps(modality.facts(spec))
        assert all(column.name and column.kind for column in modality.columns(spec))

    def test_a_stored_row_can_be_shown(self, data: Data) -> None:
        """As an image, or in the units of its source."""
        inputs = {name: part[:2] for name, part in _arrays(data).items()}
        rows = self.modality.original(data.preprocess, inputs, [0, 1])
        picture = self.modality.thumbnail({name: part[0] for name, part in inputs.items()})
        assert len(rows) == 2 and (picture or all(rows))
        json.dumps(rows, default=str)

    def test_each_part_can_be_perturbed(self, data: Data) -> None:
        """If its examples have parts: names, types and shapes of the arrays stay, and the given ones are not changed."""
        modality = self.modality
        if not isinstance(modality, PerturbableModality):
            return
        inputs, untouched, rng = _arrays(data), _arrays(data), np.random.default_rng(0)
        inputs = {name: part.copy() for name, part in inputs.items()}
        parts = modality.parts(data.spec, data.preprocess, inputs)
        assert parts.names and len(set(parts.names)) == len(parts.names)
        assert not parts.grid or math.prod(parts.grid) == len(parts.names)
        everything = range(len(parts.names))
        for numbers in (*([number] for number in everything), everything):
            changed = modality.perturbed(data.spec, data.preprocess, inputs, numbers, rng)
            assert _same(inputs, untouched)
            assert {name: (part.dtype, part.shape) for name, part in changed.items()} == {
                name: (part.dtype, part.shape) for name, part in inputs.items()
            }
        assert all(not np.array_equal(part, inputs[name]) for name, part in changed.items())  # every input belongs to a part

    def test_unknown_parts_are_those_of_the_background(self, data: Data) -> None:
        """If its answers can be explained: known parts are those of the example, whole and without overlap."""
        modality = self.modality
        if not isinstance(modality, ExplainableModality):
            return
        inputs = {name: part[:1].copy() for name, part in _arrays(data).items()}
        background = modality.cover(data.preprocess, inputs) or {name: part[1:3] for name, part in _arrays(data).items()}
        parts = modality.explained_parts(data.preprocess, inputs).names
        cells, count = modality.cells(data.preprocess, data.examples[0]), len(next(iter(background.values())))
        assert len(cells) in {0, len(parts)} and all(isinstance(cell, str) for cell in cells)
        known = np.concatenate(
            [np.ones((1, len(parts)), bool), np.zeros((count, len(parts)), bool), np.eye(len(parts), dtype=bool)]
        )
        rows = np.concatenate([[0], np.arange(count), np.zeros(len(parts), np.int64)])
        mixed = modality.mixtures(data.preprocess, inputs, background, known, rows)
        assert _same({name: part[:1] for name, part in mixed.items()}, inputs)
        for name, part in mixed.items():
            unknown = part[1 : 1 + count]
            assert np.array_equal(unknown, background[name]) and part.dtype == inputs[name].dtype
            changed = (part[1 + count :] != unknown[:1]).sum(0)  # each element belongs to one part
            assert np.array_equal(changed, (inputs[name] != unknown[:1])[0].astype(int))

    def test_a_users_own_network_gets_one_tensor(self, data: Data) -> None:
        """It has the shape that the spec gives."""
        import torch

        tensor = self.modality.entry(data.spec)(**{name: part[:2] for name, part in data.train.inputs.items()})
        assert tensor.shape == (2, *data.spec.input_shape) and tensor.dtype == torch.float32

    def _prepared(self, folder: Path, name: str, test: int | None) -> Data:
        places = [folder / name / part for part in ("source", "test")]
        for place in places:
            place.mkdir(parents=True)
        test_source = None if test is None else self.source(places[1], test)
        options = DataOptions(modality=self.modality.name, **self.options)
        return open_data(self.source(places[0], 0), folder / name / "prepared", options, test=test_source)


def _arrays(data: Data) -> dict[str, Array]:
    return {name: part.numpy() for name, part in data.train.inputs.items()}


def _same(first: Mapping[str, Array], second: Mapping[str, Array]) -> bool:
    """Whether both have the same arrays, bit for bit."""
    return first.keys() == second.keys() and all(
        part.dtype == second[name].dtype and part.shape == second[name].shape and part.tobytes() == second[name].tobytes()
        for name, part in first.items()
    )


def _through_json(value: Any) -> Any:
    return json.loads(json.dumps(value, allow_nan=False))
