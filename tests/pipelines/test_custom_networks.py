"""A user's own LightningModule: searched, stopped, pruned, exported and measured like ours; or refused with a reason."""

from __future__ import annotations

import json
import linecache

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from lepton_automl import AutoML, Budget, Categorical, ConfigError, Float, Integer, load_model
from lepton_automl.compression.uniform import prune_uniformly
from lepton_automl.configure import study_config
from lepton_automl.data.demo import digits
from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare
from lepton_automl.execution.local import LocalExecutor
from lepton_automl.factory import Factory, factory_of
from lepton_automl.models import custom
from lepton_automl.models.files import load_by
from lepton_automl.recipe import CustomRecipe, recipe_from_json
from lepton_automl.specs import Deployment
from lepton_automl.study.runner import search
from tests import custom_networks
from tests.api.test_import_and_arguments import python

WIDTH = {"model.width": Integer(8, 24, default=16, log=True)}
SPACE = {**WIDTH, "train.lr": Float(3e-3, 3e-2, default=1e-2, log=True), "train.epochs": 4}


@pytest.fixture(scope="module")
def executor(tmp_path_factory):
    executor = LocalExecutor(1, tmp_path_factory.mktemp("workers"))
    yield executor
    executor.close()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    images, labels = digits()
    options = DataOptions(name="digits", folds=0)
    return prepare((images[:600], labels[:600]), tmp_path_factory.mktemp("home") / "data", options)


def searched(executor, spec, folder, **asked):
    """A study with the configuration that `AutoML` makes, on a worker that is already running."""
    request = AutoML(**{"budget": Budget(trials=3), "space": SPACE, "workers": 1, "home": folder, **asked})
    config = study_config(request, spec, "own")
    home = folder / "studies" / "own"
    home.mkdir(parents=True)
    return search(config, home, executor, lambda _: None)


def test_a_users_network_is_searched_pruned_measured_and_deployed(executor, pictures, tmp_path):
    space = SPACE | {"prune.ratio": Categorical(0.0, 0.5, default=0.5)}
    state = searched(executor, pictures, tmp_path, model=custom_networks.make, space=space)
    trials = list(state.trials.values())
    assert len(trials) == 3 and {trial.status for trial in trials} <= {"complete", "stopped"}
    first = trials[0]
    assert first.status == "complete" and first.result.scores["accuracy"] > 0.3
    assert first.reports[0].epoch == 0 and first.reports[0].profile.latency_ms > 0
    # The shape that was measured before training is the deployed one: the pruned shape.
    assert first.reports[0].profile.parameters == first.result.profile.parameters < 3000
    assert "accuracy" not in first.reports[1].scores and {"accuracy", "train_loss"} <= set(first.reports[2].scores)

    recipe = recipe_from_json(first.result.recipe)
    assert recipe == CustomRecipe(outputs=10, factory="tests.custom_networks:make", config={"width": 16, "lr": 0.01}, ratio=0.5)
    images, labels = digits()
    told = load_model(first.result.folder).predict(images[600:900])
    assert np.mean(told == labels[600:900]) > 0.3
    np.save(tmp_path / "rows.npy", images[:9])
    code = (
        "import sys; sys.modules['lepton_automl'] = sys.modules['torch'] = None; "
        f"sys.path.insert(0, {first.result.folder!r}); import numpy, predict; "
        f"print(predict.Predictor({first.result.folder!r}).predict(numpy.load({str(tmp_path / 'rows.npy')!r})).tolist())"
    )
    assert json.loads(python(code)) == load_model(first.result.folder).predict(images[:9]).tolist()


CELL = """
import pytorch_lightning as L
import torch
from torch import nn
from torch.nn.functional import mse_loss as squares

SIZES = {"depth": 2}


def layers(inputs, width):
    return [nn.Linear(inputs, width), nn.ReLU()]


class Rows(L.LightningModule):
    def __init__(self, inputs: int, width, lr):
        super().__init__()
        self.lr = lr
        sizes = [inputs] + [width] * SIZES["depth"]
        parts = [part for a, b in zip(sizes, sizes[1:]) for part in layers(a, b)]
        self.net = nn.Sequential(*parts, nn.Linear(width, 1))

    def forward(self, rows):
        return self.net(rows).squeeze(1)

    def training_step(self, batch, batch_idx):
        rows, targets = batch
        return squares(self(rows), targets)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.lr)


def make(config, spec) -> "Rows":
    return Rows(spec.input_shape[0], config["width"], config["lr"])
"""


def cell(source, number):
    """What running a notebook's cell leaves behind."""
    name = f"<cell-{number}>"
    linecache.cache[name] = len(source), None, source.splitlines(keepends=True), name
    names = {"__name__": "__main__"}
    exec(compile(source, name, "exec"), names)  # written above
    return names


def test_a_network_from_a_notebook_is_cross_validated_on_a_small_table(executor, tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.normal(50, 20, 300), "colour": rng.choice(["red", "blue", None], 300)})
    frame["price"] = 1000 + 30 * frame["size"] + 500 * (frame["colour"] == "red")
    spec = prepare(frame, tmp_path / "data", DataOptions(target="price", name="prices"))
    assert spec.folds and spec.input_shape == (spec.input.numeric + sum(spec.input.cardinalities),)
    space = SPACE | {"train.epochs": 6, "prune.ratio": 0.25, "train.batch_size": 16}
    state = searched(executor, spec, tmp_path, model=cell(CELL, 1)["make"], space=space, budget=Budget(trials=1))
    result = state.trials[0].result
    assert result.status == "complete", result.traceback
    assert result.scores["rmse"] < 0.7 * frame["price"].std()
    rows = frame.drop(columns="price")
    assert np.corrcoef(load_model(result.folder).predict(rows), frame["price"])[0, 1] > 0.8


def test_a_portable_source_contains_what_it_refers_to_and_nothing_else():
    made = cell("big = open\n" + CELL, 2)["make"]
    factory = factory_of(made)
    assert str(factory) == "__main__:make" and "open" not in factory.source
    assert Factory.from_json(json.loads(json.dumps(factory.to_json()))) == factory
    module = factory.load()({"width": 8, "lr": 0.1}, type("Spec", (), {"input_shape": (3,)}))
    assert module(torch.zeros(5, 3)).shape == (5,)
    frame = cell("import pandas\ntable = pandas.DataFrame()\ndef make(config, spec):\n    return table\n", 3)["make"]
    with pytest.raises(ConfigError, match="table cannot be sent to the worker processes"):
        factory_of(frame)


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (custom_networks.make_bare, "the factory returned a tests.custom_networks.Bare, not a LightningModule"),
        (
            custom_networks.make_unfinished,
            r"3 things(.|\n)*no training_step(.|\n)*configure_optimizers(.|\n)*returns \[8, 3\] for rows",
        ),
        (custom_networks.make_clumsy, r"first steps of training fail(.|\n)*gets a tuple of float32 inputs \[N, 1, 8, 8\]"),
        (custom_networks.make_misspelt, "KeyError: 'widht'"),
        (custom_networks.make_counting, r"for a fixed number of rows only(.|\n)*rows\.shape\[0\]"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_any_trial(executor, pictures, tmp_path, made, says):
    with pytest.raises(ConfigError, match=says):
        searched(executor, pictures, tmp_path, model=made)
    assert not (tmp_path / "studies" / "own" / "journal.jsonl").exists()


def test_an_unprunable_network_is_searched_as_it_is_with_one_warning(executor, pictures, tmp_path):
    space = SPACE | {"train.epochs": 2, "prune.ratio": Float(0.0, 0.5, default=0.25)}
    state = searched(executor, pictures, tmp_path, model=custom_networks.make_baked, space=space, budget=Budget(trials=1))
    assert "prune.ratio" not in state.settings.space and state.trials[0].status == "complete"
    assert [note.text for note in state.notes if "No channels are pruned" in note.text and "must match the size" in note.text]


def test_a_limit_is_checked_before_any_training(executor, pictures, tmp_path):
    with pytest.raises(ValueError, match="The fastest network here takes"):
        searched(executor, pictures, tmp_path, model=custom_networks.make, deployment=Deployment(max_latency_ms=1e-5))


def test_wrong_spaces_and_models_are_reported_in_one_error(tmp_path):
    nets = {"width": 3, "model.lr": 0.1, "train.lr": Float(0.1, 0.2, default=0.1), "prune.ratio": Float(0, 1, default=0)}
    with pytest.raises(ValueError, match="2 things are wrong") as error:
        AutoML(model=lambda config, spec: None, space=nets | {"train.epochs": Integer(1, 9, default=3)}, home=tmp_path)
    message = str(error.value)
    for part in (
        "top level",
        "'model.width'",
        "both be config['lr']",
        "at least 0 and below 1",
        "train.epochs cannot be searched",
    ):
        assert part in message
    with pytest.raises(ValueError, match="space is given without model"):
        AutoML(space=WIDTH, home=tmp_path)
    with pytest.raises(ValueError, match="it must be a function"):
        AutoML(model=nn.Linear(2, 2), space=WIDTH, home=tmp_path)


def test_hyperparameters_of_the_plan_may_be_added_and_others_not(pictures, tmp_path):
    added = {"train.batch_size": Categorical(16, 32, default=32), "train.warmup": 50}
    space = study_config(AutoML(hyperparameters=added, home=tmp_path), pictures, "own").space
    assert space["train.batch_size"].choices == (16, 32) and space["train.warmup"].choices == (50,)
    with pytest.raises(ConfigError, match=r"no hyperparameter 'model\.widht'. Did you mean 'model\.width'"):
        study_config(AutoML(hyperparameters={"model.widht": Categorical(8, default=8)}, home=tmp_path), pictures, "own")


class Branches(nn.Module):
    """What graphs find hard: a sum, a concatenation, a depthwise and a grouped convolution, a bare parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.left, self.right = nn.Conv2d(16, 16, 1, bias=False), nn.Conv2d(16, 24, 3, padding=1)
        self.norm, self.depth = nn.BatchNorm2d(16), nn.Conv2d(16, 16, 3, padding=1, groups=16)
        self.after = nn.ConvTranspose2d(40, 16, 1)
        self.scale = nn.Parameter(torch.ones(12, 1, 1))
        self.last = nn.Conv2d(16, 12, 1)
        self.grouped = nn.Conv2d(12, 12, 1, groups=3)
        self.head = nn.Linear(12, 5)
        self.short = nn.Conv2d(3, 16, 1)

    def forward(self, rows):
        sums = self.short(rows).view(rows.shape[0], 4, 4, -1).mean((1, 2, 3))
        rows = self.stem(rows) + sums[:, None, None, None]
        rows = rows + self.depth(self.norm(self.left(rows)).relu())
        rows = self.after(torch.cat([rows, self.right(rows).relu()], 1))
        return self.head(self.grouped(self.last(rows.relu()) * self.scale).mean((2, 3)))


@pytest.mark.parametrize("ratio", [0.25, 0.5, 0.9])
def test_a_uniform_cut_depends_on_widths_alone_and_keeps_a_valid_network(ratio):
    sample = torch.randn(2, 3, 6, 6)
    torch.manual_seed(0)
    one, other = Branches(), Branches()
    one.norm.weight.requires_grad_(False)
    cut = prune_uniformly(one, ratio, sample)
    assert cut.training and not cut.norm.weight.requires_grad and cut.stem.weight.requires_grad
    shapes = [weight.shape for weight in cut.parameters()]
    assert shapes == [weight.shape for weight in prune_uniformly(other, ratio, sample).parameters()]
    assert cut.stem.out_channels < 16 and cut.last.out_channels == 12 and cut.head.out_features == 5
    cut(sample).square().sum().backward()


def test_a_ratio_of_less_than_a_step_removes_nothing():
    sample = torch.randn(2, 3, 6, 6)
    net = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 16, 4))
    net[0].weight.requires_grad_(False)
    cut = prune_uniformly(net, 0.04, sample)
    assert cut is not net and cut[0].out_channels == 16 and cut.training and not cut[0].weight.requires_grad
    torch.testing.assert_close(cut(sample), net(sample))
    with pytest.raises(ConfigError, match="no layer that could lose a channel"):
        prune_uniformly(nn.Sequential(nn.Flatten(), nn.Linear(108, 4)), 0.04, sample)


def test_masked_channels_are_pruned_first():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 16, 32), nn.ReLU(), nn.Linear(32, 4))
    with torch.no_grad():
        for layer, silent in ((net[0], range(0, 16, 2)), (net[3], range(0, 32, 2))):
            layer.weight[list(silent)] = 0
            layer.bias[list(silent)] = 0
    sample = torch.randn(4, 3, 6, 6)
    cut = prune_uniformly(net.eval(), 0.5, sample)
    assert [cut[0].out_channels, cut[3].in_features, cut[3].out_features] == [8, 128, 16]
    torch.testing.assert_close(cut(sample), net(sample), rtol=1e-4, atol=1e-5)


def test_a_network_is_reloaded_from_its_recipe_and_weights(pictures, tmp_path):
    from lepton_automl.models import save
    from lepton_automl.pipelines.custom import CustomAdapter
    from lepton_automl.plans import PrunePlan, TrainPlan

    asked = {"train": TrainPlan(), "prune": PrunePlan(), "factory": factory_of(custom_networks.make), "folder": str(tmp_path)}
    adapter = CustomAdapter({"model.width": 16, "train.lr": 0.01, "prune.ratio": 0.5}, pictures, **asked)
    net = adapter.build(adapter.lean)
    save(net, tmp_path)
    back = load_by(tmp_path, adapter.build)
    assert isinstance(back, custom.CustomNet) and back.recipe == adapter.lean and adapter.whole.contains(adapter.lean)
    rows = {"image": torch.randint(256, (4, 1, 8, 8), dtype=torch.uint8)}
    torch.testing.assert_close(back(**rows), net.eval()(**rows))
