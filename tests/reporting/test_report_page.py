"""The page of the report in a real browser: no complaint, no request, and clicks and keys that choose a model."""

from __future__ import annotations

from pathlib import Path

import pytest

from lepton_automl.reporting import narrative
from lepton_automl.reporting.context import ReportContext
from lepton_automl.reporting.report import plots_html, report_html
from tests.samples import (
    trial_events,
)

from .hostile_study import numbers_examined

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip("there is no chromium at /usr/bin/chromium")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("what", ["classes", "numbers", "plots"])
def test_a_browser_shows_it_without_complaint_or_network(what, scheme, state, examined, browser, tmp_path):
    found = {"classes": examined, "numbers": numbers_examined()}.get(what)
    path = tmp_path / "page.html"
    path.write_text(plots_html(state) if what == "plots" else report_html(ReportContext(state, found)), encoding="utf-8")
    page = browser.new_page(viewport={"width": 1280, "height": 720}, color_scheme=scheme)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if "GPU stall" not in message.text else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    drawn = page.locator(".plot .main-svg").first
    drawn.wait_for()
    assert page.locator(".plot").count() == page.locator(".plot:has(.main-svg)").count() >= 7
    assert not said and [url for url in asked if not url.startswith(("data:", "blob:"))] == [path.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")  # nothing hangs out at the side
    light = page.evaluate("getComputedStyle(document.querySelector('.plot .xtitle')).fill")
    assert light == page.evaluate("getComputedStyle(document.body).color")
    page.close()


def test_a_click_or_the_keyboard_shows_a_model(state, examined, browser, tmp_path):
    path = tmp_path / "page.html"
    state.feed(trial_events(8, 0.98, 8.001, at=40.0))  # beaten, and hidden beneath the first point of the front
    path.write_text(report_html(ReportContext(state, examined)), encoding="utf-8")
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.goto(path.as_uri())
    page.locator("#front-plot .main-svg").first.wait_for()
    chosen = narrative.chosen_model(state).number
    shown = page.locator(".model:visible")
    assert shown.count() == 1 and shown.get_attribute("id") == f"trial-{chosen}"
    page.locator("#front-plot").scroll_into_view_if_needed()
    spot = page.evaluate(
        """() => { const place = document.getElementById("front-plot"), box = place.getBoundingClientRect();
        const {xaxis, yaxis} = place._fullLayout, trace = place.data.find(one => one.name === "front");
        return {x: box.x + xaxis._offset + xaxis.l2p(Math.log10(trace.x[0])), y: box.y + yaxis._offset + yaxis.l2p(trace.y[0])}; }"""
    )
    page.mouse.move(spot["x"], spot["y"])
    page.mouse.click(spot["x"], spot["y"])
    page.locator("#trial-2:visible").wait_for(timeout=5_000)
    assert shown.count() == 1 and page.locator("#pick").input_value() == "2"
    page.locator("#pick").select_option("0")
    assert shown.get_attribute("id") == "trial-0" and "trial-0" in page.locator(".model:visible").get_attribute("id")
    page.close()
