"""Tables: files of several formats, DataFrames, dicts of columns, arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lepton_automl.arrays import Array
from lepton_automl.data.reading import as_array, is_pair, is_table_path
from lepton_automl.modality import Augment, Claim, ColumnPreview, Examples, Parts, Preprocess, Progress, Usage
from lepton_automl.plans import TrainPlan
from lepton_automl.specs import DataSpec
from lepton_automl.table_files import JSON_LINES_ENDINGS
from lepton_automl.texts import join_words, many

from .options import TableOptions
from .spec import TableInput, table_input

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

KINDS = {"number": "numeric", "time": "time", "text": "text", "category": "categorical"}
MLFLOW_TYPES = {"number": "double", "time": "datetime", "text": "string", "category": "string"}
AXES = 2


class TableModality:
    """Examples of one table row each."""

    name = "table"
    extra = ""
    Options = TableOptions
    Input = TableInput
    Augmentation = None
    family = "table"
    baseline = "linear_table"
    preprocess_modules = (
        "lepton_automl.modalities.table.preprocess.scales",
        "lepton_automl.modalities.table.preprocess.times",
        "lepton_automl.modalities.table.preprocess.texts",
        "lepton_automl.modalities.table.preprocess.columns",
        "lepton_automl.modalities.table.preprocess.files",
        "lepton_automl.modalities.table.preprocess.rows",
    )
    preprocess_class = "TablePreprocess"
    usage = Usage(
        article="A table",
        example="the other columns of a table",
        plural="tables",
        file="rows.csv",
        python="dataframe",
        files="a CSV, Parquet, Feather, Excel or JSON Lines file, one row as JSON",
        request='{"dataframe_records": [{"COLUMN": CELL, ...}]}',
        takes="every column by its name, null where unknown",
    )

    def recognize(self, source: Any) -> Claim | None:
        """Claim table files, DataFrames, mappings of columns, and pairs whose rows are flat."""
        if isinstance(source, str | Path):
            if str(source).lower().endswith(JSON_LINES_ENDINGS):  # a format of many kinds of data
                return Claim(confidence=0.5, reason="it is a JSON Lines file")
            return Claim(confidence=0.9, reason="it is a table file") if is_table_path(Path(source)) else None
        if hasattr(source, "iloc") and hasattr(source, "columns"):
            return Claim(confidence=0.9, reason="it is a DataFrame")
        if is_pair(source):
            flat = hasattr(source[0], "columns") or len(as_array(source[0]).shape) <= AXES
            return Claim(confidence=0.8, reason="its rows are flat") if flat else None
        if isinstance(source, Mapping) or hasattr(source, "to_pandas"):
            return Claim(confidence=0.8, reason="it has columns")
        return None

    def examples(
        self, source: Any, test: Any, folder: Path, options: Any, progress: Progress | None
    ) -> AbstractContextManager[Examples]:
        """The rows of a source with their targets."""
        from .prepare import table_examples

        del folder, progress
        return table_examples(source, test, options)

    def augment(self, plan: TrainPlan, spec: DataSpec) -> Augment | None:
        """None: rows are not augmented."""
        del plan, spec
        return None

    def entry(self, spec: DataSpec) -> nn.Module:
        """Scaled numbers, then one-hot vectors of the codes."""
        from .entry import Rows

        return Rows(table_input(spec).cardinalities)

    def call(self, examples: Sequence[Any]) -> Any:
        """A list of rows."""
        return list(examples)

    def describe(self, spec: DataSpec) -> str:
        """The number of columns of each kind."""
        kinds = [kind for _, kind in table_input(spec).columns]
        counted = [many(kinds.count(kind), f"{name} column") for kind, name in KINDS.items() if kind in kinds]
        return f"a table with {join_words(counted)}" if counted else "a table"

    def row(self, spec: DataSpec) -> str:
        """The number of categorical, of numeric and of text columns."""
        own = table_input(spec)
        categories, numbers = len(own.cardinalities), own.numeric - own.plain
        texts = [kind for _, kind in own.columns].count("text")
        parts = [many(categories, "categorical column"), many(numbers, "numeric column")]
        return ", ".join([*parts, *([many(texts, "text column")] if texts else [])])

    def facts(self, spec: DataSpec) -> dict[str, Any]:
        """The number of columns."""
        return {"columns": len(table_input(spec).columns)}

    def schema(self, spec: DataSpec) -> list[tuple[str, str]]:
        """The columns with their MLflow types."""
        return [(name, MLFLOW_TYPES.get(kind, kind)) for name, kind in table_input(spec).columns]

    def columns(self, spec: DataSpec) -> tuple[ColumnPreview, ...]:
        """The columns, with an example cell of each."""
        from .preview import column_previews

        return column_previews(Path(spec.folder))

    def thumbnail(self, inputs: Mapping[str, Array]) -> str:
        """Empty: rows have no thumbnail."""
        del inputs
        return ""

    def original(self, preprocess: Preprocess, inputs: Mapping[str, Array], rows: Sequence[int]) -> list[dict[str, Any]]:
        """Cells in their original units."""
        from .inverse_transform import original_rows
        from .preprocess.rows import TablePreprocess

        assert isinstance(preprocess, TablePreprocess)
        return original_rows(preprocess, inputs, rows)

    def parts(self, spec: DataSpec, preprocess: Preprocess, inputs: Mapping[str, Array]) -> Parts:
        """The columns of the source, whatever a network gets for each of them."""
        from .preprocess.rows import TablePreprocess

        del spec, inputs
        assert isinstance(preprocess, TablePreprocess)
        return Parts(names=tuple(preprocess.names))

    def perturbed(
        self,
        spec: DataSpec,
        preprocess: Preprocess,
        inputs: Mapping[str, Array],
        parts: Sequence[int],
        rng: np.random.Generator,
    ) -> dict[str, Array]:
        """The rows with some columns permuted."""
        from .permute import permuted
        from .preprocess.rows import TablePreprocess

        del spec
        assert isinstance(preprocess, TablePreprocess)
        return permuted(preprocess.columns, inputs, parts, rng)

    def explained_parts(self, preprocess: Preprocess, inputs: Mapping[str, Array]) -> Parts:
        """The columns, as for `parts`."""
        from .preprocess.rows import TablePreprocess

        del inputs
        assert isinstance(preprocess, TablePreprocess)
        return Parts(names=tuple(preprocess.names))

    def cells(self, preprocess: Preprocess, raw: Any) -> tuple[str, ...]:
        """The cells of a row."""
        from .preprocess.rows import TablePreprocess

        assert isinstance(preprocess, TablePreprocess)
        return preprocess.texts(raw)

    def cover(self, preprocess: Preprocess, inputs: Mapping[str, Array]) -> dict[str, Array] | None:
        """None: no cell stands for an unknown one, so other rows are needed."""
        del preprocess, inputs
        return None  # the answer

    def mixtures(
        self,
        preprocess: Preprocess,
        inputs: Mapping[str, Array],
        background: Mapping[str, Array],
        known: Array,
        rows: Array,
    ) -> dict[str, Array]:
        """Rows with the features of some columns of one row, and those of the other columns of background rows."""
        from .permute import mixed
        from .preprocess.rows import TablePreprocess

        assert isinstance(preprocess, TablePreprocess)
        return mixed(preprocess.columns, inputs, background, known, rows)
