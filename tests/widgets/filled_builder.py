"""A builder that is filled in as a user does, and the studies that it starts."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lepton_automl.study.study import Study
from tests.samples import until

DASHBOARD = Study.dashboard


def table():
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    rng = np.random.default_rng(0)
    size, colour = rng.normal(size=400), rng.choice(["red", "green", "blue"], 400)
    price = 3 * size + (colour == "red") + rng.normal(size=400)
    return pd.DataFrame({"size": size, "colour": colour, "price": price, "sold": np.where(price > 0, "yes", "no")})


def choose(made, code):
    """Choose a variable, and wait until it was looked at."""
    codes = [one.code if one else "" for _, one in made.data.variable.control.options]
    made.data.variable.control.index = codes.index(code)
    seen(made)


def seen(made):
    until(lambda: made._preview is not None)
    with made._drawing:  # it may just be shown
        return made._preview


def config(folder):
    """A study's settings, without its paths."""
    content = json.loads((folder / "config.json").read_text())
    content["data"].pop("folder")
    return content


def begun(made, launched):
    """Start, and wait for the study's folder."""
    before = len(launched)
    assert not made.start.disabled, made._why.value
    made.start.click()
    until(lambda: len(launched) > before or "l-warn" in made.actions.message.value)
    assert len(launched) > before, made.actions.message.value
    until(lambda: made.dashboard is not None and not made._busy)
    return launched[-1]


def evaluated(made, names, home, launched, monkeypatch):
    """Run the printed lines in a home of their own."""
    monkeypatch.setenv("LEPTON_HOME", str(home))
    exec(f"{made.plan.imports}\n{made.plan.code}", dict(names))
    return launched[-1]
