"""Networks that are built layer by layer: trained, scored, used, saved, pruned, accelerated, and searched from."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits
from torch import nn

from lepton_automl import (
    AutoML,
    BundleError,
    ConfigError,
    Deployment,
    LeptonError,
    Model,
    accelerate,
    lean,
    load_accelerated,
    load_model,
)
from lepton_automl.configure import study_config
from lepton_automl.data.open import open_data
from lepton_automl.data.options import DataOptions
from lepton_automl.families import draw, first_designs, room
from lepton_automl.models import LeptonNet

DIGITS = load_digits()
X, LABELS = (DIGITS.images[..., None] / 16).astype(np.float32), DIGITS.target
Y = np.eye(10)[LABELS]
TRAIN, TEST = slice(0, 1400), slice(1400, None)
SETTINGS = {"optimizer": "adam", "loss": "categorical_crossentropy", "metrics": ["accuracy"]}


def conv_net(**arguments):
    model = Model(**arguments)
    model.add_conv2d(3, 32, activation="relu")
    model.add_pool2d(pool_size=(2, 2))
    model.add_dense(10, activation="softmax")
    model.compile(**SETTINGS)
    return model


@pytest.fixture(scope="module")
def trained():
    model = conv_net()
    model.fit(X[TRAIN], Y[TRAIN], batch_size=32, epochs=10, validation_data=(X[TEST], Y[TEST]), progress=False)
    return model


class TestTraining:
    def test_the_published_program_learns(self, capsys):
        model = conv_net()
        history = model.fit(X[TRAIN], Y[TRAIN], batch_size=32, epochs=3, validation_data=(X[TEST], Y[TEST]))
        loss, accuracy = model.evaluate(X[TEST], Y[TEST])
        assert accuracy > 0.8 and set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
        assert history.history["val_accuracy"][-1] == accuracy and history.history["val_loss"][-1] == pytest.approx(loss)
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == history.epochs == 3 and lines[-1].startswith("epoch 3/3") and "val_accuracy" in lines[-1]

    def test_lepton_net_learns(self):
        model = LeptonNet(input_shape=(8, 8, 1), num_classes=10)
        model.compile(**SETTINGS)
        model.fit(X[TRAIN], Y[TRAIN], batch_size=64, epochs=8, progress=False)
        assert model.evaluate(X[TEST], Y[TEST])[1] > 0.9

    def test_one_hot_rows_and_class_indices_are_the_same(self):
        first, second = conv_net(), conv_net()
        first.fit(X[:200], Y[:200], epochs=2, progress=False)
        second.fit(torch.from_numpy(X[:200, :, :, 0]), LABELS[:200, None], epochs=2, progress=False)
        assert np.array_equal(first.predict(X), second.predict(X))

    def test_validation_rows_decide_nothing(self):
        """The network ends as without them, even where they score best at an earlier epoch."""
        alone, scored = conv_net(), conv_net()
        alone.fit(X[:200], Y[:200], epochs=4, progress=False)
        wrong = (X[:200], np.roll(Y[:200], 1, 1))
        history = scored.fit(X[:200], Y[:200], epochs=4, validation_data=wrong, progress=False).history
        assert np.argmin(history["val_loss"]) < 3
        assert np.array_equal(alone.predict(X), scored.predict(X))

    def test_a_second_fit_goes_on(self):
        model = conv_net()
        first = model.fit(X[TRAIN], Y[TRAIN], epochs=1, progress=False).history["loss"][0]
        second = model.fit(X[TRAIN], Y[TRAIN], epochs=1, progress=False).history["loss"][0]
        assert second < first / 2 and model.epochs == 2

    def test_a_training_that_diverges_leaves_the_network_as_it_was(self):
        model = conv_net()
        model.fit(X[TRAIN], LABELS[TRAIN], progress=False)
        before = model.predict(X)
        model.compile("sgd", learning_rate=1e6)
        with pytest.raises(LeptonError, match=r"diverged(?s:.*)learning_rate=100000"):
            model.fit(X[TRAIN], LABELS[TRAIN], epochs=3, progress=False)
        assert np.array_equal(model.predict(X), before)

    @pytest.mark.parametrize("optimizer", ["adamw", "nadam", "rmsprop", "adagrad", "sgd", "momentum"])
    def test_every_optimizer_learns(self, optimizer):
        model = conv_net()
        model.compile(optimizer, learning_rate=0.003 if optimizer in {"adamw", "nadam", "rmsprop"} else 0.05)
        losses = model.fit(X[:400], LABELS[:400], epochs=3, progress=False).history["loss"]
        assert losses[-1] < losses[0]

    def test_two_classes_with_one_unit(self):
        model = Model((8, 8))
        model.add_flatten()
        model.add_dense(16, activation="relu")
        model.add_batch_norm()
        model.add_dense(1, activation="sigmoid")
        model.compile(loss="binary_crossentropy", metrics=["accuracy", "auroc"])
        model.fit(X[TRAIN], LABELS[TRAIN] > 4, epochs=6, progress=False)
        _, accuracy, auroc = model.evaluate(X[TEST], (LABELS[TEST] > 4)[:, None].astype(float))
        answers = model.predict(X[TEST])
        assert accuracy > 0.8 and auroc > 0.85 and answers.shape == (397, 1)
        assert ((answers[:, 0] > 0.5) == (LABELS[TEST] > 4)).mean() == accuracy

    def test_numbers_keep_their_unit(self):
        x, y = load_diabetes(return_X_y=True)
        model = Model()
        model.add_dense(32, activation="relu")
        model.add_dense(1)
        model.compile(loss="mse", metrics=["rmse", "r2"])
        history = model.fit(x, y * 1000 + 1e6, epochs=40, progress=False).history
        loss, rmse, r2 = model.evaluate(x, y * 1000 + 1e6)
        again = model.fit(x[:200], y[:200] * 1000 + 1e6, epochs=1, progress=False).history["loss"][0]
        assert again < 2 * loss
        assert r2 > 0.3 and loss == pytest.approx(rmse**2, rel=1e-3) == pytest.approx(history["loss"][-1], rel=0.2)


class TestErrors:
    @pytest.mark.parametrize(
        ("call", "what"),
        [
            (lambda model: model.add_conv2d(3, 8, activation="rleu"), r"conv2d_2: .*'rleu'(?s:.*)Did you mean 'relu'"),
            (lambda model: model.add_conv2d(3, filter=8), r"add_conv2d: .*'filter'(?s:.*)Did you mean 'filters'"),
            (lambda model: model.add_conv2d(0, -1), r"(?s)kernel_size is 0.*filters is -1"),
            (lambda model: model.add_pool2d(pool="maximum"), r"pool2d_2: pool is 'maximum'"),
            (lambda model: model.compile("adan", "crossentropy", ["acuracy"]), r"(?s)3 things.*'adam'.*entropy'.*'accuracy'"),
            (lambda model: model.compile(optimiser="adam"), r"Did you mean 'optimizer'"),
            (lambda model: model.compile(loss="mse"), r"dense_1: 2 things are wrong"),
            (lambda model: model.compile(loss="binary_crossentropy"), r"dense_1: .*(?s:.*)it has 10 units"),
            (lambda model: model.fit(X, Y, epoch=3), r"fit: .*'epoch'(?s:.*)Did you mean 'epochs'"),
            (
                lambda model: model.fit(X[:9], Y, epochs=0, validation_data=X),
                r"(?s)3 things.*epochs is 0.*x has 9 rows.*ndarray",
            ),
            (lambda model: model.fit(X, LABELS + 1), r"the label 10(?s:.*)0 to 9"),
            (lambda model: model.fit(X, LABELS.astype(str)), r"y holds"),
            (lambda model: model.fit(X, Y[:, :9]), r"y has 9 columns, and the last layer has 10 units"),
            (lambda model: model.fit(X, Y / 2), r"not one-hot"),
            (lambda model: model.fit(X * np.nan, Y), r"x contains values that are not finite"),
            (lambda model: model.fit(X[:, :2, :2], Y), r"conv2d_1: its kernel of 3 x 3 does not fit"),
            (lambda model: model.predict(X), r"no weights yet"),
            (lambda model: model.save("x"), r"no weights yet"),
            (lambda _: Model().fit(X, Y), r"not compiled"),
            (lambda _: LeptonNet((8, 8, 1), classes=10), r"LeptonNet: .*'classes'(?s:.*)num_classes"),
            (lambda _: Model((28, 28, 1)).add_conv2d(32, 3), r"the order is add_conv2d\(kernel, filters\)"),
        ],
    )
    def test_a_wrong_call_says_what_to_do(self, call, what):
        with pytest.raises(ConfigError, match=what):
            call(conv_net())

    def test_rows_of_another_shape_are_refused(self, trained):
        with pytest.raises(ConfigError, match=r"x is \[N, 1, 8, 8\], and the network takes \[N, 8, 8, 1\]"):
            trained.predict(X.transpose(0, 3, 1, 2))
        with pytest.raises(ConfigError, match=r"dense_2: the network has its weights already"):
            trained.add_dense(10)

    def test_metrics_of_another_task_are_refused_before_training(self):
        model = conv_net()
        model.compile(metrics=["r2"])
        with pytest.raises(ConfigError, match="'r2' does not fit the loss"):
            model.fit(X, Y)


class TestUse:
    def test_a_saved_network_answers_as_before(self, trained, tmp_path):
        opened = load_model(trained.save(tmp_path / "net"))
        assert isinstance(opened, Model) and np.array_equal(opened.predict(X), trained.predict(X))
        assert opened.evaluate(X[TEST], Y[TEST]) == trained.evaluate(X[TEST], Y[TEST])
        assert {path.name for path in (tmp_path / "net").iterdir()} == {"network.json", "recipe.json", "model.safetensors"}
        opened.fit(X[TRAIN], Y[TRAIN], progress=False)
        assert opened.epochs == trained.epochs + 1

    def test_a_damaged_network_is_refused(self, trained, tmp_path):
        folder = trained.save(tmp_path / "net")
        (folder / "network.json").write_text(json.dumps({"shape": [8, 8, 1]}))
        with pytest.raises(BundleError, match=r"network.json cannot be read"):
            load_model(folder)

    def test_the_summary_lists_layers_and_weights(self, trained, capsys):
        text = trained.summary()
        assert capsys.readouterr().out.strip() == text
        assert "conv2d_1" in text and "6 x 6 x 32" in text and f"{32 * 10 + 2890:,} weights" in text
        assert sum(weight.numel() for weight in trained.module.parameters()) == 32 * 10 + 2890

    def test_a_pooling_before_an_activation_changes_nothing(self, trained):
        """The network computes the activation after the pooling, which is the same and faster."""
        parts = dict(trained.network.layers.named_children())
        assert list(parts)[:3] == ["conv2d_1", "pool2d_1", "conv2d_1_relu"]
        rows = torch.rand(3, 32, 6, 6) - 0.5
        assert torch.equal(parts["pool2d_1"](nn.functional.relu(rows)), nn.functional.relu(parts["pool2d_1"](rows)))


class TestHouse:
    def test_it_is_pruned_to_a_narrower_network_of_its_kind(self, trained, tmp_path):
        before = trained.recipe
        small = lean(trained, ratio=0.5, multiple=4, epochs=2, progress=False)
        model = small.model
        assert isinstance(model, Model) and model.recipe.widths == {"conv2d_1": 16} and trained.recipe == before
        assert model.evaluate(X[TEST], Y[TEST])[1] > 0.8
        opened = load_model(model.save(tmp_path / "small"))
        assert np.array_equal(opened.predict(X), model.predict(X))
        model.fit(X[TRAIN], Y[TRAIN], progress=False)

    def test_it_is_accelerated_and_answers_probabilities(self, trained, tmp_path):
        target = Deployment(runtimes=("onnxruntime",), batch_size=8)
        fast = accelerate(trained, (X[TRAIN], Y[TRAIN]), validation=(X[TEST], LABELS[TEST]), deployment=target, progress=False)
        answers = fast.predict(X[TEST])
        assert np.abs(answers - trained.predict(X[TEST])).max() < 0.1 and np.allclose(answers.sum(1), 1, atol=1e-5)
        opened = load_accelerated(fast.save(tmp_path / "fast"))
        assert np.array_equal(opened(X[TEST]), answers)

    def test_without_rows_a_loaded_network_cannot_be_pruned(self, trained, tmp_path):
        with pytest.raises(ConfigError, match="the network was loaded"):
            lean(load_model(trained.save(tmp_path / "net")))
        with pytest.raises(ConfigError, match=r"there are no data"):
            accelerate(nn.Linear(2, 2))

    def test_a_search_begins_at_it(self, trained, tmp_path):
        spec = open_data((X, LABELS), tmp_path / "prepared", DataOptions()).spec
        config = study_config(AutoML(start=trained), spec, "digits")
        designs = first_designs(config.space, spec)
        recipes = [draw(room(design, "model"), spec) for design in designs[:2]]
        assert recipes[0].layers == trained.recipe.layers and recipes[1].widths == {"conv2d_1": 16}
        varied = {name for name, setting in config.space.items() if len(setting.choices) != 1}
        assert varied == {"model.width", "train.lr", "train.weight_decay", "prune.ratio"}

    @pytest.mark.parametrize(
        ("arguments", "what"),
        [
            ({"start": "conv"}, "start is a str"),
            ({"start": Model()}, "no dense layer at its end"),
            ({"start": conv_net(), "family": "conv"}, "both start and family"),
        ],
    )
    def test_a_wrong_start_is_refused(self, arguments, what):
        with pytest.raises(ConfigError, match=what):
            AutoML(**arguments)

    def test_a_start_that_does_not_fit_the_data_is_refused(self, tmp_path):
        spec = open_data((X, LABELS % 3), tmp_path / "prepared", DataOptions()).spec
        with pytest.raises(ConfigError, match=r"dense_1: it has 10 units, and the data need 3 outputs"):
            study_config(AutoML(start=conv_net()), spec, "digits")
