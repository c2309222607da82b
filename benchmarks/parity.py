"""Sixty random networks and six real ones: pruned, exported, quantized, and loaded by fresh processes in every runtime."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lepton_automl import plugins
from lepton_automl.compression.prune import PruneOptions, prune
from lepton_automl.compression.shrink import shrink
from lepton_automl.deployment.export import export
from lepton_automl.deployment.runtime import Source, get_runtime, runtimes_for
from lepton_automl.deployment.verify import expected_answers
from lepton_automl.models.build import build
from lepton_automl.models.deployable import deployable
from lepton_automl.models.files import load
from lepton_automl.models.plain import INPUT, Bare
from lepton_automl.pipelines.open_variant import check_artifact
from lepton_automl.specs import Deployment
from lepton_automl.study.study import Study
from lepton_automl.variant import Variant

from .accelerate import CACHE, CHECKOUT, encoder, table
from .handmade import HANDMADE
from .report import Figure, Result
from .shrink import KINDS, drawn, random_rows

ROWS = 256
LOGITS = 3.0  # standard deviation to which untrained outputs are scaled, as they would otherwise be nearly equal
# Allowed differences by precision, as shares of the outputs' spread: of the largest difference for fp32, of the mean for others.
ALLOWED = {"fp32": 1e-3, "bf16": 0.05, "int8": 0.2, "int8-dynamic": 0.2}
Row = dict[str, Any]


def random_networks(count: int) -> Iterator[tuple[str, nn.Module, dict[str, Tensor]]]:
    """Networks from the search's own space, pruned to half."""
    for number in range(count):
        recipe, inputs = drawn(number), random_rows(number, ROWS)
        model = build(recipe, seed=number)
        with torch.no_grad():
            model(**inputs)
        cut = shrink(model, recipe.scale(0.5), inputs)
        yield f"random {number}", deployable(_with_spread(cut, inputs), KINDS[number % len(KINDS)][0]), inputs


def _with_spread(model: Any, inputs: dict[str, Tensor]) -> Any:
    """Scale the last layer, so that outputs differ between rows as in a trained network."""
    model.eval()
    with torch.no_grad():
        spread = float(model(**inputs).std())
        last = [layer for layer in model.modules() if isinstance(getattr(layer, "weight", None), Tensor)][-1]
        last.weight *= LOGITS / max(spread, 1e-6)
    return model


def real_networks() -> Iterator[tuple[str, nn.Module, dict[str, Tensor]]]:
    """The hand-written networks of `benchmarks accelerate`, pruned to half, and the networks chosen by its searches, if it was run."""
    pictures = torch.randn(ROWS, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    for name, make in HANDMADE.items():
        torch.manual_seed(0)
        yield name, *_cut(make(), pictures)
    if (CACHE / "adult-data").exists():
        torch.manual_seed(0)
        yield "encoder", *_cut(encoder(), table()[0][0][:ROWS])
    home = CACHE / "accelerate"
    for folder in sorted((home / "studies").glob("*")) if home.exists() else ():
        study = Study(folder.name, home)
        data, best = study.state.settings.data, study.best()
        tensors = {path.stem: torch.from_numpy(np.load(path)[:ROWS]) for path in (folder / "data" / "rows").glob("*.npy")}
        inputs = {name: rows for name, rows in tensors.items() if name in {"image", "numeric", "categorical"}}
        yield folder.name, deployable(load(best.path), data), inputs


def _cut(model: nn.Module, rows: Tensor) -> tuple[nn.Module, dict[str, Tensor]]:
    with torch.no_grad():
        model.train()(rows)
    cut = prune(model.eval(), PruneOptions(ratio=0.5), rows).model
    return Bare(nn.Sequential(_with_spread_module(cut, rows), nn.Softmax(1))), {INPUT: rows}


def _with_spread_module(model: nn.Module, rows: Tensor) -> nn.Module:
    scaled_module: nn.Module = _with_spread(Bare(model), {INPUT: rows}).module
    return scaled_module


def make(name: str, module: nn.Module, inputs: dict[str, Tensor], folder: Path) -> list[Row]:
    """Write every artifact of a network to a folder, with the outputs of its module and of the artifact in this process."""
    folder.mkdir(parents=True)
    export(module.eval(), inputs, folder / "float.onnx")
    source = Source(module, folder / "float.onnx", inputs)
    with torch.inference_mode():
        expected = module(**inputs).numpy()
    np.savez(folder / "rows.npz", allow_pickle=False, **{key: rows.numpy() for key, rows in inputs.items()})
    np.save(folder / "expected.npy", expected)
    rows_made = []
    for runtime in (*runtimes_for(()), get_runtime("torch")):
        for number, variant in enumerate(runtime.variants(source)):
            if variant.options.get("compiled"):
                continue  # takes a minute for each, with the same file
            path = folder / f"{runtime.name}-{number}{runtime.suffix}"
            row = {"net": name, "variant": variant.to_json(), "path": str(path), "refused": ""}
            try:
                runtime.write(variant, source, path)
                arrays = {key: rows.numpy() for key, rows in inputs.items()}
                opened = runtime.open(path, variant, rows=1)
                here = opened(arrays)
                check_artifact(variant, opened, expected_answers(module, inputs))  # as `accelerate` does
                np.save(path.with_suffix(".npy"), here)
            except Exception as error:  # also from a kernel; a reported failure is not a silent one
                row["refused"] = str(error)
            rows_made.append(row)
    return rows_made


def check(rows: list[Row]) -> list[Row]:
    """Open every artifact and compare its outputs with both saved ones; called in a fresh process."""
    torch.set_num_threads(1)
    for row in rows:
        path, variant = Path(row["path"]), Variant.from_json(row["variant"])
        if row["refused"]:
            continue
        try:
            opened = get_runtime(variant.runtime).open(path, variant, rows=1)
            arrays = dict(np.load(path.parent / "rows.npz"))
            answers = opened(arrays)
            first = opened({key: part[:1] for key, part in arrays.items()})
        except Exception as error:  # as above
            row["refused"] = str(error)
            continue
        expected, before = np.load(path.parent / "expected.npy"), np.load(path.with_suffix(".npy"))
        spread = float(expected.std()) or 1.0
        apart = np.abs(answers - expected)
        row["apart"] = float((apart.max() if variant.precision == "fp32" else apart.mean()) / spread)
        row["again"] = float(max(np.abs(answers - before).max(), np.abs(first - answers[:1]).max()) / spread)
        labels = expected.ndim == 2  # for numbers, the share of explained variance
        row["agree"] = float((answers.argmax(1) == expected.argmax(1)).mean() if labels else 1 - (apart**2).mean() / spread**2)
    return rows


def checked_elsewhere(rows: list[Row], folder: Path) -> list[Row]:
    """Run `check` in one fresh process for each runtime."""
    rows_read = []
    for name in plugins.names("runtimes"):
        mine = [row for row in rows if row["variant"]["runtime"] == name]
        (folder / f"{name}.json").write_text(json.dumps(mine))
        code = "import sys, json; from benchmarks.parity import check; print('\\n' + json.dumps(check(json.load(open(sys.argv[1])))))"
        command = [sys.executable, "-c", code, str(folder / f"{name}.json")]
        result = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
        if result.returncode:
            raise RuntimeError(result.stderr)
        rows_read += json.loads(result.stdout.splitlines()[-1])
    return rows_read


def run(*, recipes: int = 60) -> Result:
    """Measure how far every artifact is from its module, and count those that differ too much without being rejected.

    Args:
        recipes: Number of random recipes of the search's space.
    """
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        rows: list[Row] = []
        nets = 0
        for name, module, inputs in (*real_networks(), *random_networks(recipes)):
            rows += make(name, module, inputs, Path(temporary) / str(nets))
            nets += 1
            print(f"{name}: {len(rows)} artifacts", flush=True)
        rows_read = checked_elsewhere(rows, Path(temporary))
    return Result(figures=_figures(rows_read, nets), notes=NOTES)


NOTES = [
    "apart: difference from the module's outputs, relative to their spread: the largest for fp32, the mean for other precisions.",
    "agree: share of equal labels; for numbers, the share of explained variance.",
    "silent: artifacts that are apart by more than 0.001 (fp32), 0.05 (bf16), 0.2 (int8) but agree, so that the",
    " score does not show it; or whose outputs differ between processes, or between one row and many.",
]


def _figures(rows_checked: list[Row], nets: int) -> list[Figure]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows_checked:
        groups[Variant.from_json(row["variant"]).name].append(row)
    figures = [Figure(name="networks", value=nets), Figure(name="artifacts", value=len(rows_checked))]
    for name, rows in groups.items():
        good = [row for row in rows if not row["refused"]]
        if good:
            figures.append(Figure.of(f"apart, {name}", [row["apart"] for row in good]))
            figures.append(Figure.of(f"agree, {name}", [row["agree"] for row in good]))
        low = sum(row["agree"] < 1 - Deployment().max_score_drop for row in good)
        figures.append(Figure(name=f"refused, {name}", value=len(rows) - len(good)))
        figures.append(Figure(name=f"too low a score, {name}", value=low))
    silent = [row for row in rows_checked if not row["refused"] and _silent(row)]
    for row in rows_checked:
        if row["refused"]:
            print(f"refused: {row['net']}, {Variant.from_json(row['variant']).name}: {row['refused'][:200]}", flush=True)
    for row in silent:
        print(
            f"silent: {row['net']}, {Variant.from_json(row['variant']).name}: {row['apart']:.3g}, {row['again']:.3g}",
            flush=True,
        )
    return [*figures, Figure(name="silent_failures", value=len(silent), target="0")]


def _silent(row: Row) -> bool:
    """Whether a difference would go unnoticed: neither an error nor the accelerator's score shows it."""
    precision = row["variant"]["precision"]
    scored_out = precision != "fp32" and row["agree"] < 1 - Deployment().max_score_drop
    same = 1e-3 if precision == "fp32" else ALLOWED[precision]  # one row and many may use kernels that sum in different orders
    apart = row["apart"] > ALLOWED[precision] and not scored_out
    return bool(apart or row["again"] > same or not np.isfinite(row["apart"]))
