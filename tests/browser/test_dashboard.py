"""A real search of scikit-learn's digits, followed and driven in real notebooks."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.request

import pytest

from benchmarks import streamed
from lepton_automl.events import HostBenchmarked, StudyStarted
from lepton_automl.journal import Journal
from lepton_automl.specs import Budget
from lepton_automl.study.registry import Registry
from lepton_automl.study_store import StudyStore
from tests.samples import benchmarked_host, config
from tests.widgets.recorded_studies import HOSTILE, hostile

from .conftest import notebook, without_kernel
from .page import PATIENCE

SEARCH = """
from sklearn.datasets import load_digits
from lepton_automl import AutoML, Budget
x, y = load_digits(return_X_y=True)
study = AutoML(name={name!r}, budget=Budget(minutes=10), workers=1).fit((16 * x).clip(0, 255).astype("uint8").reshape(-1, 8, 8), y)
"""
ATTACH = "from lepton_automl import open_study\ndashboard = open_study({name!r}).dashboard()\ndashboard"
BUSY = "import pathlib, time\nwhile not pathlib.Path({name!r}).exists():\n    time.sleep(0.1)"
ANSWERS = """
from tests.widgets.recorded_studies import hostile_answers
dashboard.choose(0)
dashboard.detail.show_error_analysis(hostile_answers())
"""


@pytest.mark.parametrize("face", ["lab", "notebook"])
def test_a_search_is_watched_and_controlled(server, opened, face):
    _, folder = server
    name = f"digits-{face}"
    done = folder / f"{name}-done"
    busy = BUSY.format(name=done.name)
    notebook(folder / f"{name}.ipynb", SEARCH.format(name=name), busy, ATTACH.format(name=name), "print(dashboard.model)")
    page = opened(face, f"{name}.ipynb")
    page.run(0)  # fit shows the dashboard by itself, and holds no cell
    page.appears()
    page.finished(0)
    page.status("running")
    page.says("complete")
    page.shot("running")

    page.run(1)  # a cell that holds the kernel; all that follows happens meanwhile
    page.press("pause")
    page.status("paused")
    page.shot("paused")
    page.press("resume")
    page.status("running")
    page.press("extend")
    page.says("5 minutes added")
    page.live(".l-controls input[list]").fill("plain")
    page.press("pin")
    page.says("model.block fixed at plain")
    assert page.busy(1)
    done.touch()
    page.finished(1)

    page.choose()
    page.shot("chosen")
    page.tour()
    page.open("front")

    page.save()
    page.tab.reload(wait_until="commit")
    page.tab.wait_for_selector(".jp-Notebook-cell")
    page.appears()  # the page is new, the kernel and its widgets are not
    page.shot("reloaded")

    second = opened(face, f"{name}.ipynb")
    second.appears()
    second.leave("second")

    done.unlink()
    page.run(1)
    page.press("stop")
    page.says("Stopping; saving")
    page.status("ended")
    assert page.busy(1)
    done.touch()
    page.finished(1)
    page.shot("ended")

    page.restart()
    page.run(2)
    page.finished(2)
    own = page.cell(2).locator(".lepton-live")
    own.locator(".js-plotly-plot .xtitle").first.wait_for(timeout=PATIENCE)
    page.choose(".jp-CodeCell:nth-child(3) .lepton-live")

    def press(button, told, within="[role=status]"):
        own.get_by_role("button", name=button, exact=True).click()
        own.locator(within).filter(has_text=told).first.wait_for(timeout=PATIENCE)

    press(
        "register as challenger", re.compile(rf"registered as {name} version \d+ \(challenger\)")
    )  # the champion's own version, where that is chosen
    press("export", f"bundle exported to {name}-model")
    assert (folder / f"{name}-model" / "predict.py").is_file()
    press("show errors", "errors of trial")
    press("show importance", "importance for trial")
    press("MLflow", "http://127.0.0.1:")
    press("load in notebook", ".model(", "code")
    click_the_cards_buttons(own, folder, name, page)
    own.evaluate("element => element.scrollIntoView()")
    page.picture("registered")
    page.run(3)
    page.finished(3)
    assert f"<StudyModel {name}/" in (page.cell(3).locator(".jp-OutputArea").text_content() or "")
    assert not page.errors


def click_the_cards_buttons(own, folder, name, page):
    """The card of an ended study: each button does what it says, and an error says what to do."""
    card = own.locator(".l-done")

    def press(button, told):
        card.get_by_role("button", name=button, exact=True).click()
        own.locator("[role=status]").filter(has_text=told).first.wait_for(timeout=PATIENCE)

    assert card.get_by_role("button", name="registered").is_disabled()  # the study has registered its choice
    card.get_by_text(f"Registered in MLflow as {name}, version 1, alias").wait_for()
    assert "1" in set(Registry(folder / "mlruns").versions(name)["version"].astype(str))
    card.get_by_role("textbox").fill(f"{name}-card")
    press("export to", f"bundle exported to {name}-card")
    assert (folder / f"{name}-card" / "predict.py").is_file()
    press("export to", f"{name}-card is not empty")
    own.locator("[role=status]").filter(has_text="Give a new folder.").wait_for()
    press("write the report", "report written to")
    assert (folder / "mlruns" / "studies" / name / "report.html").stat().st_size > 1e5
    press("show code", "shown")
    card.get_by_role("textbox").last.fill(f"{name}.py")
    press("save to", f"code written to {name}.py")
    assert card.locator("pre").text_content() == (folder / f"{name}.py").read_text().rstrip("\n")
    page.shot("card-code")
    card.get_by_role("button", name="hide code").click()
    card.locator("pre").wait_for(state="hidden")
    card.get_by_role("button", name="open the test split").click()
    card.get_by_role("button", name="cancel").click()
    card.get_by_role("button", name="open the test split").click()
    press("open it now, once", "scored on the test split")
    card.get_by_text("accuracy, test").wait_for()
    assert not card.get_by_role("button", name="open", exact=False).count()
    page.shot("card")


def test_a_limit_is_typed_and_dragged(server, opened):
    _, folder = server
    streamed.begin(folder / "mlruns", "steered", 60)
    study = folder / "mlruns" / "studies" / "steered"
    (study / streamed.GO).touch()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.streamed", str(study), "20"])
    try:
        notebook(folder / "steered.ipynb", ATTACH.format(name="steered"))
        page = opened("lab", "steered.ipynb")
        page.run(0)
        page.appears()
        page.status("running")
        page.tab.wait_for_timeout(5000)
        field = page.live('.l-controls input[type="number"] >> nth=1')
        field.fill("0.3")
        page.press("set limit")
        page.says("latency limit set to 0.3 ms")
        line = page.live(".shapelayer path")
        line.wait_for(timeout=60_000, state="attached")
        page.shot("limited")
        until = time.monotonic() + 60
        while float(field.input_value()) <= 0.3:
            assert time.monotonic() < until, "the line was dragged, and the study has the old limit"
            page.drag(line, 60)
            page.tab.wait_for_timeout(1000)
        page.shot("dragged")
        assert not page.errors
    finally:
        process.terminate()
        process.wait()


def test_nothing_is_lost_without_a_kernel(server, opened):
    address, folder = server
    streamed.write(folder / "mlruns", "kept", 40)
    notebook(folder / "kept.ipynb", ATTACH.format(name="kept"))
    page = opened("lab", "kept.ipynb")
    page.run(0)
    page.appears()
    picture = ".jp-OutputArea .jp-RenderedImage img"
    page.tab.locator(picture).wait_for(timeout=PATIENCE, state="attached")
    assert not page.tab.locator(picture).is_visible()
    page.save()
    page.leave("kept")
    without_kernel(address, "kept.ipynb")
    page = opened("lab", "kept.ipynb")  # a kernel that knows nothing of the widgets
    page.tab.locator(picture).wait_for(timeout=PATIENCE)
    page.tab.wait_for_timeout(3000)  # until the page gives up the widgets
    assert not page.tab.get_by_text("model not found").is_visible() and page.tab.locator(picture).is_visible()
    page.picture("without-a-kernel")
    page.run(0)
    page.appears()  # all is there again
    page.shot("attached")


def test_a_new_search_shows_axes_the_current_step_and_an_estimate(server, opened):
    _, folder = server
    home = StudyStore(folder / "mlruns")
    begun = home.path("begun")
    begun.mkdir(parents=True)
    journal = Journal(begun / "journal.jsonl")
    journal.append(StudyStarted(at=time.time(), config=config(name="begun", budget=Budget(minutes=10))))
    notebook(folder / "begun.ipynb", ATTACH.format(name="begun"))
    with home.lock("begun"):
        page = opened("lab", "begun.ipynb")
        page.run(0)
        page.appears()
        page.says("measuring this machine's speed, about 10 s")
        page.shot("begun-0")
        journal.append(HostBenchmarked(at=time.time(), benchmark=benchmarked_host(), epochs=8))
        page.says("a model takes about")
        page.tour("begun-")
        page.open("front")
        ticks = page.live(".js-plotly-plot").locator(".ytick text").all_text_contents()
        assert ticks and all(0 <= float(tick.replace("\u2212", "-")) <= 1 for tick in ticks)
        page.shot("begun-1")
    assert not page.errors


PLACES = """
root => [...root.querySelectorAll(".l-head, .l-controls, .widget-tab, .l-detail, .js-plotly-plot, button, input, select")]
  .map(one => one.getBoundingClientRect()).filter(box => box.width).map(box => [box.x, box.y, box.width, box.height].map(Math.round))
"""


@pytest.mark.parametrize("end", ["restarted", "died", "shut-down"])
def test_without_its_kernel_it_keeps_its_place_and_shows_what_to_run(server, opened, end):
    address, folder = server
    if not (folder / "mlruns" / "studies" / "left").exists():
        streamed.write(folder / "mlruns", "left", 40)
    name = f"left-{end}.ipynb"
    notebook(folder / name, ATTACH.format(name="left"), "import os\nos._exit(1)")
    page = opened("lab", name)
    page.run(0)
    page.appears()
    page.choose()
    page.finished(0)
    assert page.live(".l-done").is_visible()  # the card is part of what stays
    page.live().evaluate("element => element.scrollIntoView()")
    page.tab.wait_for_timeout(1000)
    before = page.live().evaluate(PLACES)
    element = page.tab.locator(".l-lost")
    assert not element.is_visible()
    match end:
        case "restarted":
            page.restart()
        case "died":
            page.cell(1).locator(".jp-InputArea-editor").click()
            page.tab.keyboard.press("Control+Enter")
            page.tab.locator(".jp-Dialog button:has-text('Ok')").click()
        case _:
            without_kernel(address, name)
    element.wait_for(timeout=PATIENCE)
    assert "open_study('left').dashboard()" in element.inner_text()
    page.live().evaluate("element => element.scrollIntoView()")
    page.tab.wait_for_timeout(1000)
    page.shot(f"gone-{end}")
    assert page.live().evaluate(PLACES) == before
    dimmed, heard = page.live(".l-main").evaluate("one => [getComputedStyle(one).opacity, getComputedStyle(one).pointerEvents]")
    assert float(dimmed) < 0.6 and heard == "none"
    if end == "restarted":
        page.run(0)
        page.appears()
        assert not page.tab.locator(".l-lost").is_visible()
    assert not page.errors


def test_hostile_names_do_no_harm(server, opened):
    _, folder = server
    hostile(folder / "mlruns")
    notebook(folder / "hostile.ipynb", ATTACH.format(name="sample"), ANSWERS)
    page = opened("lab", "hostile.ipynb")
    asked = []
    page.tab.on("request", lambda request: asked.append(request.url))
    page.run(0)
    page.appears()
    page.choose()
    page.run(1)
    page.says(HOSTILE[0], ".l-detail")
    page.tour("hostile-")
    page.says(HOSTILE[1], ".l-log")
    made = "iframe, script:not([type]), [onerror], [onload], [onmouseover], [href^=javascript]"
    assert page.tab.locator(f".lepton-live :is({made})").count() == 0
    assert all(url.startswith(("http://127.0.0.1:", "data:", "blob:")) and not url.endswith("/x") for url in asked), asked
    assert not page.errors  # an alert would be one


CONTRAST = """
elements => {
  const parts = text => text.match(/[\\d.]+/g).map(Number);
  const light = text => parts(text).slice(0, 3).map(one => one / 255)
    .map(one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
    .reduce((sum, one, at) => sum + one * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor, alpha = parts(colour)[3] ?? 1;
      if (alpha > 0.5) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const seen = elements.filter(one => one.getClientRects().length && one.textContent.trim());
  return seen.map(one => {
    const style = getComputedStyle(one), ink = one.closest("svg") ? style.fill : style.color;
    const [low, high] = [light(ink), light(behind(one))].sort((a, b) => a - b);
    return [(high + 0.05) / (low + 0.05), one.textContent.slice(0, 40)];
  });
}
"""  # of WCAG 2.2, which requires 4.5 for small text, 3 for larger


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_it_is_readable_in_both_themes(server, opened, theme):
    address, folder = server
    if not (folder / "mlruns" / "studies" / "themes").exists():
        streamed.write(folder / "mlruns", "themes", 40)
    say = urllib.request.Request(
        f"{address}/lab/api/settings/@jupyterlab/apputils-extension:themes",
        json.dumps({"raw": json.dumps({"theme": theme})}).encode(),
        method="PUT",
    )
    urllib.request.urlopen(say)
    builder = "import lepton_automl\nlepton_automl.builder({'a': 1})"
    notebook(folder / "themes.ipynb", ATTACH.format(name="themes"), builder)
    page = opened("lab", "themes.ipynb")
    page.run(0)
    page.appears()
    page.choose()
    page.shot(theme.replace(" ", "-"))
    page.run(1)
    form = page.tab.locator(".lepton-builder")
    form.wait_for(timeout=PATIENCE)
    form.evaluate("element => element.scrollIntoView()")
    page.picture(f"builder-{theme.replace(' ', '-')}")
    element = page.tab.locator(".lepton :is(span, b, th, td, h4, label, button, p, code, pre, text, .lm-TabBar-tabLabel)")
    faint = [one for one in element.evaluate_all(CONTRAST) if one[0] < 3.0]
    assert element.count() > 50 and not faint
    assert not page.errors
