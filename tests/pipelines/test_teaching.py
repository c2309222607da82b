"""Networks that learn from a teacher's answers: the user's, or those of finished models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from lepton_automl import AutoML, families
from lepton_automl.configure import teacher_for
from lepton_automl.data.datamodule import Batch, DataModule
from lepton_automl.data.open import Data, Split, open_data
from lepton_automl.data.options import DataOptions
from lepton_automl.errors import ConfigError, DataError
from lepton_automl.execution.transfer import packed, unpacked
from lepton_automl.jobs import CONTINUE, Teacher
from lepton_automl.modalities.image.spec import ImageAugmentation
from lepton_automl.pipelines.teaching import with_teacher
from lepton_automl.pipelines.trial import run_trial
from lepton_automl.plans import TrainPlan
from lepton_automl.specs import Budget
from lepton_automl.state import StudyState
from lepton_automl.study.given_teacher import save_answers
from lepton_automl.study.runner import jobs
from lepton_automl.study_store import StudyStore
from lepton_automl.training.distill import Distillation, DistillationLoss
from lepton_automl.training.loss import Loss
from lepton_automl.workspace import LocalWorkspace
from tests.samples import config, image_spec, table_spec, trial_job
from tests.search.recorded_search import run

ROWS, CLASSES = 400, ("a", "b", "c")


def table(folder: Path) -> tuple[pd.DataFrame, np.ndarray, Data]:
    """A table of three classes, the classes, and the prepared data."""
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(ROWS, 3)), columns=["u", "v", "w"])
    truth = np.argmax(frame.to_numpy(), 1)
    return (
        frame.assign(y=np.array(CLASSES)[truth]),
        truth,
        open_data(frame.assign(y=np.array(CLASSES)[truth]), folder / "data", DataOptions(target="y", folds=0)),
    )


def trained(data: Data, folder: Path, teacher: Teacher | None, share: float = 0.9):
    """The result of a short trial."""
    chosen = {"model.embedding": "linear", "model.width": 16, "model.depth": 1, "model.heads": 2, "train.teacher": share}
    settings = families.with_teacher(families.space_for(data.spec)).nearest(chosen)
    job = trial_job(
        0, data.spec, folder, config=settings, train=families.usual_plan(data.spec).replace(epochs=6), teacher=teacher
    )
    return run_trial(job, lambda _: CONTINUE)


def test_a_network_learns_from_the_users_answers_where_labels_are_wrong(tmp_path):
    frame, truth, data = table(tmp_path)
    path, targets = tmp_path / "teacher.npy", tmp_path / "data/rows/targets.npy"
    known = np.load(targets)
    known[: data.spec.train] = np.random.default_rng(1).permutation(known[: data.spec.train])
    np.save(targets, known)
    save_answers(lambda rows: np.array(CLASSES)[np.argmax(rows.to_numpy(), 1)], frame, data.spec, path)
    assert np.array_equal(np.load(path).argmax(1), truth[np.load(tmp_path / "data/source_rows.npy")])
    teacher = Teacher(answers=str(path))
    shuffled, unused, taught = (
        trained(data, tmp_path / str(number), *how).scores
        for number, how in enumerate([(None, 0.9), (teacher, 0.0), (teacher, 0.9)])
    )
    assert unused == shuffled
    assert shuffled["accuracy"] < 0.6 and taught["accuracy"] > 0.8


def test_finished_models_teach_by_their_mean_answers(tmp_path):
    _, _, data = table(tmp_path)
    results = [trained(data, tmp_path / str(number), None).folder for number in range(2)]
    teacher = Teacher(bundles=(results[0], results[1]), inputs=(data.spec.input,) * 2)
    workspace = LocalWorkspace(tmp_path)
    job = packed(trial_job(2, data.spec, tmp_path / "2", teacher=teacher), workspace)
    assert job.teacher.bundles[0].startswith("sha256:")
    assert unpacked(type(job).from_json(job.to_json()), workspace).teacher == teacher
    outputs = with_teacher(data, teacher).train.teacher
    one, other = (with_teacher(data, Teacher(bundles=(path,), inputs=teacher.inputs[:1])).train.teacher for path in results)
    torch.testing.assert_close(outputs.exp(), (one.exp() + other.exp()) / 2, atol=2e-4, rtol=0)
    assert with_teacher(data, teacher).train.rows(torch.tensor([3, 1])).teacher.equal(outputs[[3, 1]])
    np.save(tmp_path / "gaps.npy", np.full(ROWS, np.nan))
    with pytest.raises(DataError, match="missing or not finite"):
        with_teacher(data, Teacher(answers=str(tmp_path / "gaps.npy")))


def test_the_distance_follows_members_and_mixed_rows():
    spec = image_spec(side=4)
    images, answers = torch.randint(0, 255, (12, 1, 4, 4), dtype=torch.uint8), torch.randn(12, 10)
    targets = torch.arange(12) % 10
    rows = Split({"image": images}, targets, teacher=answers)
    data = Data(spec, None, rows, rows)  # type: ignore[arg-type]  # nothing is preprocessed
    plan = TrainPlan(batch_size=12, augment=ImageAugmentation(mixup=0.4))
    batch = next(DataModule(data, plan).epoch_batches())
    place = [int((answers == row).all(1).nonzero()) for row in batch.other_teacher]
    assert torch.equal(targets[place], batch.other) and 0 < batch.share < 1
    spec, outputs = table_spec(), torch.randn(6, 3, 2)
    told = Batch({}, torch.arange(6) % 2, teacher=torch.randn(6, 2))

    def loss(values: torch.Tensor, batch: Batch, *, members: bool) -> float:
        own = Loss(spec, plan, ensemble=members)
        return DistillationLoss(own, spec=spec, distillation=Distillation(0.7, 1.0), ensemble=members)(values, batch).item()

    assert loss(outputs, told, members=True) == pytest.approx(
        np.mean([loss(outputs[:, member], told, members=False) for member in range(3)]), rel=1e-5
    )
    other = told._replace(other=told.targets.flip(0), other_teacher=told.teacher.flip(0), share=0.6)
    flipped = told._replace(targets=told.targets.flip(0), teacher=told.teacher.flip(0))
    mixed = 0.6 * loss(outputs, told, members=True) + 0.4 * loss(outputs, flipped, members=True)
    assert loss(outputs, other, members=True) == pytest.approx(mixed, rel=1e-5)


def test_a_search_teaches_once_it_can_and_a_replay_has_the_same_teachers(tmp_path):
    space = families.with_teacher(config().space)
    state, folder, *_ = run(tmp_path, budget=Budget(trials=16), space=space, teacher="auto")
    taught = [trial for trial in state.trials.values() if trial.proposed.config["train.teacher"]]
    assert 1 <= [trial.proposed.origin for trial in taught].count("taught") <= 3
    job = jobs(state, folder)
    for trial in taught:
        models = [other for other in state.trials.values() if other.number in trial.proposed.teachers]
        assert len(models) == 3 and all(model.is_packed and model.ended_at <= trial.proposed.at for model in models)
        assert job(trial).teacher.bundles[0].endswith(f"{trial.proposed.teachers[0]:05d}/bundle")
    untaught = [trial for trial in state.trials.values() if trial not in taught]
    assert untaught and not any(job(trial).teacher or trial.proposed.teachers for trial in untaught)
    assert StudyState.replay(StudyStore(tmp_path).journal("sample")) == state


def test_who_can_teach_is_told(tmp_path):
    frame, _, data = table(tmp_path)
    best = AutoML(teacher="auto")
    assert teacher_for(best, data.spec) == "auto" and teacher_for(AutoML(), data.spec) == "none"
    assert teacher_for(best, data.spec.replace(folds=5)) == "none" == teacher_for(replace(best, sampler="grid"), data.spec)
    request = AutoML(teacher=np.zeros((ROWS, 3)))
    assert teacher_for(request, data.spec) == "given" and "teacher=array" in repr(request)
    for answers, problem in (
        (np.zeros((5, 3)), "gives 5 answers"),
        (np.zeros((ROWS, 2)), "shape"),
        (np.full((ROWS, 3), np.nan), "finite"),
        (["d"] * ROWS, "no class 'd'"),
        (lambda _: 1 / 0, "fails"),
    ):
        with pytest.raises(ConfigError, match=problem):
            save_answers(answers, frame, data.spec, tmp_path / "teacher.npy")
