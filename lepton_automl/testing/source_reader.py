"""The contract of source readers. A plug-in's own test inherits `SourceReaderContract` and provides its reader and a source."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from lepton_automl import plugins
from lepton_automl.data.sources import read_source
from lepton_automl.source import Items, ReadRequest, SourceReader

HEAVY = ("torch", "pandas", "PIL", "pyarrow", "fsspec", "sqlalchemy")  # a reader's module must not import these


class SourceReaderContract:
    """The contract as pytest tests: a subclass provides `reader` and `source`.

    Attributes:
        reader: The reader under test.
        predicts: Whether it also reads this source for a prediction.
    """

    reader: SourceReader
    predicts: bool = True

    def source(self, folder: Path) -> Any:
        """A new source that the reader recognises, with labels. Each is read only once.

        Args:
            folder: An empty folder for files.
        """
        raise NotImplementedError

    def test_it_is_chosen_by_its_name(self) -> None:
        """It says what it accepts."""
        assert plugins.is_known("readers", self.reader.name) and self.reader.accepts
        assert type(plugins.instance("readers", self.reader.name)) is type(self.reader)

    def test_its_module_loads_no_large_package(self) -> None:
        """It is imported for every source."""
        module = type(self.reader).__module__
        code = f"import sys, {module}; print(*[name for name in {HEAVY!r} if name in sys.modules])"
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert not result.stdout.strip(), result.stdout

    def test_it_recognises_its_sources_alone(self, tmp_path: Path) -> None:
        """Neither the forms that readers return nor anything else."""
        request = ReadRequest(folder=tmp_path)
        assert self.reader.recognize(self.source(tmp_path), request)
        pair = (np.zeros((4, 2)), np.zeros(4))
        images = Items(items=np.zeros((4, 8, 8), np.uint8), labels=np.zeros(4))
        for other in (None, "rows.csv", tmp_path, b"", 1.5, object(), {"a": [1]}, np.zeros((4, 2)), pair, images):
            assert not self.reader.recognize(other, request), other

    def test_what_it_returns_is_a_form_that_modalities_take(self, tmp_path: Path) -> None:
        """With labels for `fit`, and as many examples without them for a prediction."""
        (tmp_path / "source").mkdir()
        made = read_source(self.source(tmp_path / "source"), ReadRequest(folder=tmp_path / "source"))
        if isinstance(made, Items):
            assert made.labels is not None and len(made.labels) == len(made) > 0
        elif isinstance(made, tuple):
            assert len(made[0]) == len(made[1]) > 0
        else:
            assert isinstance(made, Path) or (hasattr(made, "iloc") and len(made) > 0)
        if not self.predicts:
            return
        (tmp_path / "again").mkdir()
        request = ReadRequest(folder=tmp_path / "again", labelled=False)
        raw = read_source(self.source(tmp_path / "again"), request)
        assert not isinstance(raw, Items) or raw.labels is None
        if not isinstance(made, Path):
            assert len(raw) == len(made[0] if isinstance(made, tuple) else made)
