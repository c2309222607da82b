"""`python -m benchmarks.leptonbench.compact --table NAME --raw FOLDER --work FOLDER` writes the Parquet file of a ledger."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lepton_automl import families

from . import rows, table
from .ledger import Ledger, Line
from .sources import SOURCES

_TYPES = {
    "id": pa.int64(),
    "origin": pa.string(),
    "parent": pa.int64(),
    "config": pa.string(),
    "recipe": pa.string(),
    "score": pa.list_(pa.float64()),
    "second_score": pa.list_(pa.float64()),
    "size_bytes": pa.int64(),
    "parameters": pa.int64(),
    "epochs": pa.int64(),
    "failure": pa.string(),
}
_NUMBERS = (
    "final_score",
    "final_second_score",
    "epoch_seconds",
    "weighing_seconds",
    "packing_seconds",
    "latency_ms",
    "latency_low",
    "latency_high",
)
SCHEMA = pa.schema(list((_TYPES | dict.fromkeys(_NUMBERS, pa.float64())).items()))


def compact(name: str, raw: Path, work: Path) -> int:
    """Write one table's Parquet file.

    Returns:
        The number of its rows.
    """
    source = SOURCES[name]
    spec = source.prepared(raw, work / "data" / name)
    lines = sorted(Ledger(work / f"{name}.jsonl").lines(), key=lambda line: (line["number"], line["k"]))
    days = sorted(line["at"][:10] for line in lines)
    header = {
        "about": source.about,
        "spec": spec.replace(folder="").to_json(),
        "deployment": source.deployment.to_json(),
        "space": families.space_for(spec).to_json(),
        "prune": rows.LEAN.to_json(),
        "metric": source.metric,
        "second": source.second,
        "epochs": source.epochs,
        "child_epochs": source.child_epochs,
        "hosts": sorted({line["host"] for line in lines}),
        "torch": sorted({line["torch"] for line in lines}),
        "date": [days[0], days[-1]],
    }
    columns = pa.Table.from_pylist([_row(line) for line in lines], schema=SCHEMA)
    pq.write_table(columns.replace_schema_metadata({"leptonbench": json.dumps(header)}), table.path(name), compression="zstd")
    return len(lines)


def _row(line: Line) -> dict[str, Any]:
    """A ledger line as a row of the schema."""
    number = rows.TEN * line["number"]
    fixed = {
        "id": number + line["k"],
        "origin": "child" if line["k"] else rows.origin(line["number"]),
        "parent": number if line["k"] else -1,
        "config": json.dumps(line["config"]),
        "recipe": json.dumps(line["recipe"]),
        "score": [_number(value) for value in line["score"]],
        "second_score": [_number(value) for value in line["second_score"]],
        "size_bytes": line["size_bytes"] or 0,
        "parameters": line["parameters"] or 0,
        "epochs": line["epochs"],
        "failure": line["failure"],
    }
    return fixed | {name: _number(line[name]) for name in _NUMBERS}


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def main() -> None:
    """Write the chosen tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", choices=sorted(SOURCES), nargs="+", default=sorted(SOURCES))
    parser.add_argument("--raw", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    arguments = parser.parse_args()
    for name in arguments.table:
        print(f"{name}: {compact(name, arguments.raw, arguments.work)} rows, {table.path(name).stat().st_size} bytes")


if __name__ == "__main__":
    main()
