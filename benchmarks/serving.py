"""Served models: equality with the network's predictions, latency and throughput against MLflow's own flavour, hostile requests."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lepton_automl import AutoML, Budget, Study
from lepton_automl.modalities.table.spec import table_input
from lepton_automl.models.deployable import deployable
from lepton_automl.models.files import load
from lepton_automl.tracking.registry import tracking_uri, versions
from lepton_automl.tracking.serving import serve_command

from . import payloads
from .report import Figure, Result

CHECKOUT = Path(__file__).parents[1]
DATA = Path(os.environ.get("LEPTON_DATA") or CHECKOUT.parent / "shared" / "data")
WRK = """
local bodies = {}
function init(args)
  for line in io.lines(args[1]) do
    bodies[#bodies + 1] = wrk.format("POST", "/invocations", {["Content-Type"] = "application/json"}, line)
  end
end
local at = 0
function request() at = at % #bodies + 1; return bodies[at] end
function done(summary, latency, requests)
  local bad = summary.errors.status + summary.errors.read + summary.errors.timeout
  io.write(string.format("%f %f %f %d\\n", latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    summary.requests / summary.duration * 1e6, bad))
end
"""
CLOSE = 1e-4  # allowed difference of probabilities, as ONNX Runtime and PyTorch sum in different orders


@dataclass(frozen=True)
class Case:
    """A study and the requests to its model.

    Args:
        study: A study that has ended, with a registered model.
        raw: Raw rows or images, as `predict` accepts them.
        bodies: One request body for each of them.
        tensors: The same as inputs of the network, one float row or one image for each.
    """

    study: Study
    raw: Any
    bodies: list[bytes]
    tensors: NDArray[Any]


class Flat(nn.Module):
    """A network with one input tensor, as MLflow's `pytorch` flavour requires.

    Args:
            network: A network that returns probabilities.
            numeric: Number of numeric columns of a table; 0 for images.
    """

    def __init__(self, network: nn.Module, numeric: int) -> None:
        super().__init__()
        self.network, self.numeric = network, numeric

    def forward(self, rows: Tensor) -> Tensor:
        outputs: Tensor
        if not self.numeric:
            outputs = self.network(image=rows.to(torch.uint8))
        elif rows.shape[1] == self.numeric:
            outputs = self.network(numeric=rows)
        else:
            outputs = self.network(numeric=rows[:, : self.numeric], categorical=rows[:, self.numeric :].long())
        return outputs


# The studies


def table_case(home: Path, rows: int, trials: int, requests: int) -> Case:
    """The case of Adult: numbers and categories."""
    frame = pd.read_csv(DATA / "tabular" / "adult.csv.gz").drop(columns="split", errors="ignore")
    frame = frame.sample(frac=1, random_state=0).reset_index(drop=True)
    study = AutoML(name="adult", home=home, budget=Budget(trials=trials), progress=False).fit(frame[:rows], target="income")
    raw = frame[rows : rows + requests].drop(columns="income")
    records = json.loads(raw.to_json(orient="records"))
    arrays = study.best().predictor.preprocess.arrays(raw)
    parts = [arrays[name].astype(np.float32) for name in ("numeric", "categorical") if name in arrays]
    return Case(study, raw, [payloads.rows_of(row) for row in records], np.concatenate(parts, axis=1))


def picture_case(home: Path, rows: int, trials: int, requests: int) -> Case:
    """The case of Fashion-MNIST: images as PNG files."""
    images, labels = (idx(DATA / "fashion_mnist" / f"train-{what}.gz") for what in ("images-idx3-ubyte", "labels-idx1-ubyte"))
    study = AutoML(name="fashion", home=home, budget=Budget(trials=trials), progress=False).fit(
        images[:rows], labels[:rows], folds=0
    )
    raw = images[rows : rows + requests]
    arrays = study.best().predictor.preprocess.arrays(raw)
    return Case(study, raw, [payloads.image(png(picture)) for picture in raw], arrays["image"])


def idx(path: Path) -> NDArray[np.uint8]:
    """Read an array in the format of MNIST."""
    content = gzip.decompress(path.read_bytes())
    shape = np.frombuffer(content, ">i4", content[3], 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def png(pixels: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def network(case: Case) -> Flat:
    """The trained module of the study's chosen model."""
    spec = case.study.state.settings.data
    module = deployable(load(case.study.best().path), spec)
    return Flat(module, 0 if spec.modality == "image" else table_input(spec).numeric).eval()


def log_rival(case: Case, home: Path) -> str:
    """Log the same network in MLflow's own flavour, as documented; its input is already preprocessed."""
    import mlflow
    from mlflow.models import infer_signature

    mlflow.set_tracking_uri(tracking_uri(home))
    name, example = f"{case.study.name}-pytorch", case.tensors[:1].astype(np.float32)
    module = network(case)
    with torch.no_grad():
        signature = infer_signature(example, module(torch.from_numpy(example)).numpy())
    with mlflow.start_run():
        mlflow.pytorch.log_model(
            module, name="model", signature=signature, input_example=example, registered_model_name=name,
            pip_requirements=["torch"],
        )  # fmt: skip
    mlflow.MlflowClient().set_registered_model_alias(name, "champion", "1")
    return name


# Serving


@contextmanager
def served(name: str, home: Path) -> Iterator[int]:
    """Run a server in a separate process; yields its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command, environment = serve_command(name, home=home, port=port)
    environment |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(CHECKOUT)}
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env=environment, start_new_session=True, stdout=quiet, stderr=quiet)
    try:
        until = time.monotonic() + 120
        while not alive(port):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{name} cannot be served: {' '.join(command)}")
            time.sleep(0.3)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def alive(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=10) as answer:
            return int(answer.status) == 200
    except OSError:
        return False


def answers_equal(case: Case, port: int) -> tuple[int, float]:
    """The share of predictions equal to the module's, and the largest difference of a probability."""
    with torch.no_grad():
        expected = network(case)(torch.from_numpy(case.tensors)).numpy()
    classes, equal, farthest = case.study.best().classes, 0, 0.0
    for body, shares in zip(case.bodies, expected, strict=True):
        status, reply = payloads.post(port, payloads.Payload("", body))
        if status != 200:
            continue
        (answer,) = json.loads(reply)["predictions"]
        far = max(abs(answer[f"probability_{label}"] - float(share)) for label, share in zip(classes, shares, strict=True))
        farthest = max(farthest, far)
        equal += bool(answer["prediction"] == classes[int(shares.argmax())] and far <= CLOSE)
    return equal, farthest


def loaded(
    port: int, bodies: Sequence[bytes], folder: Path, *, connections: int, seconds: int
) -> tuple[float, float, float, int]:
    """p50 and p99 in ms, requests per second, and failures, measured by wrk on this machine."""
    script, bodies_file = folder / "post.lua", folder / f"{port}.txt"
    script.write_text(WRK)
    bodies_file.write_bytes(b"\n".join(bodies) + b"\n")
    wrk = shutil.which("wrk") or "wrk"
    command = [
        wrk,
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "--timeout",
        "20s",
        "-s",
        str(script),
        f"http://127.0.0.1:{port}",
    ]
    output = subprocess.run([*command, "--", str(bodies_file)], capture_output=True, text=True, check=True).stdout
    p50, p99, rate, bad = output.strip().splitlines()[-1].split()
    return float(p50), float(p99), float(rate), int(bad)


def contest(case: Case, rival: str, home: Path, seconds: int, rounds: int) -> dict[str, list[float]]:
    """Put both servers under the same load in turn: one connection for latency, eight for throughput."""
    theirs = [json.dumps({"inputs": [row.tolist()]}).encode() for row in case.tensors.astype(np.float32)]
    figures_found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, served(case.study.name, home) as ours, served(rival, home) as other:
        contestants = (("", ours, case.bodies), ("pytorch_", other, theirs))
        for _, port, bodies in contestants:  # costs of a process's first requests are not counted
            loaded(port, bodies, Path(folder), connections=8, seconds=seconds)
        for _ in range(rounds):
            for who, port, bodies in contestants:
                p50, p99, _, bad = loaded(port, bodies, Path(folder), connections=1, seconds=seconds)
                _, _, rate, worse = loaded(port, bodies, Path(folder), connections=8, seconds=seconds)
                figures = {"p50_ms": p50, "p99_ms": p99, "requests_per_s": rate, "failed": bad + worse}
                for name, value in figures.items():
                    figures_found.setdefault(who + name, []).append(value)
    figures_found["speedup_p50"] = [
        b / a for a, b in zip(figures_found["p50_ms"], figures_found["pytorch_p50_ms"], strict=True)
    ]
    return figures_found


def attacked(port: int, hostile: Sequence[payloads.Payload]) -> int:
    """How many hostile requests get a 4xx with a message."""
    refused = 0
    for payload in hostile:
        status, reply = payloads.post(port, payload)
        good = 400 <= status < 500 and len(reply) > 20
        refused += good
        if not good:
            print(f"not rejected: {payload.name}: {status} {reply[:200]!r}", flush=True)
    return refused


def hostile_to(case: Case) -> list[payloads.Payload]:
    if case.study.state.settings.data.modality == "image":
        return list(payloads.for_images(png(case.raw[0])))
    row = json.loads(case.bodies[0])["dataframe_records"][0]
    return [*payloads.for_any(row), *payloads.for_tables(row, "age")]


def installs(home: Path, name: str) -> float:
    """Whether pip can resolve a registered model's requirements in an empty environment; NaN without pip."""
    import mlflow

    mlflow.set_tracking_uri(tracking_uri(home))
    needed = mlflow.artifacts.download_artifacts(f"models:/{name}@champion/requirements.txt")
    pip = [sys.executable, "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode:
        return float("nan")
    result = subprocess.run(
        [*pip, "install", "--dry-run", "--ignore-installed", "-q", "-r", needed], capture_output=True, text=True, check=False
    )
    if result.returncode:
        print(result.stderr[-2000:])
    return float(result.returncode == 0)


def run(
    *,
    rows: int = 4000,
    trials: int = 3,
    seconds: int = 4,
    rounds: int = 3,
    asked_rows: int = 200,
    asked_files: int = 50,
    install: bool = True,
) -> Result:
    """Serve the champions of two short studies under load and under hostile requests."""
    torch.set_num_threads(1)
    figures: list[Figure] = []
    total = {"refused": 0, "sent": 0, "alive": 0}
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary) / "home"
        cases = {"rows": (table_case, asked_rows), "images": (picture_case, asked_files)}
        for what, (make, requests) in cases.items():
            case = make(home, rows, trials, requests)
            print(f"{what}: {case.study.best()}, {versions(case.study.name, home=home)[0]['variant']}", flush=True)
            rival = log_rival(case, home)
            with served(case.study.name, home) as port:
                equal, far = answers_equal(case, port)
                hostile = hostile_to(case)
                total["refused"] += attacked(port, hostile)
                total["sent"] += len(hostile)
                total["alive"] += alive(port) and answers_equal(case, port)[0] == equal
            figures += [
                Figure(name=f"{what}_answers_equal", value=equal, target=str(requests)),
                Figure(name=f"{what}_farthest", value=far, target=f"<= {CLOSE:g}"),
            ]
            for name, values in contest(case, rival, home, seconds, rounds).items():
                unit = "ms" if name.endswith("_ms") else "1/s" if name.endswith("_s") else ""
                figures.append(Figure.of(f"{what}_{name}", values, unit=unit))
            if install:
                figures.append(Figure(name=f"{what}_installs", value=installs(home, case.study.name), target="1"))
    figures += [
        Figure(name="refused", value=total["refused"], target=str(total["sent"])),
        Figure(name="alive", value=total["alive"], target="2"),
    ]
    notes = [
        f"answers_equal: raw rows of adult, PNG files of Fashion-MNIST: the module's label, no probability more than {CLOSE:g} off.",
        "Ours accepts raw rows and PNG files in base64. The rival is the same network logged by mlflow.pytorch.log_model; it accepts arrays.",
        "Both are served by `mlflow models serve`, in turn: p50 and p99 on one connection, requests per second on eight.",
        "refused: malformed, oversized and hostile requests that got a 4xx with a message.",
        "alive: servers that respond as before after all of them.",
        "installs: whether pip resolves the registered model's requirements.txt for an empty environment.",
    ]
    return Result(figures=figures, notes=notes)
