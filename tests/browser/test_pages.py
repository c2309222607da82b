"""The report on a telephone and on a wide screen: nothing scrolls sideways, links wrap, and a figure's tools show on hover."""

from __future__ import annotations

from pathlib import Path

import pytest

from lepton_automl.reporting.context import ReportContext
from lepton_automl.reporting.report import plots_html, report_html
from tests.reporting.hostile_study import examined, hostile_explained, numbers_examined, state  # noqa: F401  # fixtures

from .page import SHOTS

WIDER = """
() => [...document.querySelectorAll("body *")].filter(one => !one.closest(".scroll, pre, svg, .js-plotly-plot"))
  .filter(one => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map(one => `${one.tagName}.${one.className} ${one.textContent.slice(0, 40)}`).slice(0, 5)
"""


@pytest.fixture
def pages(tmp_path, state, examined):  # noqa: F811
    made = {
        "report": report_html(ReportContext(state, examined)),
        "numbers": report_html(ReportContext(state, numbers_examined(), explained=hostile_explained())),
        "plots": plots_html(state),
    }
    for name, page in made.items():
        (tmp_path / f"{name}.html").write_text(page, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("width", [320, 400, 800, 1400])
@pytest.mark.parametrize("name", ["report", "numbers", "plots"])
def test_a_page_fits_any_width(pages, browser, name, width):
    tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="dark" if width == 400 else "light")
    tab.goto((pages / f"{name}.html").as_uri())
    tab.wait_for_function("[...document.querySelectorAll('.plot')].every(one => one.querySelector('.main-svg'))")
    tab.wait_for_timeout(500)
    if SHOTS:
        tab.screenshot(path=Path(SHOTS) / f"page-{name}-{width}.png", full_page=True)
    room, wide = tab.evaluate("[document.documentElement.clientWidth, document.documentElement.scrollWidth]")
    assert wide <= room and not tab.evaluate(WIDER)
    for plot in tab.locator(".plot").all():
        box, bar = plot.bounding_box(), plot.locator(".modebar").first
        assert box["x"] >= 0 and box["x"] + box["width"] <= room + 1
        tab.mouse.move(0, 0)
        if bar.count():
            plot.scroll_into_view_if_needed()
            shown = "one => [...one.querySelectorAll('.modebar-group')].some(group => +getComputedStyle(group).opacity > 0.1)"
            tab.wait_for_function(f"one => !({shown})(one)", arg=bar.element_handle())
            plot.hover(force=True)
            tab.wait_for_function(shown, arg=bar.element_handle())
    tab.close()
