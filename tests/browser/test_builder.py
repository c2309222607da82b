"""From a variable of a real notebook to a search that runs, by clicks alone."""

from __future__ import annotations

from .conftest import notebook
from .page import PATIENCE

BUILD = """
from sklearn.datasets import load_digits
import lepton_automl
x, y = load_digits(return_X_y=True)
x = (16 * x).clip(0, 255).astype("uint8").reshape(-1, 8, 8)
builder = lepton_automl.builder()
builder
"""


def test_a_person_builds_a_search(server, opened):
    _, folder = server
    name = "built"
    notebook(folder / f"{name}.ipynb", BUILD, "builder.study.stop()\nprint(builder.study.name)")
    page = opened("lab", f"{name}.ipynb")
    page.run(0)
    form = page.tab.locator(".lepton-builder")
    form.wait_for(timeout=PATIENCE)

    def shot(what):
        form.evaluate("element => element.scrollIntoView()")
        page.tab.wait_for_timeout(400)
        page.picture(f"builder-{what}")

    page.finished(0)
    shot("empty")
    form.locator("select").first.select_option(label="x, y  (1,797 x 8 x 8)")
    form.locator(".l-inferred").filter(has_text="multiclass classification").wait_for(timeout=PATIENCE)
    assert form.locator(".l-inferred img").count() == 10
    limit = form.get_by_label("max ms a call")
    limit.fill("-1")
    form.locator(".l-warn").filter(has_text="must be a number above 0").wait_for(timeout=PATIENCE)
    start = form.locator('button:has-text("start")')
    assert start.is_disabled()
    shot("wrong")
    limit.fill("1.0")
    form.get_by_label("name").fill(name)
    form.get_by_label("workers").fill("1")
    code = f'AutoML(name="{name}", target=Target(max_latency_ms=1.0), budget=Budget(minutes=10), workers=1).fit(x, y)'
    form.locator(".l-code").filter(has_text=code).wait_for(timeout=PATIENCE)
    shot("ready")
    start.focus()
    page.tab.keyboard.press("Enter")
    page.appears()
    page.status("running")
    page.says("complete")
    shot("started")
    page.run(1)
    page.finished(1)
    assert name in (page.cell(1).locator(".jp-OutputArea").text_content() or "")
    assert not page.errors
