"""Runs the notebooks, each in a new folder with a kernel of its own, and prints how many seconds each took.

python notebooks/run.py          all of them, with the small budgets of their metadata
python notebooks/run.py 3 --save the third, with its full budget; its output is saved in the notebook

A notebook's small budget is a line of Python in its metadata, `{"lepton": {"small": "budget = Budget(trials=3)"}}`. It runs after the
cell that is tagged `parameters`, so it does not show in the notebook. It counts trials, as a busy machine may finish none in half a
minute.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from lepton_automl import Study
from lepton_automl.study_store import StudyStore

HERE = Path(__file__).parent
WIDGET = "application/vnd.jupyter.widget-view+json"
PICTURE = "lepton"  # in the metadata of the static image that replaces a dashboard
HIDING = "lepton-hiding"  # in the output that hides one of the two
LAST = 20  # seconds
MOST_SECONDS = 900  # maximum for one cell


def notebooks(chosen: list[str]) -> list[Path]:
    """The notebooks with these numbers or names; all if none is given."""
    every = sorted(HERE.glob("[0-9]_*.ipynb"))
    return [path for path in every if not chosen or any(path.name.startswith(Path(word).name) for word in chosen)]


def set_small_budget(notebook: NotebookNode) -> None:
    """Insert the small budget after the parameters cell."""
    (at,) = (n for n, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", []))
    notebook.cells.insert(at + 1, nbformat.v4.new_code_cell(notebook.metadata["lepton"]["small"]))


def execute(notebook: NotebookNode, folder: Path) -> None:
    """Run all cells in a folder.

    Raises:
        CellExecutionError: A cell failed.
    """
    os.environ |= {"LEPTON_HOME": str(folder / "mlruns"), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=MOST_SECONDS, resources=resources, store_widget_state=False, record_timing=False)
    try:
        client.execute()
    finally:
        stop_studies(StudyStore(folder / "mlruns"))


def stop_studies(home: StudyStore) -> None:
    """Stop running studies, which outlive the notebook that started them."""
    for name in home.studies:
        if home.running(name):
            Study(name, home).stop()


def tidy(notebook: NotebookNode) -> None:
    """Keep only outputs that show without a kernel and in an untrusted notebook: no widgets, styles or scripts."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in map(still, _unshadowed(cell.outputs)) if output]
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}


def _unshadowed(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Drop a live dashboard that is followed by its static image."""
    behind = [*outputs[1:], {}][: len(outputs)]
    return [
        output
        for output, after in zip(outputs, behind, strict=True)
        if not (WIDGET in output.get("data", {}) and is_still(after))
    ]


def is_still(output: Any) -> bool:
    """Whether an output is the static image of a widget."""
    return PICTURE in output.get("metadata", {})


def still(output: NotebookNode) -> NotebookNode | None:
    """An output without its live part; None if nothing is left."""
    if "data" in output:
        output.data.pop(WIDGET, None)
        if "image/png" in output.data:
            output.data.pop("image/jpeg", None)  # Pillow gives both
        return output if output.data and HIDING not in output.data.get("text/html", "") else None
    return output


def main() -> int:
    """Run the chosen notebooks; the exit code is 1 if one failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("notebooks", nargs="*", help="numbers or names; by default all")
    parser.add_argument("--save", action="store_true", help="run with the full budget, and save the output")
    arguments = parser.parse_args()
    failed = False
    for path in notebooks(arguments.notebooks):
        failed |= not run(path, save=arguments.save)
    return int(failed)


def run(path: Path, *, save: bool) -> bool:
    """Run one notebook; whether it succeeded."""
    notebook, begun = nbformat.read(path, as_version=4), time.monotonic()
    if not save:
        set_small_budget(notebook)
    else:  # a dashboard draws its final view some seconds after its search has ended
        notebook.cells.append(nbformat.v4.new_code_cell(f"import time; time.sleep({LAST})"))
    with tempfile.TemporaryDirectory(prefix="notebook-", ignore_cleanup_errors=True) as folder:
        try:
            execute(notebook, Path(folder))
        except CellExecutionError as error:
            print(f"{path.name}: failed\n{error}", flush=True)
            return False
    print(f"{path.name:<36}{time.monotonic() - begun:6.1f} s", flush=True)
    if save:
        del notebook.cells[-1]
        tidy(notebook)
        nbformat.write(notebook, path)
    return True


if __name__ == "__main__":
    sys.exit(main())
