"""The data of a study: rows, splits, classes, columns, and what was left out."""

from __future__ import annotations

import threading

import ipywidgets as w

from lepton_automl.data.preview import DatasetPreview, preview
from lepton_automl.errors import LeptonError
from lepton_automl.specs import DataSpec

from .inferred import described_html
from .protocols import StudySnapshot
from .view import View

SPLITS = {
    "training": "learned from",
    "validation": "scored after each epoch, and to choose",
    "test": "sealed until it is opened",
}


class DatasetView(View):
    """Read from the study's folder when it is first shown; the test split is not read."""

    def __init__(self) -> None:
        self._view = w.HTML('<p class="l-dim">reading the data …</p>')
        self._thread: threading.Thread | None = None
        super().__init__(self._view)

    def draw(self, snapshot: StudySnapshot) -> None:
        """Start reading, once."""
        if self._thread is None and snapshot.state.config is not None:
            data = snapshot.state.settings.data
            self._thread = threading.Thread(target=self._read, args=(data,), name="lepton-data", daemon=True)
            self._thread.start()

    def wait(self) -> None:
        """Wait until the data are read."""
        if self._thread is not None:
            self._thread.join()

    def _read(self, spec: DataSpec) -> None:
        try:
            found = preview(spec)
        except (OSError, ValueError, KeyError, LeptonError):  # the data were removed, or the study was copied without them
            found = DatasetPreview()
        self._view.value = dataset_html(spec, found)


def dataset_html(spec: DataSpec, dataset: DatasetPreview) -> str:
    """The data as HTML without scripts.

    Args:
        spec: The description.
        dataset: Its classes, columns and examples.
    """
    counts = {"training": spec.train, "validation": spec.validation, "test": spec.test}
    uses = SPLITS | ({"training": f"learned from and scored by {spec.folds}-fold cross-validation"} if spec.folds else {})
    whole = sum(counts.values()) or 1
    rows = "".join(
        f"<tr><td>{name}</td><td>{count:,}</td><td>{100 * count / whole:.0f} %</td><td>{uses[name]}</td></tr>"
        for name, count in counts.items()
        if count
    )
    head = "<tr><th>split</th><th>rows</th><th></th><th></th></tr>"
    return described_html(spec, dataset, f'<table class="l-plain l-splits">{head}{rows}</table>')
