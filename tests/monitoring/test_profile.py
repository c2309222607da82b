"""The training profile and the watched features."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from lepton_automl.errors import ConfigError, DataError
from lepton_automl.monitoring.features import watched_features
from lepton_automl.monitoring.monitor import Monitor
from lepton_automl.monitoring.profile import Profile, latencies_of, profile_of
from lepton_automl.monitoring.rows import Rows
from lepton_automl.monitoring.watchers.outputs import estimated_score

from . import samples


def test_a_profile_is_a_json_value():
    known = samples.profile()
    assert Profile.from_json(json.loads(json.dumps(known.to_json()))) == known


def test_a_profile_says_what_the_training_rows_are_like():
    known = {feature.name: feature for feature in samples.profile().features}
    assert known["height"].missing_rate == pytest.approx(0.03, abs=0.01)
    assert known["age"].quantiles[32] == pytest.approx(40, abs=1)
    assert known["city"].categories == ("Bern", "Basel", "Chur")
    assert samples.profile().score.value == pytest.approx(0.85, abs=0.02)


def test_all_complaints_are_made_at_once():
    with pytest.raises(DataError, match=r"(?s)different numbers of rows.*category 'Age' is no feature.*Did you mean 'age'"):
        profile_of({"age": np.zeros(60), "city": np.zeros(61)}, categories=["Age"])
    with pytest.raises(DataError, match="held-out rows"):
        profile_of({"age": np.zeros(60)}, answers=np.zeros(3))


def test_rows_that_do_not_fit_the_profile_are_refused():
    monitor, rng = Monitor(samples.profile()), np.random.default_rng(0)
    known = samples.features(rng, 3)
    with pytest.raises(DataError, match=r"(?s)'age' is missing.*Did you mean 'ages'"):
        monitor.rows(Rows(features={**{name: known[name] for name in known if name != "age"}, "ages": known["age"]}))
    with pytest.raises(DataError, match="not a number"):
        monitor.rows(Rows(features={**known, "age": np.array(["old", "new", "old"], object)}))
    with pytest.raises(DataError, match="cannot be used"):
        monitor.rows(Rows(features={**known, "city": np.array([["Bern"], {}, None], object)}))
    with pytest.raises(ConfigError, match="false_alarms is 0"):
        Monitor(samples.profile(), false_alarms=0)


def test_latencies_are_made_of_measured_figures():
    values = latencies_of(2.0, 3.0)
    assert np.median(values) == pytest.approx(2.0, rel=0.01) and np.quantile(values, 0.95) == pytest.approx(3.0, rel=0.01)
    with pytest.raises(DataError, match="the 95th percentile 1"):
        latencies_of(2.0, 1.0)


def test_watching_needs_numpy_alone():
    code = "import sys, lepton_automl.monitoring.monitor as m; print(*(set(sys.modules) & set(sys.argv[1:])))"
    others = ["torch", "pandas", "scipy", "sklearn", "pyarrow", "onnxruntime"]
    done = subprocess.run([sys.executable, "-c", code, *others], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_score_is_estimated_from_confidences():
    """On rows like the held-out ones it is their score; with half of the confident rows gone, it is lower."""
    rng = np.random.default_rng(1)
    _, confidence, _ = samples.outputs(rng, 5000)
    score = samples.profile().score
    assert estimated_score(score, confidence) == pytest.approx(score.value, abs=0.02)
    assert estimated_score(score, confidence - 0.1) < score.value - 0.05


def test_features_of_arrays_are_columns_or_statistics():
    rng = np.random.default_rng(2)
    columns = watched_features({"x": rng.normal(size=(5, 3))})
    assert list(columns) == ["0", "1", "2"]
    arrays = {"a": rng.integers(0, 256, (5, 3, 20, 16)).astype(np.uint8), "b": rng.normal(size=(5, 400))}
    statistics = watched_features(arrays)
    assert all(values.shape == (5,) and np.isfinite(values).all() for values in statistics.values())
    assert statistics["a mean"] == pytest.approx(arrays["a"].mean((1, 2, 3)))
    darker = watched_features({"a": arrays["a"] // 2})
    assert (darker["mean"] < statistics["a mean"]).all()
    assert darker["relative steps along axis 2"] == pytest.approx(statistics["a relative steps along axis 2"], rel=0.05)
