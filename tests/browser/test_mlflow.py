"""The addresses of MLflow's pages that we print, opened in a browser that has never seen them, and the clicks that follow."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.mlflow_server import served
from lepton_automl.study_store import StudyStore
from lepton_automl.tracking.experiments import study_pages
from lepton_automl.tracking.pages import app_options
from lepton_automl.tracking.store import pages_at
from tests.tracking.test_store_repair import study

from .page import PATIENCE, SHOTS

LANGUAGE = ("Sessions", "Judges", "Prompts")  # pages that only the mode for language models links to
RUN = "a[href*='/runs/']"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A server over a store with one study, and the address of its page."""
    assert app_options(), "this package was installed before it had an app of MLflow's: pip install -e ."
    given = os.environ.get("LEPTON_MLFLOW_HOME")  # a home that is there already, to look at it by hand
    home = StudyStore(given or tmp_path_factory.mktemp("home") / "mlruns")
    if not given:
        flowers = study(home, "flowers", 3)
        flowers.tracking.register(2, "flowers", "champion")
        flowers.tracking.sync()
    with served(home.folder) as server:
        yield pages_at(server, study_pages(home.folder)["flowers"])


@pytest.fixture
def tab(browser):
    """A page of a fresh profile."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    news = page.get_by_role("dialog").filter(has_text="the new Model Registry UI")  # MLflow's announcement dialog
    page.add_locator_handler(news, news.get_by_role("button", name="Close").click)
    yield page
    context.close()


def shot(tab, name):
    if SHOTS:
        tab.wait_for_timeout(1500)
        tab.screenshot(path=Path(SHOTS) / f"mlflow-{name}.png")


def beside(tab, word):
    """A link at the page's side."""
    return tab.locator("nav a", has_text=word).first


def in_training_mode(tab):
    beside(tab, "Model registry").wait_for()
    for word in LANGUAGE:
        assert not beside(tab, word).count(), f"{word} is there, at {tab.url}"
    assert not tab.get_by_text("Usage: Traces").count() and "/overview/usage" not in tab.url


def test_the_printed_address_shows_runs_and_models(address, tab):
    tab.goto(address)
    tab.locator(RUN, has_text="flowers").first.wait_for()
    shot(tab, "experiment")
    in_training_mode(tab)
    beside(tab, "Models").click()
    tab.get_by_text("flowers-0002").first.wait_for()
    shot(tab, "models")
    in_training_mode(tab)


def test_the_mode_holds_through_runs_and_models(address, tab):
    """The clicks of a user who reviews a study: its run, back, a trial's run, its model, the registry, all experiments."""
    tab.goto(address)
    study_run = tab.locator(RUN, has_text="flowers").first
    study_run.click()
    tab.get_by_text("About this run").first.wait_for()
    shot(tab, "parent")
    in_training_mode(tab)
    assert "workflowType" not in tab.url, "MLflow keeps the mode in the address now: is the first page still needed?"
    for kind in ("Registered models", "Logged models", "Datasets"):
        assert tab.get_by_text(kind, exact=False).count(), f"the study's run shows no {kind}"
    tab.go_back()
    study_run.wait_for()
    in_training_mode(tab)
    study_run.click()
    tab.locator(RUN, has_text="flowers-0002").first.click()
    tab.get_by_role("heading", name="flowers-0002").wait_for()
    tab.get_by_text("pictures (0)").first.wait_for()  # its data set
    shot(tab, "child")
    in_training_mode(tab)
    tab.locator("a[href*='/models/flowers/versions/1']").first.click()
    tab.get_by_text("Source Run").first.wait_for()
    shot(tab, "version")
    in_training_mode(tab)
    beside(tab, "Model registry").click()
    tab.locator("a[href*='/models/flowers']").first.click()
    tab.get_by_text("Version 1").first.wait_for()
    shot(tab, "registered")
    in_training_mode(tab)
    tab.locator("nav a[href='#/experiments']").first.click()
    tab.get_by_role("link", name="lepton/flowers").first.click()
    study_run.wait_for()
    in_training_mode(tab)


def test_a_mode_that_the_user_chose_stays(address, tab):
    tab.goto(address)
    tab.locator(RUN, has_text="flowers").first.wait_for()
    tab.get_by_text("GenAI", exact=True).first.click()
    beside(tab, "Judges").wait_for()
    tab.goto(address.partition("#")[0])
    tab.reload()
    beside(tab, "Prompts").wait_for()
