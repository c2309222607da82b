"""The notebooks as they were saved: whole, free of errors and of this or any machine's paths. `make notebooks` runs them."""

from __future__ import annotations

import ast
import json
import re
import socket
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("[0-9]_*.ipynb"))
PATHS = re.compile(r"/(?:home|root|Users|tmp|work|var|private|usr|opt|mnt|srv)/|[A-Z]:\\\\|file://")
PICTURE = re.compile(r"[A-Za-z0-9+/=]{200,}")  # in base64, which may contain any text by chance
LARGEST = 1_000_000  # bytes: what GitHub and nbviewer show gladly


def read(path):
    return nbformat.read(path, as_version=4)


def codes(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def names_set(code):
    """The names that lines of Python set, in tuples too."""
    targets = [target for line in ast.parse(code).body if isinstance(line, ast.Assign) for target in line.targets]
    return {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}


def test_there_are_six_and_the_readme_names_them():
    assert [int(path.name[0]) for path in NOTEBOOKS] == [1, 2, 3, 4, 5, 6]
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\((\d_\w+\.ipynb)\)", text)) == {path.name for path in NOTEBOOKS}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestSaved:
    def test_it_is_complete_and_was_run_from_top_to_bottom(self, path):
        notebook = read(path)
        nbformat.validate(notebook)
        cells = codes(notebook)
        assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
        shown = [output.output_type for cell in cells for output in cell.outputs]
        assert "error" not in shown and len(shown) > len(cells) / 3
        assert not any(output.get("name") == "stderr" for cell in cells for output in cell.outputs)

    def test_it_can_be_run_again(self, path):
        """A study's name is taken once: none is given, so that each time it is a new one."""
        assert not re.search(r"AutoML\([^)]*\bname=", "\n".join(cell.source for cell in codes(read(path))))

    def test_its_small_budget_sets_what_its_parameters_set(self, path):
        notebook = read(path)
        (cell,) = (cell for cell in codes(notebook) if "parameters" in cell.metadata.get("tags", []))
        small = names_set(notebook.metadata["lepton"]["small"])
        assert small and small <= names_set(cell.source)

    def test_its_output_shows_without_trust(self, path):
        """JupyterLab strips styles, scripts and drawings from untrusted HTML; pandas tables stay complete without styles."""
        shown = [output.data for cell in codes(read(path)) for output in cell.outputs if "data" in output]
        html = [data["text/html"] for data in shown if "text/html" in data]
        assert not [one for one in html if "<svg" in one or "<script" in one or ("<style" in one and "dataframe" not in one)]
        pictures = [data for data in shown if "image/png" in data]
        assert pictures and all("text/plain" in data for data in pictures)

    def test_it_contains_no_local_paths_and_no_live_widgets(self, path):
        outputs = [output for cell in codes(read(path)) for output in cell.outputs]
        shown = PICTURE.sub("", json.dumps(outputs, ensure_ascii=False))
        assert not PATHS.search(shown), PATHS.findall(shown)
        assert socket.gethostname() not in shown
        text = path.read_text(encoding="utf-8")
        assert "widget-view" not in text and "widget-state" not in text and len(text.encode()) < LARGEST


def test_a_live_dashboard_is_replaced_by_its_static_image():
    from notebooks.run import HIDING, PICTURE, WIDGET, tidy

    living = nbformat.v4.new_output("display_data", data={WIDGET: {"model_id": "a"}, "text/plain": "study"})
    picture = nbformat.v4.new_output(
        "display_data", data={"image/png": "", "text/plain": "table"}, metadata={PICTURE: "picture"}
    )
    hiding = nbformat.v4.new_output("display_data", data={"text/html": f'<div class="{HIDING}"></div>'})
    alone = nbformat.v4.new_output("display_data", data={WIDGET: {"model_id": "b"}, "text/plain": "a new search"})
    cell = nbformat.v4.new_code_cell("study.dashboard()", outputs=[living, picture, hiding, alone])
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": {"a": {}}})
    tidy(notebook)
    assert [list(output.data) for output in cell.outputs] == [["image/png", "text/plain"], ["text/plain"]]
    assert "widgets" not in notebook.metadata
