"""The saved notebooks in a fresh clone: they are untrusted, and JupyterLab strips styles and drawings."""

from __future__ import annotations

import json
import shutil

import pytest

from .conftest import ROOT
from .page import PATIENCE

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]_*.ipynb"))
LOST = "style, svg, script, .jp-RenderedHTMLCommon [class^='l-']"  # what is left of what was stripped, or should have been
DREW = "images => images.every(image => image.complete && image.naturalWidth > 0 && image.getBoundingClientRect().width > 20)"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_saved_notebook_is_complete_even_if_untrusted(server, opened, path):
    _, folder = server
    copy = folder / f"copy-{path.name}"
    shutil.copy(path, copy)
    saved = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    page = opened("lab", copy.name)
    page.tab.locator("[data-status], .jp-StatusBar-TrustedOrUntrusted, [title*='trusted' i]").first.wait_for(state="attached")
    cells = page.tab.locator(".jp-Notebook .jp-CodeCell")
    cells.nth(len(saved) - 1).wait_for(timeout=PATIENCE, state="attached")
    for number, cell in enumerate(saved):
        outputs = cells.nth(number).locator(".jp-OutputArea-child")
        cells.nth(number).scroll_into_view_if_needed()
        if not cell["outputs"]:
            continue
        outputs.first.wait_for(timeout=PATIENCE)
        assert outputs.count() == len(cell["outputs"])
        shown = cells.nth(number).locator(".jp-OutputArea-output")
        page.element(cells.nth(number).locator(".jp-Cell-outputWrapper").first, f"saved-{path.stem[0]}-{number}")
        images = sum("image/png" in one.get("data", {}) for one in cell["outputs"])
        assert shown.locator("xpath=self::*[contains(@class, 'jp-RenderedImage')]").count() == images
        assert shown.locator("img").evaluate_all(DREW), "an image is not drawn"
        assert shown.locator(LOST).count() == 0
        assert all(text.strip() or shown.nth(at).locator("img").count() for at, text in enumerate(shown.all_inner_texts()))
    assert not page.errors
