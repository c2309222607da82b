"""Two programs that build a network layer by layer, on MNIST: test accuracy, seconds an epoch, and what `lean` and `accelerate` gain."""

from __future__ import annotations

import gzip
import os
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lepton_automl import Deployment, Model, accelerate, lean
from lepton_automl.measuring.host import describe_host
from lepton_automl.models import LeptonNet
from lepton_automl.texts import many

from .report import Figure, Result

DATA = Path(os.environ.get("LEPTON_DATA") or Path(__file__).parents[2] / "shared" / "data") / "mnist"
LEAST = {"conv": 0.979, "leptonnet": 0.985}  # the published figures, at 36 seconds an epoch
SECONDS = 10  # an epoch
DROP = 0.003  # of the accuracy on held-out training images, at most, by int8

Array = NDArray[Any]


def images(part: str) -> tuple[Array, Array]:
    """Images float32 [N, 28, 28, 1] in 0 to 1, and labels one-hot float64 [N, 10]."""
    with gzip.open(DATA / f"{part}-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16)
    with gzip.open(DATA / f"{part}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return (pixels.reshape(-1, 28, 28, 1) / 255).astype(np.float32), np.eye(10)[labels]


def conv_net() -> Model:
    """The first program's network."""
    model = Model()
    model.add_conv2d(3, 32, activation="relu")
    model.add_pool2d(pool_size=(2, 2))
    model.add_dense(10, activation="softmax")
    return model


def run(epochs: int = 10, rows: int = 60_000, batch: int = 1, only: str = "", threads: int = 0) -> Result:
    """Train both networks as published, then prune and accelerate them.

    Args:
        epochs: Passes over the training images.
        rows: Training images.
        batch: Rows in a call whose speed is measured.
        only: `"conv"` or `"leptonnet"` for one of them.
        threads: Threads that train; 0 for as many as torch uses by itself. Calls are timed on one.
    """
    if threads:
        torch.set_num_threads(threads)
    (x_train, y_train), (x_test, y_test) = images("train"), images("t10k")
    x_train, y_train = x_train[:rows], y_train[:rows]
    figures: list[Figure] = []
    networks = {"conv": (conv_net(), 32), "leptonnet": (LeptonNet(input_shape=(28, 28, 1), num_classes=10), 128)}
    for name, (model, batch_size) in networks.items():
        if only and only != name:
            continue
        model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
        history = model.fit(x_train, y_train, batch_size=batch_size, epochs=epochs, validation_data=(x_test, y_test))
        _, accuracy = model.evaluate(x_test, y_test)
        figures += [
            Figure(name=f"{name}: test accuracy", value=accuracy, target=f">= {LEAST[name]}"),
            Figure(name=f"{name}: an epoch", value=statistics.median(history.seconds), unit="s", target=f"< {SECONDS}"),
            *gains(name, model, (x_test, y_test), batch),
        ]
    notes = [
        f"{describe_host()}, trained on {many(torch.get_num_threads(), 'thread')}. Test images are scored after each epoch, and nothing is decided on them.",
        "lean removes half of the channels, which is chosen on no rows.",
        f"accelerate chooses on a fifth of the training images, of which it may lose {DROP:.1%}.",
        f"accelerate, speed: of one call with {batch} image, in the fastest variant, by PyTorch's time for the same network.",
    ]
    return Result(figures=figures, notes=notes)


def gains(name: str, model: Model, test: tuple[Array, Array], batch: int) -> list[Figure]:
    """What `lean` and `accelerate` gain, alone and one after the other."""
    target = Deployment(batch_size=batch, max_score_drop=DROP)
    fast = accelerate(model, deployment=target)
    print(fast, fast.table, sep="\n", flush=True)
    small = lean(model, deployment=target)
    print(small, small.history, sep="\n", flush=True)
    both = accelerate(small.model, deployment=target)
    print(both, flush=True)
    truth, figures = test[1].argmax(1), []
    if small.before.latency and small.after.latency:
        gain = small.before.latency.median / small.after.latency.median
        figures.append(Figure(name=f"{name}: lean, speed of the float32 ONNX file", value=gain))
    return [
        *figures,
        Figure(name=f"{name}: lean, test accuracy", value=small.model.evaluate(*test)[1]),
        Figure(name=f"{name}: lean, weights left", value=100 * small.after.parameters / small.before.parameters, unit="%"),
        Figure(name=f"{name}: accelerate, speed by PyTorch", value=fast.speedup),
        Figure(name=f"{name}: accelerate, a call", value=fast.latency.median, unit="ms"),
        Figure(name=f"{name}: accelerate, test accuracy", value=float((fast.predict(test[0]).argmax(1) == truth).mean())),
        Figure(name=f"{name}: lean and accelerate, a call", value=both.latency.median, unit="ms"),
        Figure(
            name=f"{name}: lean and accelerate, test accuracy", value=float((both.predict(test[0]).argmax(1) == truth).mean())
        ),
    ]
