"""`Model`: a network that is built layer by layer, trained, scored and used."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lepton_automl.errors import Complaints, ConfigError
from lepton_automl.layers import Layer, SequentialRecipe, layer_names, with_flatten
from lepton_automl.models.build import build
from lepton_automl.models.sequential import RowsNet, SequentialNet
from lepton_automl.specs import Tracking

from .compiled import Compiled, answers_of, check_last, compiled
from .history import History
from .keywords import known_keywords
from .layer_list import LayerList
from .rows import read_rows, read_targets
from .scoring import Pairs, check_metrics, outputs_of, scores_of, spec_of
from .summary import summary

LARGE = 1000  # numbers from which on decimals are not shown
LEAST_STD = 1e-6  # a channel or feature with less is not scaled


class Model(LayerList):
    """A network that is built layer by layer.

    `lean`, `accelerate` and `AutoML(start=model)` take it as it is.

    Args:
        input_shape: The shape of one row, channels last: (height, width, channels) or (features,); None to take it from the rows
            of the first `fit`.
        seed: The seed of initial weights, dropout and the order of rows.

    Example:
        >>> model = Model()  # doctest: +SKIP
        >>> model.add_conv2d(3, 32, activation="relu")  # doctest: +SKIP
        >>> model.add_pool2d(pool_size=(2, 2))  # doctest: +SKIP
        >>> model.add_dense(10, activation="softmax")  # doctest: +SKIP
        >>> model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])  # doctest: +SKIP
        >>> model.fit(x_train, y_train, batch_size=32, epochs=10, validation_data=(x_test, y_test))  # doctest: +SKIP
        >>> loss, accuracy = model.evaluate(x_test, y_test)  # doctest: +SKIP
    """

    @known_keywords
    def __init__(self, input_shape: tuple[int, ...] | None = None, *, seed: int = 0) -> None:
        super().__init__(input_shape)
        complaints = Complaints("Model")
        is_seed = isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0
        complaints.check(is_seed, f"seed is {seed!r}.", "Give a whole number of at least 0.")
        complaints.raise_any()
        self.seed = seed
        self.compiled: Compiled | None = None
        self.history = History()
        self.epochs = 0  # all that it has been trained for
        self.net: RowsNet | None = None
        self.rows: Pairs | None = None  # those of the last fit

    @property
    def is_built(self) -> bool:
        """Whether it has weights: layers can no longer be added."""
        return self.net is not None

    @known_keywords
    def compile(
        self,
        optimizer: str = "adam",
        loss: str = "categorical_crossentropy",
        metrics: Any = (),
        learning_rate: float | None = None,
        schedule: str = "linear",
    ) -> None:
        """Set how the network is trained and scored; a compiled network may be compiled anew.

        Args:
            optimizer: `"adam"`, `"adamw"`, `"nadam"`, `"rmsprop"`, `"adagrad"`, `"sgd"` or `"momentum"` (SGD with Nesterov
                momentum of 0.9).
            loss: `"categorical_crossentropy"` or `"sparse_categorical_crossentropy"` for classes (both take one-hot rows and
                class indices), `"binary_crossentropy"` for two classes, `"mse"` or `"mae"` for numbers.
            metrics: Names of metrics: `"accuracy"`, `"f1"`, `"auroc"` and so on for classes, `"rmse"`, `"mae"`, `"r2"` and so on for
                numbers.
            learning_rate: The learning rate; None for the optimiser's usual one.
            schedule: `"linear"` if the rate falls to zero during each `fit`, so that the last weights are good ones;
                `"constant"` if it does not.

        Raises:
            ConfigError: Some arguments are wrong, all are listed; or the last layer does not fit the loss.
        """
        settings = compiled(optimizer=optimizer, loss=loss, metrics=metrics, learning_rate=learning_rate, schedule=schedule)
        if self.layers:
            check_last(self.layers, layer_names(self.layers), settings.loss)
        self.compiled = settings

    @known_keywords
    def fit(
        self,
        x: Any,
        y: Any,
        batch_size: int = 32,
        epochs: int = 1,
        validation_data: Any = None,
        *,
        log: bool | str = False,
        progress: bool = True,
    ) -> History:
        """Train the network; it ends with the weights of the last epoch. A second call trains it further.

        Args:
            x: Rows [N, height, width, channels], [N, height, width] or [N, features]; images usually in 0 to 1. The network
                standardises each channel or feature by the rows of the first call.
            y: Class indices [N] or one-hot rows [N, K]; numbers [N] for `"mse"` and `"mae"`.
            batch_size: Rows in one step; rows that are left over at the end of an epoch wait for the next one.
            epochs: Passes over the rows.
            validation_data: `(x, y)` to score after each epoch. Nothing is decided on them.
            log: Whether to write a run to MLflow; or the name of the experiment, which is `lepton/networks` by default.
            progress: Whether to print a line for each epoch.

        Returns:
            The loss and the metrics after each epoch.

        Raises:
            ConfigError: Some arguments are wrong; all are listed.
            Diverged: The loss is not finite; the network has the weights from before.
        """
        from .training import Training  # Lightning takes seconds to import

        settings = self._compiled("fit")
        last = check_last(self.layers, layer_names(self.layers), settings.loss)
        complaints = Complaints("fit")
        for name, number in (("batch_size", batch_size), ("epochs", epochs)):
            valid = isinstance(number, int) and not isinstance(number, bool) and number >= 1
            complaints.check(valid, f"{name} is {number!r}.", "Give a whole number of at least 1.")
        train = self.pairs((x, y), ("x", "y"), complaints)
        validation = None
        if validation_data is not None:
            if isinstance(validation_data, tuple | list) and len(validation_data) == 2:
                names = ("x of validation_data", "y of validation_data")
                validation = self.pairs((validation_data[0], validation_data[1]), names, complaints)
            else:
                complaints.add(f"validation_data is a {type(validation_data).__name__}.", "Give (x, y).")
        if train is not None and validation is not None and train[0].shape[1:] != validation[0].shape[1:]:
            complaints.add(f"x has rows of {list(train[0].shape[1:])}, validation_data of {list(validation[0].shape[1:])}.")
        complaints.raise_any()
        assert train is not None
        self.rows = train
        net = self._built(train, last, settings)
        check_metrics(settings, spec_of(train[1], 2 if net.two_classes else last.width))
        run = Training(
            net=net,
            compiled=settings,
            train=train,
            validation=validation,
            batch_size=batch_size,
            epochs=epochs,
            done=self.epochs,
            seed=self.seed,
            report=_report(epochs) if progress else lambda *_: None,
        )
        place, started = self._run_place(log), time.time()
        self.history = run.run()
        self.epochs += self.history.epochs
        if place is not None:
            from .mlflow_run import log_run

            log_run(self, place, started, batch_size)
        return self.history

    def _run_place(self, log: bool | str) -> Tracking | None:  # noqa: FBT001  # an argument of `fit`
        """Where a run is written to; None for nowhere."""
        if not log:
            return None
        from .mlflow_run import run_place

        return run_place(log if isinstance(log, str) else "")

    @known_keywords
    def evaluate(self, x: Any, y: Any) -> tuple[float, ...]:
        """The loss and the metrics, in the order of `compile`, for some rows.

        Args:
            x: Rows as for `fit`.
            y: Their targets.
        """
        net, settings = self._trained("evaluate"), self._compiled("evaluate")
        complaints = Complaints("evaluate")
        pairs = self.pairs((x, y), ("x", "y"), complaints)
        complaints.raise_any()
        assert pairs is not None
        return tuple(scores_of(net, pairs, settings).values())

    @known_keywords
    def predict(self, x: Any) -> NDArray[np.float32]:
        """Probabilities [N, K]; for two classes with one unit, that of the second, [N, 1]; values [N, 1] of a regression.

        Args:
            x: Rows as for `fit`.
        """
        net, settings = self._trained("predict"), self._compiled("predict")
        complaints = Complaints("predict")
        rows = self._rows(x, "x", complaints)
        complaints.raise_any()
        assert rows is not None
        answers: NDArray[np.float32] = answers_of(outputs_of(net, rows), settings.answer).numpy()
        return answers

    def summary(self) -> str:
        """Print the layers with their outputs and weights, and return the text."""
        text = summary(self)
        print(text)  # noqa: T201  # as its name says
        return text

    def save(self, folder: str | Path) -> Path:
        """Write the network into a new folder, which `load_model` opens: its recipe, its weights, and how it was compiled.

        Raises:
            ConfigError: The folder is not empty, or the network has no weights yet.
        """
        from .saved import save

        return save(self, Path(folder))

    @property
    def recipe(self) -> SequentialRecipe:
        """The network as a value.

        Raises:
            ConfigError: The shape of its inputs is not known yet.
        """
        if self.net is not None:
            return self.net.network.recipe
        if self.shape is None or not self.layers:
            fix = "Call fit, or make it as Model(input_shape=(height, width, channels)), and add layers."
            raise ConfigError("the shape of the inputs is not known yet", where="Model", fix=fix)
        inner = self.inner_shape
        return SequentialRecipe(outputs=self.layers[-1].width, shape=inner, layers=with_flatten(self.layers[:-1], inner))

    @property
    def network(self) -> SequentialNet:
        """The torch module, which takes rows [N, channels, height, width] or [N, features] by any name."""
        return self._trained("network").network

    @property
    def module(self) -> RowsNet:
        """The torch module as a function of the rows of `fit`: logits [N, K], or values [N, 1]."""
        return self._trained("module")

    def __repr__(self) -> str:
        trained = f"trained for {self.epochs} epochs" if self.net is not None else "not trained"
        return f"<{type(self).__name__}: {len(self.layers)} layers, {trained}>"

    def _compiled(self, where: str) -> Compiled:
        if self.compiled is None:
            fix = "Call model.compile(optimizer='adam', loss='categorical_crossentropy', metrics=['accuracy']) first."
            raise ConfigError("the network is not compiled", where=where, fix=fix)
        return self.compiled

    def _trained(self, where: str) -> RowsNet:
        if self.net is None:
            raise ConfigError("the network has no weights yet", where=where, fix="Call model.fit(x, y) first.")
        return self.net

    def _rows(self, x: Any, name: str, complaints: Complaints) -> Tensor | None:
        rows = read_rows(x, name, complaints)
        if rows is not None and self.shape is not None and tuple(rows.shape[1:]) != self.shape:
            found, wanted = ", ".join(map(str, rows.shape[1:])), ", ".join(map(str, self.shape))
            complaints.add(f"{name} is [N, {found}], and the network takes [N, {wanted}].", "Channels come last.")
            return None
        return rows

    def pairs(self, data: tuple[Any, Any], names: tuple[str, str], complaints: Complaints) -> Pairs | None:
        """Rows and targets, read and checked.

        Args:
            data: As for `fit`.
            names: What the user calls them, for complaints.
            complaints: Complaints are added to these.

        Returns:
            Rows float32 [N, ...], and class indices int64 [N] or values float32 [N]; None if there are complaints.
        """
        rows = self._rows(data[0], names[0], complaints)
        targets = read_targets(data[1], names[1], self._compiled("fit").answer, self.layers[-1].width, complaints)
        if rows is None or targets is None:
            return None
        if len(rows) != len(targets):
            complaints.add(f"{names[0]} has {len(rows)} rows, and {names[1]} has {len(targets)}.")
            return None
        return rows, targets

    def _built(self, train: Pairs, last: Layer, settings: Compiled) -> RowsNet:
        """The network; built at the first call, with weights that depend on the seed."""
        if self.net is None:
            rows, targets = train
            self.shape = tuple(rows.shape[1:])
            std, mean = _std_and_mean(rows)
            recipe = SequentialRecipe(
                outputs=last.width,
                shape=self.inner_shape,
                layers=with_flatten(self.layers[:-1], self.inner_shape),
                mean=mean,
                std=std,
            )
            network = build(recipe, seed=self.seed)
            assert isinstance(network, SequentialNet)
            numbers = settings.answer == "number"
            self.net = RowsNet(
                network,
                two_classes=settings.answer == "two classes",
                mean=float(targets.double().mean()) if numbers else 0.0,
                scale=(float(targets.double().std(correction=0)) or 1.0) if numbers else 1.0,
            )
        elif self.net.two_classes != (settings.answer == "two classes"):
            fix = "Make a new Model for it."
            raise ConfigError(f"the network was built for another loss than {settings.loss!r}", where="compile", fix=fix)
        return self.net


def _std_and_mean(rows: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Standard deviation and mean of each channel or feature."""
    array = rows.numpy()
    axes = tuple(range(array.ndim - 1))
    std, mean = array.std(axes, dtype=np.float64), array.mean(axes, dtype=np.float64)
    return tuple(float(each) if each > LEAST_STD else 1.0 for each in std), tuple(map(float, mean))


def _report(epochs: int) -> Callable[[int, dict[str, float], float], None]:
    """A function that prints a line after each epoch."""

    def report(epoch: int, values: dict[str, float], seconds: float) -> None:
        told = "  ".join(
            f"{name} {value:.4f}" if abs(value) < LARGE else f"{name} {value:.4g}" for name, value in values.items()
        )
        print(f"epoch {epoch:>{len(str(epochs))}}/{epochs}  {seconds:.1f} s  {told}", flush=True)  # noqa: T201  # progress=True

    return report
