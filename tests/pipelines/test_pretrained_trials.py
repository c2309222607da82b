"""Trials of published networks: solved, trained in part, pruned."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lepton_automl import AutoML, families
from lepton_automl.configure import study_config
from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare
from lepton_automl.data.store import WEIGHTS
from lepton_automl.errors import ConfigError
from lepton_automl.jobs import CONTINUE, TrialJob
from lepton_automl.models.files import load
from lepton_automl.pipelines.trial import run_trial
from lepton_automl.plans import PrunePlan, TrainPlan
from lepton_automl.specs import Deployment
from tests.published_weights import mobilenet_v3_small

SMALL = "mobilenet_v3_small"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Dark and bright images, with weights under published names."""
    folder = tmp_path_factory.mktemp("pretrained")
    torch.save(mobilenet_v3_small(), folder / "mine.pth")
    rng, labels = np.random.default_rng(0), np.arange(120) % 2
    images = (rng.integers(0, 128, (120, 32, 32, 3)) + 100 * labels[:, None, None, None]).astype(np.uint8)
    return prepare((images, labels), folder / "data", DataOptions(folds=0, pretrained=str(folder / "mine.pth")))


def trial(spec, folder, **config):
    names = {f"{'prune' if name == 'ratio' else 'model'}.{name}": setting for name, setting in config.items()}
    job = TrialJob(
        trial=1,
        uid="one",
        config=families.space_for(spec, "pretrained").complete(names),
        data=spec,
        deployment=Deployment(),
        train=TrainPlan(epochs=2),
        prune=PrunePlan(),
        metric="accuracy",
        folder=str(folder),
        measurement_lock="",
    )
    return run_trial(job, lambda _: CONTINUE)


def test_a_solved_last_layer_is_a_trial_without_epochs(prepared, tmp_path):
    result = trial(prepared, tmp_path, tuned=0)
    assert result.status == "complete" and result.epochs == 0 and result.scores["accuracy"] > 0.9
    network = load(tmp_path / "bundle")
    published = mobilenet_v3_small()["features.0.0.weight"]
    assert torch.equal(network.state_dict()["stem.conv.weight"], published) and network.recipe.tuned == 0


def test_only_tuned_stages_change(prepared, tmp_path):
    result, published = trial(prepared, tmp_path, tuned=1), mobilenet_v3_small()
    state = load_file(tmp_path / "bundle" / "model.safetensors")
    assert result.status == "complete" and result.epochs == 2
    assert torch.equal(state["stages.3.0.depthwise.norm.running_mean"], published["features.7.block.1.1.running_mean"])
    assert not torch.equal(state["stages.4.0.enter.conv.weight"], published["features.9.block.0.0.weight"])


def test_a_published_network_is_pruned(prepared, tmp_path):
    result = trial(prepared, tmp_path, stages=3, tuned=0, ratio=0.5)
    recipe = load(tmp_path / "bundle").recipe
    assert result.status == "complete" and recipe.stem == 8 and len(recipe.stages) == 3 and recipe.tuned == 3


def test_a_study_searches_published_networks_where_their_weights_are(prepared):
    names = families.usual_names(prepared)
    assert names == ("conv", "linear_image", "pretrained")
    designs = [design["model.family"] for design in families.initial_designs(prepared, names)]
    assert designs[:3] == ["linear_image", "pretrained", "conv"]
    without = prepared.replace(input=prepared.input.replace(pretrained=()))
    assert families.usual_names(without) == ("conv", "linear_image")
    with pytest.raises(ConfigError, match="'pretrained' does not support these data"):
        study_config(AutoML(family="pretrained"), without, "mine")


def test_names_and_paths_become_one_setting(tmp_path):
    assert AutoML().pretrained == "auto" and AutoML(pretrained=None).pretrained == "none"
    assert AutoML(pretrained=[SMALL, "efficientnet_lite0"]).pretrained == f"{SMALL},efficientnet_lite0"
    assert AutoML(pretrained=tmp_path).pretrained == str(tmp_path)


def test_weights_are_copied_with_the_data(prepared):
    from pathlib import Path

    assert (Path(prepared.folder) / WEIGHTS / f"{SMALL}.pth").is_file()
    assert any(str(Path("mine.pth")) in note for note in prepared.notes)
