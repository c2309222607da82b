"""A bundle with only numpy and onnxruntime installed: predictions, cold start and peak memory, compared with torch."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lepton_automl import AutoML, Budget
from lepton_automl.study.model import StudyModel, load_bundle

from . import launch
from .live_rivals.setting import CHECKOUT, DATA, fashion
from .report import Figure, Result

PACKAGES = ("numpy", "onnxruntime")
CACHE = CHECKOUT / "mlruns" / "benchmarks"
INSTALLED = "import importlib.metadata as m; print(*sorted(f'{d.name}=={d.version}' for d in m.distributions()))"
PREDICT_CODE = "import sys, numpy; sys.path.insert(0, sys.argv[1]); import predict; numpy.save(sys.argv[3], predict.Predictor(sys.argv[1]).predict_proba(numpy.load(sys.argv[2])))"


def environment() -> Path:
    """The interpreter of an environment with only these packages, in the installed versions; created once and kept."""
    wanted = [f"{name}=={importlib.metadata.version(name)}" for name in PACKAGES]
    version = f"python-{sys.version_info.major}.{sys.version_info.minor}"
    folder = CACHE / "-".join(["edge", version, *wanted]).replace("==", "-")
    python = folder / "bin" / "python"
    if not python.exists() or installed(python) != wanted:  # it does not exist yet, or is incomplete
        print(f"creating an environment with {' and '.join(wanted)}", flush=True)
        venv.create(folder, clear=True, symlinks=True)
        pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", *wanted]
        subprocess.run(pip, check=True, capture_output=True)
    if installed(python) != wanted:
        raise RuntimeError(f"the environment contains {installed(python)}, not {wanted}")
    return python


def installed(python: Path) -> list[str]:
    return subprocess.run([str(python), "-I", "-c", INSTALLED], check=True, capture_output=True, text=True).stdout.split()


def searched_model(home: Path, rows: int, minutes: float) -> tuple[StudyModel, NDArray[Any]]:
    """The chosen model of a short study, and unseen images."""
    images, labels = fashion(rows + 1000)
    study = AutoML(name="edge", home=home, budget=Budget(minutes=minutes), workers=1, progress=False)
    return study.fit(images[:rows], labels[:rows]).best(), images[rows:]


@dataclass(frozen=True)
class Started:
    """A finished process: its output lines, the seconds to the first one, its peak memory."""

    lines: list[str]
    seconds: float
    peak_mb: float

    @classmethod
    def of(cls, *command: str | Path) -> Started:
        # Without site packages: the launcher must use less memory than the process it starts.
        small = [sys.executable, "-I", "-S", launch.__file__, *map(str, command)]
        content = json.loads(subprocess.run(small, check=True, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT).stdout)
        if content["code"]:
            raise RuntimeError(f"{' '.join(map(str, command))} ended with {content['code']}")
        return cls(content["said"].splitlines(), content["seconds"], content["peak_bytes"] / 1e6)


@dataclass(frozen=True)
class Ways:
    """The commands that predict with a bundle, with and without torch."""

    python: Path
    bundle: Path

    def edge(self, source: Path) -> Started:
        return Started.of(self.python, "-u", self.bundle / "predict.py", source)

    def torch(self, source: Path) -> Started:
        return Started.of(sys.executable, "-u", "-m", "benchmarks.through_torch", self.bundle, source)


def answers_equal(ways: Ways, pictures: NDArray[Any], folder: Path) -> tuple[float, float]:
    """The shares of images whose label and probabilities equal this package's bit by bit, and whose label equals torch's."""
    here, source, output_file = load_bundle(ways.bundle), folder / "pictures.npy", folder / "probabilities.npy"
    np.save(source, pictures)
    subprocess.run([str(ways.python), "-I", "-c", PREDICT_CODE, str(ways.bundle), str(source), str(output_file)], check=True)
    labels = np.array(ways.edge(source).lines)
    same = (labels == here.predict(pictures).astype(str)) & (np.load(output_file) == here.predict_proba(pictures)).all(1)
    return float(same.mean()), float((labels == np.array(ways.torch(source).lines)).mean())


def cold(ways: Ways, picture: NDArray[Any], folder: Path, repeats: int) -> list[tuple[Started, Started]]:
    """Alternate both commands for one prediction; the first pair warms the disk cache and is not counted."""
    source = folder / "picture.npy"
    np.save(source, picture)
    return [(ways.edge(source), ways.torch(source)) for _ in range(repeats + 1)][1:]


def figures(pairs: list[tuple[Started, Started]]) -> list[Figure]:
    return [
        Figure.of("cold_start_s", [edge.seconds for edge, _ in pairs], unit="s"),
        Figure.of("cold_start_ratio", [torch.seconds / edge.seconds for edge, torch in pairs], target="> 1"),
        Figure.of("memory_mb", [edge.peak_mb for edge, _ in pairs], unit="MB"),
        Figure.of("memory_ratio", [torch.peak_mb / edge.peak_mb for edge, torch in pairs], target="> 1"),
    ]


def run(rows: int = 5000, minutes: float = 1.0, repeats: int = 15) -> Result:
    """Compare a small exported model of Fashion-MNIST in an environment of two packages with torch in this environment."""
    if not DATA.is_dir():
        return Result(figures=[], notes=[f"Skipped: {DATA} has no Fashion-MNIST; set LEPTON_DATA."])
    python = environment()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model, pictures = searched_model(folder / "home", rows, minutes)
        ways = Ways(python, model.export(folder / "bundle"))
        equal, as_torch = answers_equal(ways, pictures, folder)
        pairs, chosen = cold(ways, pictures[0], folder, repeats), repr(model)
    seconds, memory = (Figure.of("", [getattr(torch, name) for _, torch in pairs]).value for name in ("seconds", "peak_mb"))
    notes = [
        f"The model: {chosen}, from a search of {minutes:g} minutes on {rows:,} images; installed: {', '.join(installed(python))}.",
        f"Ratios are torch's over the bundle's, for pairs of processes; torch: {seconds:.2f} s, {memory:.0f} MB.",
        f"Cold start: from the start of the process to its first line, with files in the disk cache. Labels equal to torch's: {as_torch:.2%}.",
    ]
    return Result(figures=[Figure(name="answers_equal", value=equal, target="1"), *figures(pairs)], notes=notes)
