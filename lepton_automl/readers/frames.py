"""Tables of other libraries than pandas: polars, Arrow, DuckDB and all that export Arrow's stream of record batches."""

from __future__ import annotations

from typing import Any

from lepton_automl.data.reading import is_pair
from lepton_automl.errors import DataError, in_one_line
from lepton_automl.source import ReadRequest

NAMES = ("column_names", "columns", "schema")  # one of these has every table, and no single column


class FrameReader:
    """Converts a table to a DataFrame, or the tables of a pair `(X, y)`."""

    name = "frame"
    accepts = "a table of pandas, polars, Arrow or DuckDB"

    def recognize(self, source: Any, request: ReadRequest) -> bool:
        """Whether it is such a table, or a pair of one."""
        if request.labelled and is_pair(source):
            return any(map(is_frame, source))
        return is_frame(source)

    def read(self, source: Any, request: ReadRequest) -> Any:
        """The DataFrame, or the pair."""
        if request.labelled and is_pair(source):
            return tuple(to_pandas(part) if is_frame(part) else part for part in source)
        return to_pandas(source)


def is_frame(source: Any) -> bool:
    """Whether it is a table of another library than pandas."""
    kind = type(source)  # looked at instead of the object: some compute what their attributes say
    if _is_pandas(source) or not any(hasattr(kind, name) for name in NAMES) or hasattr(kind, "dtype"):
        return False
    return any(hasattr(kind, way) for way in ("__arrow_c_stream__", "to_pandas", "collect", "to_table"))


def _is_pandas(source: Any) -> bool:
    return type(source).__module__.partition(".")[0] == "pandas"


def to_pandas(source: Any) -> Any:
    """A table as a pandas DataFrame.

    Raises:
        DataError: It cannot be converted.
    """
    import pyarrow as pa

    try:
        for way in ("collect", "to_table"):  # a polars query that was not run yet, a dataset of Arrow files
            if hasattr(source, way) and not hasattr(source, "__arrow_c_stream__"):
                source = getattr(source, way)()
        if hasattr(source, "__arrow_c_stream__"):
            return pa.table(source).to_pandas()
        return source.to_pandas()
    except Exception as error:  # of any library
        what = f"a {type(source).__name__} cannot be read as a table: {in_one_line(error)}"
        raise DataError(what, where="data", fix="Convert it to a pandas DataFrame and pass that.") from error
