"""From a variable of a real notebook to a search that runs, by clicks alone."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from .conftest import notebook, without_kernel
from .page import PATIENCE

BUILD = """
from sklearn.datasets import load_digits
import lepton_automl
x, y = load_digits(return_X_y=True)
x = (16 * x).clip(0, 255).astype("uint8").reshape(-1, 8, 8)
builder = lepton_automl.builder()
builder
"""


def test_a_search_is_built_with_the_form(server, opened):
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
    limit = form.get_by_label("max latency, ms")
    limit.fill("-1")
    form.locator(".l-warn").filter(has_text="must be a number above 0").wait_for(timeout=PATIENCE)
    start = form.locator('button:has-text("start")')
    assert start.is_disabled()
    shot("wrong")
    limit.fill("1.0")
    form.get_by_label("name").fill(name)
    form.get_by_label("workers").fill("1")
    code = f'AutoML(name="{name}", deployment=Deployment(max_latency_ms=1.0), budget=Budget(minutes=10), workers=1).fit(x, y)'
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


def test_a_table_is_uploaded_and_a_static_image_remains(server, opened, tmp_path):
    load_wine = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed").load_wine
    address, folder = server
    load_wine(as_frame=True).frame.to_csv(tmp_path / "wine.csv", index=False)
    saved = folder / "uploaded.ipynb"
    notebook(saved, "import lepton_automl\nlepton_automl.builder()")
    page = opened("lab", saved.name)
    page.run(0)
    form, still = page.tab.locator(".lepton-builder"), page.tab.locator(".jp-OutputArea .jp-RenderedImage img")
    with page.tab.expect_file_chooser(timeout=PATIENCE) as asked:
        form.get_by_role("button", name="upload").click()
    asked.value.set_files(tmp_path / "wine.csv")
    form.locator(".l-inferred").filter(has_text="multiclass classification of target").wait_for(timeout=PATIENCE)
    form.get_by_role("button", name="more settings").click()
    form.get_by_label("class weight").select_option("balanced")
    code = 'AutoML(budget=Budget(minutes=10), class_weight="balanced").fit('
    form.locator(".l-code").filter(has_text=code).wait_for(timeout=PATIENCE)
    still.wait_for(timeout=PATIENCE, state="attached")
    assert not still.is_visible(), "the picture shows beside what lives"
    until = time.monotonic() + PATIENCE / 1000
    while "class_weight" not in saved.read_text():
        assert time.monotonic() < until, "the picture is not saved"
        page.save()
    page.leave("uploaded")

    without_kernel(address, saved.name)
    page = opened("lab", saved.name)
    page.tab.locator(".jp-OutputArea .jp-RenderedImage img").wait_for(timeout=PATIENCE)
    (kept,) = [one for one in json.loads(saved.read_text())["cells"][0]["outputs"] if "image/png" in one["data"]]
    assert code in "".join(kept["data"]["text/plain"])
    page.picture("builder-without-a-kernel")
    assert not page.errors
    words = ["nbconvert", "--to", "html", "--stdout", str(saved)]
    output = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, check=True).stdout
    assert kept["data"]["image/png"].strip()[:200] in output
