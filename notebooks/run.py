"""Runs the notebooks as a reader would, each in a new folder with a kernel of its own, and prints the seconds of each.

python notebooks/run.py          all of them, with the small budgets of their metadata
python notebooks/run.py 3 --save the third, with the budget that a reader gets; what it showed is saved in it

A notebook's small budget is a line of Python in its metadata, `{"lepton": {"small": "budget = Budget(trials=3)"}}`, which is run
after the cell that is tagged `parameters`, so that a reader sees nothing of it. It counts trials, as a busy machine may train none
in half a minute.
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
PICTURE = "lepton"  # in the metadata of the still picture that stands behind a dashboard
HIDING = "lepton-hiding"  # in what hides one of the two
LAST = 20  # seconds
MOST_SECONDS = 900  # that one cell may take


def notebooks(asked: list[str]) -> list[Path]:
    """Those that are asked for by number or name; all, where none is."""
    every = sorted(HERE.glob("[0-9]_*.ipynb"))
    return [path for path in every if not asked or any(path.name.startswith(Path(word).name) for word in asked)]


def set_small_budget(notebook: NotebookNode) -> None:
    """Have the small budget set after the cell of the parameters."""
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
    """Stop what still searches: a study outlives the notebook that began it."""
    for name in home.studies:
        if home.running(name):
            Study(name, home).stop()


def tidy(notebook: NotebookNode) -> None:
    """Keep of the outputs what shows without a kernel, also where the notebook is not trusted: no styles, no drawings."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in map(still, _unshadowed(cell.outputs)) if output]
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}


def _unshadowed(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Without a living dashboard whose still picture stands behind it."""
    behind = [*outputs[1:], {}][: len(outputs)]
    return [one for one, after in zip(outputs, behind, strict=True) if not (WIDGET in one.get("data", {}) and is_still(after))]


def is_still(output: Any) -> bool:
    """Whether an output is the still picture of a widget."""
    return PICTURE in output.get("metadata", {})


def still(output: NotebookNode) -> NotebookNode | None:
    """An output without what lives; None where nothing of it is left."""
    if "data" in output:
        output.data.pop(WIDGET, None)
        if "image/png" in output.data:
            output.data.pop("image/jpeg", None)  # Pillow gives both
        return output if output.data and HIDING not in output.data.get("text/html", "") else None
    return output


def main() -> int:
    """Run what is asked for; the exit code says whether all went well."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("notebooks", nargs="*", help="numbers or names; by default all")
    parser.add_argument("--save", action="store_true", help="run with a reader's budget, and save what is shown")
    asked = parser.parse_args()
    failed = False
    for path in notebooks(asked.notebooks):
        failed |= not run(path, save=asked.save)
    return int(failed)


def run(path: Path, *, save: bool) -> bool:
    """Run one notebook; whether all went well."""
    notebook, begun = nbformat.read(path, as_version=4), time.monotonic()
    if not save:
        set_small_budget(notebook)
    else:  # a dashboard draws its last picture some seconds after its search has ended
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
