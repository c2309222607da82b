"""The structure of the source code: file and function sizes, circular imports, plug-in names in code, tests and assertions."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Collection

from lepton_automl import plugins

from .code_structure import (
    FOLDERS,
    PACKAGE,
    NameUse,
    assertion_counts,
    circles,
    file_lines,
    function_lines,
    imports,
    in_folder,
    name_uses,
    plugin_imports,
    read_sources,
    selecting_uses,
)
from .report import Figure, Result

MODALITIES = {"image", "table", *plugins.BUILT_IN["modalities"]}
TASKS = {"binary", "multiclass", "regression", "multilabel", "quantile", *plugins.BUILT_IN["tasks"]}
PLANNED_MODALITIES, PLANNED_TASKS = {"text", "audio", "series"}, {"forecasting"}  # not implemented yet
LONGEST = 400  # maximum lines of a file


def run(at: str = "", details: bool = False) -> Result:  # noqa: FBT001, FBT002  # command-line flags
    """Print the structure of the source code.

    Args:
        at: The commit to read; the work tree by default.
        details: Also print every use of a modality's or a task's name.
    """
    sources = read_sources(at)
    figures, notes = [], []
    for folder in FOLDERS:
        part = in_folder(sources, folder)
        lines = file_lines(part)
        figures += [Figure(name=f"{folder}: files", value=len(part)), *_sizes(f"{folder}: file", lines.values())]
        figures += _sizes(f"{folder}: function", function_lines(part).values())
        longest = sorted(lines, key=lambda path: -lines[path])[:5]
        notes.append("longest: " + ", ".join(f"{path} {lines[path]}" for path in longest))
        over = sum(count > LONGEST for count in lines.values())
        figures.append(Figure(name=f"{folder}: files over {LONGEST} lines", value=over, target="0"))
    graph = imports(sources)
    parts = circles(graph)
    figures += [
        Figure(name="circles of files", value=len(parts), target="0"),
        Figure(name="files in circles", value=sum(map(len, parts)), target="0"),
        Figure(name="imports of a modality or task from outside", value=len(plugin_imports(graph)), target="0"),
    ]
    notes += ["circle: " + ", ".join(path.removeprefix(f"{PACKAGE}/") for path in part) for part in parts]
    for kind, names, planned in (("modality", MODALITIES, PLANNED_MODALITIES), ("task", TASKS, PLANNED_TASKS)):
        uses, selecting = name_uses(sources, names), selecting_uses(sources, names, planned)
        figures += [
            Figure(name=f"a {kind}'s name selects", value=len(selecting), target="0"),
            Figure(name=f"a {kind}'s name selects: files", value=len({use.path for use in selecting}), target="0"),
            Figure(name=f"a {kind}'s name as a literal", value=len(uses)),
        ]
        notes.append(f"{kind}: {_by_file(selecting)}")
        if details:
            notes += [f"{use.path}:{use.line} {use.use}: {use.code}" for use in uses]
    figures += [Figure(name=name, value=count) for name, count in assertion_counts(in_folder(sources, "tests")).items()]
    return Result(figures=figures, notes=notes)


def _sizes(name: str, lines: Collection[int]) -> list[Figure]:
    cuts = statistics.quantiles(lines, n=10, method="inclusive")
    values = {"lines, median": statistics.median(lines), "lines, p90": cuts[-1], "lines, most": max(lines)}
    return [Figure(name=f"{name} {what}", value=value) for what, value in values.items()]


def _by_file(uses: list[NameUse]) -> str:
    counts = Counter(use.path.removeprefix(f"{PACKAGE}/") for use in uses)
    return ", ".join(f"{path} {count}" for path, count in counts.most_common())
