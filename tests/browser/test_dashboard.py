"""A real search of scikit-learn's digits, followed and driven in real notebooks."""

from __future__ import annotations

import pytest

from .conftest import notebook

SEARCH = """
from sklearn.datasets import load_digits
from lepton_automl import AutoML, Budget
x, y = load_digits(return_X_y=True)
study = AutoML(name={name!r}, budget=Budget(minutes=10), workers=1).fit((16 * x).clip(0, 255).astype("uint8").reshape(-1, 8, 8), y)
"""
ATTACH = "from lepton_automl import AutoML\ndashboard = AutoML.attach({name!r}).dashboard()\ndashboard"
SLEEP = "import time\ntime.sleep(25)"


@pytest.mark.parametrize("face", ["lab", "notebook"])
def test_a_person_follows_and_drives_a_search(server, opened, face):
    _, folder = server
    name = f"digits-{face}"
    notebook(folder / f"{name}.ipynb", SEARCH.format(name=name), SLEEP, ATTACH.format(name=name), "print(dashboard.model)")
    page = opened(face, f"{name}.ipynb")
    page.run(0)  # fit shows the dashboard by itself, and holds no cell
    page.appears()
    page.finished(0)
    page.status("running")
    page.says("complete")
    page.shot("running")

    page.run(1)  # a cell that sleeps
    page.press("pause")
    page.status("paused")
    page.shot("paused")
    page.press("resume")
    page.status("running")
    assert page.busy(1), "the clicks waited for the cell"
    page.finished(1)

    page.points().first.click(force=True)
    page.says("on the front", ".l-detail")
    page.shot("chosen")
    for tab in ("curves", "importance", "growth", "time line", "trials", "log"):
        page.open(tab)
        page.tab.wait_for_timeout(1500)
        page.shot(tab.replace(" ", "-"))
    page.open("front")

    page.save()
    page.tab.reload()
    page.tab.wait_for_selector(".jp-Notebook-cell")
    page.appears()  # the page is new, the kernel and its widgets are not
    page.shot("reloaded")

    second = opened(face, f"{name}.ipynb")
    second.appears()
    second.leave("second")

    page.run(1)
    page.press("stop")
    page.says("it ends")
    assert page.busy(1), "the click waited for the cell"
    page.status("ended")
    page.finished(1)
    page.shot("ended")

    page.run(2)
    page.finished(2)
    own = page.cell(2).locator(".lepton-live")
    own.locator(".js-plotly-plot .main-svg").first.wait_for(timeout=60_000)
    own.locator('.l-detail input[type="number"]').fill("0")
    own.locator('.l-detail input[type="number"]').press("Enter")
    own.locator('button:has-text("use")').click()
    own.locator("code").filter(has_text=".model(0)").wait_for(timeout=60_000)
    page.run(3)
    page.finished(3)
    assert f"<Model {name}/0" in (page.cell(3).locator(".jp-OutputArea").text_content() or "")
    assert not page.errors
