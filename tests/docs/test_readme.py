"""The README's Python blocks run, unchanged except for the budget."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lepton_automl.data.demo import digits

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"


def blocks(path: str) -> list[str]:
    """The Python blocks of a page."""
    return re.findall(r"```python\n(.*?)```", (ROOT / path).read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.slow
def test_the_readmes_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (example, estimator), names = blocks("README.md"), {}
    assert "Budget(minutes=2)" in example
    exec(compile(example.replace("minutes=2", "trials=2"), str(README), "exec"), names)
    names["row"] = names["digits"].images[0]
    for page in (*blocks("docs/how-to/choose.md")[:2], estimator):  # what matters to that model was measured at the end
        exec(compile(page, str(README), "exec"), names)
    output = capsys.readouterr().out
    assert " training, " in output and "inferred: " in output
    assert "accuracy" in output and "<StudyModel study/" in output
    assert (tmp_path / "my-model" / "predict.py").exists() and (tmp_path / "mlruns" / "mlflow.db").exists()


def test_the_readmes_own_network_gets_leaner_and_faster(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (example,) = blocks("docs/how-to/own-network.md")
    images, labels = digits()
    x, y = torch.tensor(np.asarray(images[:400]), dtype=torch.float32).reshape(-1, 64), torch.tensor(labels[:400].astype(int))
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    exec(compile(example, str(README), "exec"), {"model": model, "x": x, "y": y})
    output = capsys.readouterr().out
    assert "Lean Sequential" in output and "times as fast as PyTorch" in output and "chosen" in output
    assert (tmp_path / "fast" / "runtime.json").exists()
