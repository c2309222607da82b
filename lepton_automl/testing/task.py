"""The contract of tasks. A plug-in's test inherits `TaskContract` and provides its task, sample targets and perfect outputs."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lepton_automl import plugins
from lepton_automl.arrays import Array, Json
from lepton_automl.data.options import DataOptions
from lepton_automl.data.targets import read_targets
from lepton_automl.deployment.export import export
from lepton_automl.errors import ConfigError
from lepton_automl.modality import modality_named
from lepton_automl.plans import TrainPlan
from lepton_automl.shipped import load_decoder
from lepton_automl.specs import DataSpec, InputSpec, OutputSpec
from lepton_automl.task import Decoder, Targets, Task, task_named

from .metric import check_scorer
from .shipped import bundle_code, clashing_names, foreign_imports

ROWS = 60
CLOSE = 1e-5  # tolerance, of a share or of a target's deviation, for float32 and standardised targets
TYPES = {"boolean", "long", "string", "double", "any"}


class TaskContract:
    """The contract as pytest tests: a subclass provides `task`, `cells` and `perfect`.

    Attributes:
        task: The task under test.
        options: Options of `fit` that the sample targets need.
        inferred: Whether the task is inferred from such targets; else it has to be requested.
    """

    task: Task
    options: ClassVar[Mapping[str, Any]] = {}
    inferred: bool = True

    def cells(self, rows: int) -> Array:
        """Targets as a user gives them, [rows]; no two neighbours are equal."""
        raise NotImplementedError

    def perfect(self, stored: Array, output: OutputSpec) -> Array:
        """Outputs of a network that predicts the stored targets perfectly, float32 [N, K]."""
        raise NotImplementedError

    def context(self, rows: int) -> dict[str, Any]:
        """What decoding needs from the inputs; see `Preprocess.context`."""
        del rows
        return {}

    def truth(self, cells: Array, context: Mapping[str, Any]) -> list[Any]:
        """The expected result of decoding perfect outputs; by default the cells themselves."""
        del context
        return list(cells.tolist())

    @functools.cached_property
    def targets(self) -> Targets:
        """The sample targets, encoded."""
        options = DataOptions(task=self.task.name, **self.options)
        return read_targets(self.cells(ROWS), options, "target")

    @functools.cached_property
    def output(self) -> OutputSpec:
        """The task's part of a spec."""
        return self.task.output(self.targets, np.arange(ROWS), DataOptions(task=self.task.name, **self.options))

    @functools.cached_property
    def stored(self) -> Array:
        """The sample targets as training reads them."""
        return self.task.stored(self.targets.encoded, self.output)

    @functools.cached_property
    def spec(self) -> DataSpec:
        """The spec of data for this task, with a generic input."""
        rows = {"train": ROWS, "validation": 0, "test": 0}
        return DataSpec(name="rows", folder="/nowhere", target="target", input=InputSpec(), output=self.output, **rows)  # type: ignore[arg-type]  # numbers

    @property
    def outputs(self) -> Tensor:
        """Perfect outputs [N, K]."""
        return torch.from_numpy(self.perfect(self.stored, self.output))

    def answers(self, outputs: Tensor, *, members: bool = False, unit: bool = True) -> Tensor:
        """The task's answers for outputs."""
        module = self.task.answers(self.output, members=members, unit=unit)
        module.eval()
        with torch.inference_mode():
            result: Tensor = module(outputs)
        return result

    def decoder(self, learned: Json | None = None) -> Decoder:
        """The decoder of a bundle."""
        return load_decoder(self._shipped(learned))

    def scores(self, answers: Tensor) -> dict[str, float]:
        """The scores of answers in the target's own unit."""
        return self.task.scores(answers, self._truth(), self.output)

    def test_it_is_chosen_by_its_name(self) -> None:
        """In `fit(task=...)`, and in the JSON of its part of a spec."""
        assert plugins.is_known("tasks", self.task.name) and type(task_named(self.task.name)) is type(self.task)
        assert self.output.kind == self.task.name and isinstance(self.output, self.task.Output)

    def test_it_is_inferred_from_its_targets(self) -> None:
        """Unless it has to be requested."""
        targets = read_targets(self.cells(ROWS), DataOptions(**({} if self.inferred else {"task": self.task.name})), "target")
        assert targets.task == self.task.name and targets.notes

    def test_targets_are_encoded_row_by_row(self) -> None:
        """All sample targets are kept, and strata, if any, have one value per row."""
        assert self.targets.task == self.task.name
        assert len(self.targets.encoded) == len(self.targets.rows) == ROWS
        self.task.check_train(self.targets, np.arange(ROWS))
        strata = self.task.strata(self.targets)
        assert strata is None or (strata.shape == (ROWS,) and strata.dtype.kind == "i")
        assert len(self.stored) == ROWS and torch.from_numpy(self.stored) is not None

    def test_its_part_of_the_spec_survives_json(self) -> None:
        """It has classes if targets are labels."""
        assert OutputSpec.from_json(_through_json(self.output.to_json())) == self.output
        assert bool(self.output.classes) == (self.task.holds == "labels")
        assert self.outputs.shape == (ROWS, self.output.size)
        json.dumps(self._shipped(None), allow_nan=False)

    def test_perfect_outputs_are_decoded_to_the_truth(self) -> None:
        """Shapes are those that the decoder gives, also for no rows."""
        answers, context = self.answers(self.outputs).numpy(), self.context(ROWS)
        decoder = self.decoder()
        assert answers.shape == decoder.shape(ROWS) and decoder.shape(0)[0] == 0
        decoded = decoder.decode(answers, context)
        assert len(decoded) == ROWS
        _assert_equal(decoded.tolist(), self.truth(self.cells(ROWS), context))
        assert decoder.classes == list(self.output.classes)

    def test_a_bundle_decodes_in_the_same_way(self) -> None:
        """Its code needs only NumPy."""
        assert not foreign_imports(self.task.decoder_modules)
        assert not clashing_names(self.task.decoder_modules)
        modality = modality_named(plugins.names("modalities")[0])
        shipped = bundle_code(modality, self.task).load_decoder(_through_json(self._shipped(None)))
        answers, context = self.answers(self.outputs).numpy(), self.context(ROWS)
        assert shipped.decode(answers, context).tolist() == self.decoder().decode(answers, context).tolist()

    def test_the_columns_of_an_answer_are_consistent(self) -> None:
        """Names, types and cells, as in a response over HTTP."""
        decoder, answers = self.decoder(), self.answers(self.outputs).numpy()
        table = decoder.table(answers, self.context(ROWS))
        assert len(table) == len(decoder.columns) == len(decoder.types()) and set(decoder.types()) <= TYPES
        assert [len(column) for column in table] == [ROWS] * len(table) and len(set(decoder.columns)) == len(decoder.columns)
        json.dumps(table, allow_nan=False)

    def test_probabilities_are_given_if_declared(self) -> None:
        """One per class; else `ConfigError` is raised."""
        answers = self.answers(self.outputs).numpy()
        if not self.task.probabilities:
            with pytest.raises(ConfigError):
                self.decoder().probabilities(answers)
            return
        probabilities = self.decoder().probabilities(answers)
        assert probabilities.shape == (ROWS, len(self.output.classes))
        assert (probabilities >= 0).all() and (probabilities <= 1 + CLOSE).all()

    def test_answers_of_an_ensemble_are_those_of_its_members_where_they_agree(self) -> None:
        """Answers in the target's own unit are the standardised ones, scaled back."""
        outputs = self.outputs
        alone, together = self.answers(outputs), self.answers(torch.stack([outputs] * 3, 1), members=True)
        scale = float(alone.double().std()) or 1.0
        assert torch.allclose(alone, together, atol=CLOSE * scale, rtol=CLOSE)
        scaled = self.task.to_unit(self.answers(outputs, unit=False), self.output)
        assert torch.allclose(scaled.double(), alone.double(), atol=CLOSE * scale, rtol=CLOSE)

    def test_scores_of_an_exported_file_are_those_of_the_module(self, tmp_path: Path) -> None:
        """For every metric."""
        network, outputs = _Outputs(self.task.answers(self.output, members=False, unit=True)), self._shifted()
        exported = export(network, {"outputs": outputs}, tmp_path / "answers.onnx")({"outputs": outputs.numpy()})
        ours, files = self.scores(self.answers(outputs)), self.scores(torch.from_numpy(exported))
        assert set(ours) <= set(self.task.metrics) and next(iter(self.task.metrics)) in ours
        assert self.task.share_metric in self.task.metrics
        assert files == pytest.approx(ours, rel=1e-4, abs=1e-6, nan_ok=True)

    def test_every_score_has_a_paired_interval(self) -> None:
        """The scorers give the same values as `scores`, and meet the contract of scorers."""
        answers, others = self.answers(self._shifted()), self.answers(self.outputs.roll(3, 0))
        scorers, scores = self.task.scorers(self.output), self.scores(answers)
        assert list(scorers) == list(self.task.metrics) == list(scores)
        for name, scorer in scorers.items():
            value = check_scorer(scorer, answers.numpy(), others.numpy(), self._truth().numpy())
            assert value == pytest.approx(scores[name], rel=CLOSE, abs=CLOSE, nan_ok=True), name

    def test_right_answers_have_better_scores_and_less_loss(self) -> None:
        """By the default metric, the training loss and the validation loss; other metrics may depend on all rows together."""
        right, wrong = self.scores(self.answers(self.outputs)), self.scores(self.answers(self._shifted()))
        name, metric = next(iter(self.task.metrics.items()))
        assert right[name] > wrong[name] if metric.direction == "maximize" else right[name] < wrong[name]
        assert self.task.validation_loss(right, self.output) < self.task.validation_loss(wrong, self.output)
        assert np.isfinite(self.task.untrained_loss(self.output))
        criterion, targets = self.task.criterion(self.spec, TrainPlan()), torch.from_numpy(self.stored)
        outputs = self._shifted().requires_grad_()
        loss: Tensor = criterion(outputs, targets)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's
        assert loss.shape == () and criterion(self.outputs, targets) < loss
        assert outputs.grad is not None and outputs.grad.isfinite().all()

    def test_the_distance_to_a_teacher_is_smallest_for_the_teacher(self) -> None:
        """The distance that distillation minimises."""
        teacher = self.outputs
        assert self.task.distance(teacher, teacher, 2.0) <= self.task.distance(self._shifted(), teacher, 2.0)

    def test_what_decoding_learns_is_json(self) -> None:
        """It can be shipped and read back, and `scores` takes it."""
        answers = self.answers(self.outputs)
        learned = self.task.fit_decoder(answers.numpy(), self._truth().numpy(), self.output)
        assert _through_json(learned) == learned
        decoded = self.decoder(learned).decode(answers.numpy(), self.context(ROWS))
        assert len(decoded) == ROWS
        assert set(self.task.scores(answers, self._truth(), self.output, learned)) <= set(self.task.metrics)

    def test_regions_hold_the_truth_as_often_as_requested(self) -> None:
        """On the rows that they are fitted to; the code of a bundle returns the same ones."""
        answers, truth, context = self.answers(self._shifted()).numpy(), self._truth().numpy(), self.context(ROWS)
        learned = self.task.fit_decoder(answers, truth, self.output)
        regions = self.task.fit_regions(answers, truth, self.output, learned)
        names = self.decoder().region_columns
        assert bool(regions) == bool(names) and len(names) <= 2 and _through_json(regions) == regions
        if not regions:
            with pytest.raises(ConfigError):
                self.decoder().regions(answers, context, 0.9)
            return
        shipped, learned = self._shipped({**learned, "regions": regions}), {**learned, "regions": regions}
        modality = modality_named(plugins.names("modalities")[0])
        for coverage in (0.5, 0.9):
            decoded = self.decoder(learned).regions(answers, context, coverage)
            in_bundle = (
                bundle_code(modality, self.task).load_decoder(_through_json(shipped)).regions(answers, context, coverage)
            )
            assert in_bundle.tolist() == decoded.tolist()
            covered = sum(map(_holds, decoded.tolist(), self.truth(self.cells(ROWS), context)))
            assert covered >= coverage * (ROWS + 1) - 1
        with pytest.raises(ConfigError, match="takes at least 99"):
            self.decoder(learned).regions(answers, context, 0.99)

    def test_errors_are_analyzed(self) -> None:
        """The worst rows, no more than requested."""
        answers = self.answers(self._shifted()).numpy()
        learned = self.task.fit_decoder(answers, self._truth().numpy(), self.output)
        analysis = self.task.analyze(answers, self._truth().numpy(), self.output, learned, 5)
        assert 0 < len(analysis.worst) <= 5 and all(0 <= row < ROWS for row, _ in analysis.worst)

    def test_it_provides_its_texts(self) -> None:
        """For reports, model cards and MLflow."""
        task, spec = self.task, self.spec
        texts = [task.title(spec), task.what(spec, "'target'"), task.extent(spec), task.limits(spec), task.schema(spec)]
        assert all(isinstance(text, str) and text for text in [*texts, *task.wanted(spec)])
        json.dumps(task.facts(spec))
        preview = task.preview(self.stored, self.output, 3)
        assert len(preview.classes) <= 3 and (preview.classes or preview.histogram)
        assert all(np.isfinite(task.score_range(metric, self.output)) for metric in task.metrics)

    def _shipped(self, learned: Json | None) -> Json:
        decoder = {"decoder": learned} if learned else {}
        return {"task": self.task.name, "target": "target", **self.output.shipped(), **decoder}

    def _truth(self) -> Tensor:
        return self.task.to_unit(torch.from_numpy(self.stored), self.output)

    def _shifted(self) -> Tensor:
        """Perfect outputs, each moved to the next row, so that most are wrong."""
        return self.outputs.roll(1, 0).clone()


class _Outputs(nn.Module):
    """A network that passes its input to the answers module."""

    def __init__(self, answers: nn.Module) -> None:
        super().__init__()
        self.finish = answers

    def forward(self, outputs: Tensor) -> Tensor:
        """[N, K] to answers."""
        result: Tensor = self.finish(outputs)
        return result


def _assert_equal(decoded: list[Any], truth: list[Any]) -> None:
    """Assert that labels are equal and numbers close."""
    if isinstance(np.asarray(truth, object).ravel()[0], float):
        numbers = np.asarray(truth, np.float64)
        assert np.allclose(np.asarray(decoded, np.float64), numbers, atol=CLOSE * float(numbers.std()), rtol=CLOSE)
    else:
        assert decoded == truth


def _holds(region: list[Any], truth: Any) -> bool:
    """Whether a set holds a label or several, or an interval a number, apart from rounding; of several quantiles any."""
    if len(region) == 2 and all(isinstance(end, float) for end in region):
        low, high = region
        return bool(low - CLOSE * abs(low) <= np.min(truth) and np.max(truth) <= high + CLOSE * abs(high))
    return set(truth) <= set(region) if isinstance(truth, list) else truth in region


def _through_json(value: Any) -> Any:
    return json.loads(json.dumps(value, allow_nan=False))
