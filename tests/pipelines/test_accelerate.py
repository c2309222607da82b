"""A user's own network, and the models of a study, in their best runtime and precision."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

from lepton_automl import AutoML, Budget, BundleError, ConfigError, Deployment, accelerate, load_accelerated, load_model
from lepton_automl.data.demo import digits
from lepton_automl.deployment.open_artifact import RUNTIME
from lepton_automl.events import ModelAccelerated, StudyEnded
from lepton_automl.jobs import AccelerateJob, TrialJob
from lepton_automl.journal import Journal
from lepton_automl.pipelines.accelerate_finalist import _resampled
from lepton_automl.plans import PrunePlan, TrainPlan
from lepton_automl.resampled import ResampledScores
from lepton_automl.state import StudyState
from lepton_automl.variant import Variant
from tests import samples

torch.set_num_threads(1)
ITSELF = "the network in PyTorch, as the baseline"


@pytest.fixture(scope="module")
def taught():
    """A small network that has learnt digits, and its rows."""
    images, labels = digits()
    x, y = torch.tensor(np.asarray(images), dtype=torch.float32)[:, None] / 16, torch.tensor(np.asarray(labels).astype(int))
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 10)
    )
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3)
    for _ in range(6):
        for batch in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
            optimizer.step()
    return net, x, y


def test_a_users_network_becomes_faster_at_the_same_score(taught, tmp_path):
    net, x, y = taught
    net.train()
    fast = accelerate(net, (x, y), deployment=Deployment(max_score_drop=0.01), progress=False)
    assert net.training, "the network was left in another mode"
    assert fast.after["accuracy"] >= fast.before["accuracy"] - 0.01 and fast.speedup > 1
    assert list(fast.table.outcome).count("chosen") == 1 and ITSELF in set(fast.table.outcome)
    told = fast.predict(x[:50].double().numpy())
    with torch.inference_mode():
        expected = net.eval()(x[:50])
    assert (told.argmax(1) == expected.argmax(1).numpy()).mean() > 0.95 and "times as fast as PyTorch" in repr(fast)
    again = load_accelerated(fast.save(tmp_path / "fast"))
    assert np.array_equal(again(x[:50]), told)
    with pytest.raises(ConfigError, match="not empty"):
        fast.save(tmp_path / "fast")
    (tmp_path / "fast" / RUNTIME).write_text("[]")
    with pytest.raises(BundleError, match=r"runtime\.json is missing or unreadable"):
        load_accelerated(tmp_path / "fast")


def test_regression_is_accelerated_as_well_as_classification():
    torch.manual_seed(0)
    x = torch.randn(400, 6)
    y = 100 + 30 * x[:, :2].sum(1)
    net = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.AdamW(net.parameters(), 1e-2)
    for _ in range(300):
        optimizer.zero_grad()
        nn.functional.mse_loss(net(x)[:, 0], (y - 100) / 30).backward()
        optimizer.step()
    with torch.no_grad():
        net[-1].weight *= 30
        net[-1].bias.copy_(net[-1].bias * 30 + 100)
    fast = accelerate(net, (x, y), progress=False)
    assert fast.after["rmse"] <= 1.006 * fast.before["rmse"]


def test_all_wrong_arguments_are_reported_in_one_error(taught):
    net, x, y = taught
    with pytest.raises(ConfigError) as error:
        accelerate(net, (x, y[:-1]), deployment="cpu", progress=False)
    assert "deployment is 'cpu'" in str(error.value) and "rows and" in str(error.value)


def test_a_studys_front_is_drawn_from_its_artifacts(tmp_path):
    images, labels = digits()
    hyperparameters = {"model.width": 8, "model.depth1": 1}
    automl = AutoML(
        name="fast", home=tmp_path, budget=Budget(trials=2), workers=1, hyperparameters=hyperparameters, progress=False
    )
    study = automl.fit(images[:600], labels[:600], folds=0, wait=True)
    state = study.state
    assert state.front() and all(trial.accelerated for trial in state.front())
    kinds = [type(event) for _, event in Journal(study.folder / "journal.jsonl").read()]
    assert kinds.index(ModelAccelerated) < kinds.index(StudyEnded)
    best = study.best()
    trial = state.trial(best.number)
    assert json.loads((best.path / RUNTIME).read_text())["runtime"] == trial.variant.runtime
    assert best.latency_ms == trial.accelerated.profile.latency_ms
    # Interleaved with the network in PyTorch; the earlier profile was measured at another time, under another load.
    chosen, eager = (next(tried for tried in trial.accelerated.tried if tried.outcome == said) for said in ("chosen", ITSELF))
    assert chosen.variant == trial.variant and chosen.latency.median < eager.latency.median
    assert best.score == trial.scores["accuracy"] >= trial.result.scores["accuracy"] - state.settings.deployment.max_score_drop
    assert (
        trial.variant.name in str(study.front.variant.tolist()) and trial.variant.name in (best.path / "README.md").read_text()
    )
    # What was scored is what answers.
    model = load_model(best.export(tmp_path / "out"))
    assert (model.predict(images) == labels).mean() > 0.5
    assert trial.result.resampled and trial.accelerated.resampled.intervals["accuracy"] == best.score_interval
    low, high = best.score_interval
    assert low <= best.score <= high and "The 95 % interval of `accuracy` is" in (best.path / "README.md").read_text()
    assert study.models.corrected.models == sum(model.status == "complete" for model in state.trials.values())
    assert len(study.models.merged) == len(state.merged)
    tested = study.evaluate_test()
    assert tested.test_accuracy.notna().all() and (tested.test_accuracy_low <= tested.test_accuracy).all()
    assert (tested.accuracy_low <= tested.accuracy).all() and (tested.test_accuracy <= tested.test_accuracy_high).all()


def test_cross_validated_resamples_move_with_the_scores_of_the_faster_file():
    job = TrialJob(
        trial=0,
        uid="a",
        config={},
        data=samples.image_spec(folds=5),
        deployment=Deployment(),
        train=TrainPlan(),
        prune=PrunePlan(),
        metric="accuracy",
        folder="",
        measurement_lock="",
    )
    before = ResampledScores.of([0.9, 0.8], [0.7, 0.6], {"accuracy": (0.8, 0.95), "log_loss": (0.4, 0.6)})
    request = AccelerateJob(job=job, scores={"accuracy": 0.9, "log_loss": 0.5}, resampled=before)
    moved = _resampled(request, {"accuracy": 0.89, "log_loss": 0.55})
    assert moved.drawn == pytest.approx((0.89, 0.79)) and moved.left_out == pytest.approx((0.69, 0.59))
    assert moved.intervals == {"accuracy": (0.79, 0.94), "log_loss": (0.44, 0.66)}
    assert _resampled(request.replace(resampled=None), {}) is None


def test_an_older_journals_models_run_in_floats():
    assert StudyState().trials == {} and Variant.from_json({}) == Variant() and Variant().name == "ONNX Runtime fp32"


def test_a_missing_runtime_is_reported_before_anything_starts(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "openvino" else object())
    with pytest.raises(ConfigError, match="'openvino' is not installed"):
        AutoML(deployment=Deployment(runtimes=("onnxruntime", "openvino")))
