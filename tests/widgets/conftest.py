"""What the tests of the builder share."""

from __future__ import annotations

import pytest

from lepton_automl import fit_call
from lepton_automl.study import launch
from lepton_automl.study.study import Study


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LEPTON_HOME", str(tmp_path / "studies"))
    return tmp_path / "studies"


@pytest.fixture
def launched(monkeypatch):
    """Studies that would be launched; none is, so that there is nothing to show of it."""
    import ipywidgets as w

    told = []
    monkeypatch.setattr(Study, "dashboard", lambda study: w.HTML(study.name))
    monkeypatch.setattr(launch, "launch", lambda folder, alive, called: told.append(folder))
    monkeypatch.setattr(fit_call.FitCall, "_attend", lambda fit, study: study)
    return told


@pytest.fixture
def digits():
    load = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed").load_digits
    x, y = load(return_X_y=True)
    return {"x": x.reshape(-1, 8, 8), "y": y}
