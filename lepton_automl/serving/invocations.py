"""MLflow's forms of a request, and of its answer."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from typing import Any

from lepton_automl.tracking.request_guard import RefusedError, rows_of

from .protocols import Columns, Row
from .refusal import RefusalError

BODY = "the body"
_CELL = 1 << 20  # characters of a cell of CSV


def rows_of_json(body: bytes, columns: Sequence[str], most: int) -> tuple[Sequence[Row], Mapping[str, Any]]:
    """The rows and the parameters of a request in JSON: `dataframe_split`, `dataframe_records`, `instances` or `inputs`.

    Args:
        body: The body.
        columns: The columns of a row, for rows without names.
        most: The maximum number of rows.

    Raises:
        RefusalError: It is none of these, or has no rows or too many.
    """
    try:
        return rows_of(body, columns, most)
    except RefusedError as error:
        raise RefusalError(error.status, str(error), where=BODY) from None


def rows_of_csv(body: bytes, columns: Sequence[str], most: int) -> tuple[Sequence[Row], Mapping[str, Any]]:
    """The rows of a request in CSV: a header, commas, double quotes; an empty cell is a missing one.

    Args:
        body: The body, in UTF-8.
        columns: The columns that must be in the header.
        most: The maximum number of rows.

    Raises:
        RefusalError: It is no such text, a column is missing, or it has no rows or too many.
    """
    try:
        lines = body.decode("utf-8-sig").splitlines(keepends=True)
        reader = csv.reader(lines, strict=True)
        csv.field_size_limit(_CELL)
        header = next(reader, [])
        missing = [name for name in columns if name not in header]
        if missing:
            fix = f"The first line names the columns: {', '.join(columns)[:300]}"
            raise RefusalError(400, f"the header has no column {missing[0]!r}", where=BODY, fix=fix)
        rows = []
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                what = f"line {reader.line_num} has {len(cells)} cells, and the header {len(header)}"
                raise RefusalError(400, what, where=BODY, fix="Put cells that contain commas in double quotes.")
            rows.append({name: cell or None for name, cell in zip(header, cells, strict=True)})
            if len(rows) > most:
                fix = f"Send at most {most:,} in one request."
                raise RefusalError(413, f"there are more than {most:,} rows", where=BODY, fix=fix)
    except (UnicodeDecodeError, csv.Error) as error:
        raise RefusalError(400, f"it is not CSV in UTF-8: {error}", where=BODY) from None
    if not rows:
        raise RefusalError(400, "there are no rows", where=BODY, fix="Send a header and at least one row.")
    return rows, {}


def answer_json(columns: Columns) -> bytes:
    """An answer as MLflow's server gives it: `{"predictions": [{column: value}]}`, one object for each row."""
    names = list(columns)
    rows = [dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return json.dumps({"predictions": rows}).encode()
