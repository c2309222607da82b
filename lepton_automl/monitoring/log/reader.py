"""Reading a log, also while it is written: closed segments and what is still in frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lepton_automl.monitoring.errors import MonitoringError

from .segments import AT, closed_segments, open_files, read_open

TRIES = 5  # a segment may be closed or removed while it is read


def read_log(folder: Path, *, since: float = 0.0, columns: list[str] | None = None) -> Any:
    """The rows of a log, the oldest first, as a pyarrow.Table.

    Closed segments can also be read by other programs: `pandas.read_parquet(folder / "segment-....parquet")`, or in DuckDB
    `SELECT * FROM read_parquet('FOLDER/segment-*.parquet', union_by_name=true)`.

    Args:
        folder: The log's folder.
        since: Only rows that were answered at this time or later, in seconds since 1970.
        columns: Only these columns; all by default.

    Raises:
        MonitoringError: There is no such folder.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not Path(folder).is_dir():
        raise MonitoringError(
            "there is no log", where=str(folder), fix="Check the folder; a log is made when a model is served."
        )
    tables = _tables(Path(folder))
    if not tables:
        return pa.table({name: pa.nulls(0) for name in columns or ()})
    table = pa.concat_tables(tables, promote_options="permissive")
    if since:
        table = table.filter(pc.greater_equal(table[AT], pa.scalar(round(1000 * since), pa.timestamp("ms", "UTC"))))
    return table if columns is None else table.select(columns)


def _tables(folder: Path) -> list[Any]:
    """The tables of all files; read again if a file was replaced meanwhile."""
    import pyarrow.parquet as pq

    for attempt in range(TRIES):
        closed, opened = closed_segments(folder), open_files(folder)
        numbers = {path.name.split("-")[1] for path in closed}
        opened = [path for path in opened if path.stem.split("-")[1] not in numbers]
        try:
            tables = [pq.read_table(path, partitioning=None) for path in closed]
            tables += [table for path in opened for table in read_open(path)]
        except FileNotFoundError:
            if attempt == TRIES - 1:
                raise
            continue
        if all(path.exists() for path in opened):
            return tables
    return tables
