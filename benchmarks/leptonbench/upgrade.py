"""`python -m benchmarks.leptonbench.upgrade` updates the names of hyperparameters and fields in recorded tables; values do not change.

It writes a table only if all of its values stay the same, and compares the written file with the previous one.
"""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lepton_automl.journal_format import converted, converted_config

from . import table

KEY = b"leptonbench"


def upgraded(table: pa.Table) -> pa.Table:
    """A table with the current names.

    Args:
        table: The recorded table.
    """
    configs = [json.dumps(converted_config(json.loads(text))) for text in table.column("config").to_pylist()]
    place = table.schema.get_field_index("config")
    changed = table.set_column(place, table.schema.field("config"), pa.array(configs, pa.string()))
    return changed.replace_schema_metadata({KEY: json.dumps(_described(json.loads(table.schema.metadata[KEY])))})


def _described(header: dict[str, Any]) -> dict[str, Any]:
    """A table's description with the current names; `target`, `lean` and `space` are those of a study's request."""
    names: dict[str, str] = {"target": "deployment", "lean": "prune"}
    request: dict[str, Any] = {name: header[name] for name in ("target", "lean", "space") if name in header}
    line = converted({"event": "StudyStarted", "config": request})["config"] if request.keys() & names.keys() else request
    return {names.get(name, name): line.get(names.get(name, name), value) for name, value in header.items()}


def values_of(table: pa.Table) -> list[str]:
    """Every value of a table as text, in order and without names; as text, NaN equals itself."""
    rows = [{**row, "config": list(json.loads(row["config"]).values())} for row in table.to_pylist()]
    return [*(repr(list(row.values())) for row in rows), repr(_leaves(json.loads(table.schema.metadata[KEY])))]


def _leaves(item: Any) -> list[Any]:
    if isinstance(item, dict):
        return [leaf for part in item.values() for leaf in _leaves(part)]
    return [leaf for part in item for leaf in _leaves(part)] if isinstance(item, list) else [item]


def main() -> None:
    """Rewrite the tables that have old names."""
    for name in table.names():
        before = pq.read_table(table.path(name))
        after = upgraded(before)
        if after.schema.metadata == before.schema.metadata and after.column("config").equals(before.column("config")):
            print(f"{name}: nothing to do")
            continue
        if values_of(before) != values_of(after):
            raise SystemExit(f"{name}: a value would change; nothing was written")
        pq.write_table(after, table.path(name), compression="zstd")
        if values_of(pq.read_table(table.path(name))) != values_of(before):
            raise SystemExit(f"{name}: the written file differs from the previous one")
        print(f"{name}: {after.num_rows} rows, {len(values_of(after))} lists of values compared, all equal")


if __name__ == "__main__":
    main()
