"""Training: averaging, loss, scores, and whole fits on a small problem."""

from __future__ import annotations

import logging
import math
import signal
import warnings

import numpy as np
import pytest
import torch
from sklearn import metrics
from torch import Tensor, nn

from benchmarks import overhead
from lepton_automl.data.datamodule import Batch, DataModule
from lepton_automl.data.open import Data, Split
from lepton_automl.jobs import CONTINUE, Decision
from lepton_automl.modalities.table.recipe import TableRecipe
from lepton_automl.modalities.table.spec import TableInput
from lepton_automl.models.build import build
from lepton_automl.plans import TrainPlan
from lepton_automl.specs import DataSpec
from lepton_automl.task import task_named, task_of
from lepton_automl.tasks.classification import MulticlassOutput
from lepton_automl.tasks.regression import NumberOutput
from lepton_automl.training.averaging import adamw, averaged_weights, parameter_groups
from lepton_automl.training.diverged import Diverged
from lepton_automl.training.fit import fit
from lepton_automl.training.loss import Loss
from lepton_automl.training.scores import in_target_unit, scores
from tests.samples import table_spec

PLAN = TrainPlan(epochs=6, batch_size=32, lr=5e-2, warmup=5, seed=3)


def spec_of(task: str = "multiclass", classes: int = 3, **more: object) -> DataSpec:
    output = NumberOutput() if task == "regression" else MulticlassOutput(labels=tuple(range(classes)))
    return table_spec(input=TableInput(numeric=4), output=output, train=160, validation=80, test=0, **more)


class Rows(DataModule):
    """Three blobs of points in four dimensions, or a line through them; two batches a chunk; remembers its epochs."""

    def __init__(self, plan: TrainPlan, task: str = "multiclass") -> None:
        draw = torch.Generator().manual_seed(0)
        y = torch.arange(240) % 3
        x = torch.randn(3, 4, generator=draw)[y] * 2 + torch.randn(240, 4, generator=draw)
        rows = Split({"numeric": x}, y if task == "multiclass" else x @ torch.tensor([0.5, -0.2, 0.1, 0.0]))
        super().__init__(Data(spec_of(task), None, rows.rows(slice(160)), rows.rows(slice(160, None))), plan, chunk=2)
        self.epochs: list[int] = []

    def epoch_batches(self):
        self.epochs.append(self.epoch)
        return super().epoch_batches()


def net(outputs: int = 3, heads: int = 2, seed: int = 0) -> nn.Module:
    return build(TableRecipe(outputs=outputs, numeric=4, width=16, mids=(16, 16), heads=heads, dropout=0.1), seed=seed)


def taught(plan: TrainPlan = PLAN, **more: object) -> tuple[nn.Module, object, list[tuple[int, dict[str, float]]]]:
    model, told = net(), []
    fitted = fit(model, Rows(plan), plan, spec=spec_of(), on_epoch=lambda e, s: told.append((e, s)) or CONTINUE, **more)
    return model, fitted, told


def weights(model: nn.Module) -> Tensor:
    return torch.cat([tensor.detach().float().flatten() for tensor in model.state_dict().values()])


def moved(model: nn.Module) -> float:
    """The largest change of a weight from its start in `net`."""
    pairs = zip(model.parameters(), net().parameters(), strict=True)
    return max((one - other).abs().max().item() for one, other in pairs)


# The pieces


class Normed(nn.Sequential):
    def forward(self, numeric: Tensor) -> Tensor:
        return super().forward(numeric)


def test_averaged_weights_are_used_with_matching_statistics():
    torch.manual_seed(0)
    model, batches = Normed(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3)), list(Rows(PLAN).epoch_batches())
    optimizer, loss = adamw(model, PLAN, steps=5), Loss(spec_of(), PLAN, ensemble=False)
    optimizer.train()
    for batch in batches:
        loss(model(**batch.inputs), batch).backward()
        optimizer.step()
        optimizer.zero_grad()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with averaged_weights(model, optimizer, batches):
        assert (before["0.weight"] - model[0].weight).abs().max() > 1e-3  # an average lags behind
        seen = torch.stack([model[0](batch.inputs["numeric"]).mean(0) for batch in batches]).mean(0)
        assert torch.allclose(model[1].running_mean, seen, atol=1e-5)
        assert model.training and model[1].momentum == 0.1
    after = model.state_dict()
    assert all(torch.allclose(after[name], tensor, atol=1e-6) for name, tensor in before.items() if tensor.is_floating_point())


def test_weight_decay_spares_norms_biases_and_vectors():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))
    model.register_parameter("scale", nn.Parameter(torch.ones(2, 2)))
    named = {id(weight): name for name, weight in model.named_parameters()}
    groups = {
        group["weight_decay"]: {named[id(weight)] for weight in group["params"]}
        for group in parameter_groups(model, TrainPlan(weight_decay=0.5))
    }
    assert groups == {0.5: {"0.weight", "2.weight"}, 0.0: {"0.bias", "1.weight", "1.bias", "2.bias", "scale"}}


def test_the_loss_is_the_mean_of_the_members_and_mixes_targets():
    outputs, targets = torch.randn(8, 2, 3, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 3
    spec, plan = spec_of(class_weight=(1.0, 2.0, 3.0)), TrainPlan(label_smoothing=0.1)
    loss, single = Loss(spec, plan, ensemble=True), Loss(spec, plan, ensemble=False)
    members = [single(outputs[:, m], Batch({}, targets)) for m in range(2)]
    assert loss(outputs, Batch({}, targets)).item() == pytest.approx(torch.stack(members).mean().item())
    mixed = 0.7 * loss(outputs, Batch({}, targets)) + 0.3 * loss(outputs, Batch({}, targets.flip(0)))
    assert loss(outputs, Batch({}, targets, targets.flip(0), 0.7)).item() == pytest.approx(mixed.item())
    values = Loss(spec_of("regression"), plan, ensemble=True)
    assert values(torch.full((4, 2, 1), 3.0), Batch({}, torch.ones(4))).item() == 4.0


# Scores


def test_scores_agree_with_scikit_learn():
    draw = np.random.default_rng(0)
    for classes in (2, 4):
        told = draw.dirichlet(np.ones(classes), 200).astype(np.float32).round(2)  # rounding makes ties
        told /= told.sum(1, keepdims=True)
        truth = draw.integers(classes, size=200)
        found = scores(told, truth, spec_of("multiclass", classes))
        best = told.argmax(1)
        area = told[:, 1] if classes == 2 else told
        assert list(found) == list(task_named("multiclass").metrics)
        assert found["accuracy"] == pytest.approx(metrics.accuracy_score(truth, best))
        assert found["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(truth, best))
        assert found["f1"] == pytest.approx(metrics.f1_score(truth, best, average="macro"))
        assert found["auroc"] == pytest.approx(metrics.roc_auc_score(truth, area, multi_class="ovr"), abs=1e-5)
        each = np.eye(classes)[truth] if classes > 2 else truth
        assert found["average_precision"] == pytest.approx(metrics.average_precision_score(each, area), abs=1e-5)
        assert found["mcc"] == pytest.approx(metrics.matthews_corrcoef(truth, best))
        assert found["log_loss"] == pytest.approx(metrics.log_loss(truth, told), rel=1e-4)
    truth, told = draw.normal(50, 10, 100), draw.normal(50, 10, 100)
    found = scores(told, truth, spec_of("regression"))
    assert list(found) == list(task_named("regression").metrics)
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(truth, told))
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(truth, told))
    assert found["r2"] == pytest.approx(metrics.r2_score(truth, told))
    assert found["mape"] == pytest.approx(metrics.mean_absolute_percentage_error(truth, told))
    assert found["rmsle"] == pytest.approx(metrics.root_mean_squared_log_error(truth, told))


def test_a_score_that_is_not_defined_is_left_out():
    answers = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.6, 0.1], [0.6, 0.3, 0.1]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        without_one = scores(answers, torch.tensor([0, 1, 1, 0]), spec_of())
        single = scores(answers, torch.zeros(4, dtype=torch.int64), spec_of())
        equal = scores(torch.ones(3), torch.full((3,), 2.0), spec_of("regression"))
    assert without_one["auroc"] == without_one["balanced_accuracy"] == without_one["f1"] == 1.0
    assert "auroc" not in single and single["accuracy"] == 0.5
    assert equal == {"rmse": 1.0, "mae": 1.0, "mape": 0.5, "rmsle": pytest.approx(math.log(3 / 2))}
    assert single["mcc"] == 0.0, "without a second class there is no correlation"
    spread = scores(torch.tensor([-1.0, 3.0]), torch.tensor([0.0, 2.0]), spec_of("regression"))
    assert spread["mape"] == 0.5, "a target of zero has no percentage"
    assert spread["rmsle"] == pytest.approx(math.log(4 / 3) / 2**0.5), "an answer below zero counts as zero"
    assert "rmsle" not in scores(torch.ones(2), torch.tensor([-0.5, 2.0]), spec_of("regression"))


def test_regression_scores_are_in_the_targets_own_unit():
    spec = spec_of("regression", mean=100.0, scale=20.0)
    told: list[dict[str, float]] = []
    fit(net(outputs=1), Rows(PLAN, "regression"), PLAN, spec=spec, on_epoch=lambda _, s: told.append(s) or CONTINUE)
    assert in_target_unit(torch.tensor([0.5]), spec).item() == 110.0
    assert told[-1]["r2"] > 0.8
    assert told[-1]["rmse"] == pytest.approx(20 * (1 - told[-1]["r2"]) ** 0.5, rel=0.5)  # the targets' spread is about 20


# Fits


def test_a_fit_learns_reports_and_leaves_the_best_averaged_weights():
    model, fitted, told = taught()
    assert [epoch for epoch, _ in told] == [1, 2, 3, 4, 5, 6]
    assert set(told[0][1]) == {*task_named("multiclass").metrics, "train_loss"}
    assert fitted.epochs == 6 and fitted.stopped is None and fitted.scores == told[-1][1]
    assert fitted.scores["accuracy"] > 0.9
    rows, spec = Rows(PLAN).data.validation, spec_of()
    with torch.inference_mode():
        answers = task_of(spec).answers(spec.output, members=True, unit=False)(model.eval()(**rows.inputs))
    assert scores(answers, rows.targets, spec)["log_loss"] == min(said["log_loss"] for _, said in told)


def test_equal_seeds_give_equal_weights_and_leave_the_random_state_alone():
    torch.manual_seed(11)
    before = torch.get_rng_state()
    first, _, _ = taught()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(12)
    second, _, _ = taught()
    other, _, _ = taught(PLAN.replace(seed=4))
    assert torch.equal(weights(first), weights(second))
    assert not torch.equal(weights(first), weights(other))


def test_a_plan_may_be_split_over_two_fits():
    rows, epochs = Rows(PLAN), []
    for first, last in ((0, 2), (2, None)):
        part = fit(
            net(),
            rows,
            PLAN,
            spec=spec_of(),
            first_epoch=first,
            last_epoch=last,
            on_epoch=lambda e, _: epochs.append(e) or CONTINUE,
            score=False,
        )
        assert part.epochs == (last or 6) - first
        assert set(part.scores) == {"train_loss"}
    assert epochs == [1, 2, 3, 4, 5, 6]
    assert set(rows.epochs) == {0, 1, 2, 3, 4, 5}


def test_a_decision_ends_the_fit():
    stop = Decision(stop=True, reason="enough")
    fitted = fit(net(), Rows(PLAN), PLAN, spec=spec_of(), on_epoch=lambda epoch, _: stop if epoch == 2 else CONTINUE)
    assert fitted.epochs == 2 and fitted.stopped is stop


def test_the_measurement_lock_is_checked_before_every_step():
    asked: list[int] = []
    taught(wait=lambda: asked.append(1))
    assert len(asked) == 6 * 5


def test_divergence_is_reported_with_place_and_advice():
    plan = PLAN.replace(lr=1e12, clip=1e12, warmup=0)
    with pytest.raises(Diverged, match=r"epoch \d, step \d+.*diverged(.|\n)*Lower train.lr"):
        taught(plan)
    rows = Rows(PLAN)
    rows.data.train.inputs["numeric"][7] = torch.nan
    with pytest.raises(Diverged, match="nan"):
        fit(net(), rows, PLAN, spec=spec_of(), on_epoch=lambda e, s: CONTINUE)


def test_lightning_is_silent_and_leaves_nothing_behind(tmp_path, monkeypatch, capfd, caplog):
    monkeypatch.chdir(tmp_path)
    logger = logging.getLogger("pytorch_lightning")
    level, handlers = logger.level, list(logger.handlers)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        taught()
    assert [str(warning.message) for warning in heard] == []
    assert capfd.readouterr() == ("", "") and caplog.text == ""
    assert (logger.level, logger.handlers) == (level, handlers)
    assert not list(tmp_path.iterdir())


def test_gradients_are_clipped_by_the_plan():
    model, _, _ = taught(PLAN.replace(clip=1e-14, weight_decay=0.0))
    assert moved(model) < 1e-4  # far below the smallest step that Adam does not damp


def test_without_validation_rows_there_is_the_training_loss():
    rows = Rows(PLAN)
    rows.data = rows.data.whole()
    assert set(fit(net(), rows, PLAN, spec=spec_of(), on_epoch=lambda e, s: CONTINUE).scores) == {"train_loss"}


def test_a_hand_written_loop_ends_with_equal_weights():
    for make in (overhead.conv, overhead.mlp):
        case = make()._replace(rows=320)  # two chunks an epoch
        plan = TrainPlan(epochs=2, batch_size=16, lr=2e-2, label_smoothing=0.1)
        (_, by_room), (_, by_hand) = (overhead.timed(way, case, plan) for way in (overhead.by_room, overhead.by_hand))
        assert torch.equal(by_room, by_hand)


def test_signals_keep_their_meaning():
    handlers = {signal.getsignal(signal.SIGTERM)}
    taught(wait=lambda: handlers.add(signal.getsignal(signal.SIGTERM)))
    assert handlers == {signal.getsignal(signal.SIGTERM)}


def test_ctrl_c_stays_an_interrupt():
    def interrupted() -> None:
        raise KeyboardInterrupt

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        taught(wait=interrupted)
    assert signal.getsignal(signal.SIGINT) is handler
