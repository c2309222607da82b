"""The addresses of MLflow's pages that we print, opened in a browser that has never seen them, and the clicks that follow."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.mlflow_server import served
from lepton_automl.home import Home
from lepton_automl.tracking.experiments import study_pages
from lepton_automl.tracking.store import pages_at
from tests.test_mending import study

from .page import PATIENCE, SHOTS

LANGUAGE = ("Sessions", "Judges", "Prompts")  # pages that only the mode for language models links to
RUN = "a[href*='/runs/']"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A server over a store with one study, and the address of its page."""
    given = os.environ.get("LEPTON_MLFLOW_HOME")  # a home that is there already, to look at it by hand
    home = Home(given or tmp_path_factory.mktemp("home") / "mlruns")
    if not given:
        flowers = study(home, "flowers", 3)
        flowers.register_trial(2, "flowers", "champion")
        flowers.sync()
    with served(home.folder) as server:
        yield pages_at(server, study_pages(home.folder)["flowers"])


@pytest.fixture
def tab(browser):
    """A page of a fresh profile."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    yield page
    context.close()


def shot(tab, name):
    if SHOTS:
        tab.wait_for_timeout(1500)
        tab.screenshot(path=Path(SHOTS) / f"mlflow-{name}.png")


def in_training_mode(tab):
    for word in LANGUAGE:
        assert not tab.get_by_role("link", name=word, exact=True).count(), f"{word} is there, at {tab.url}"


def test_the_printed_address_shows_runs_and_models(address, tab):
    tab.goto(address)
    tab.locator(RUN, has_text="flowers").first.wait_for()
    shot(tab, "experiment")
    in_training_mode(tab)
    tab.get_by_role("link", name="Models", exact=True).first.click()
    tab.get_by_text("flowers-0002").first.wait_for()
    shot(tab, "models")
    in_training_mode(tab)
