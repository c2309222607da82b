"""Gain and cost of pruning channels: measured speed, accuracy after recovery, and pruned networks that reload exactly."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from lepton_automl import families
from lepton_automl.compression.shrink import shrink
from lepton_automl.data.datamodule import DataModule
from lepton_automl.data.open import Data, open_data
from lepton_automl.deployment.export import export
from lepton_automl.deployment.session import OnnxModel
from lepton_automl.jobs import CONTINUE
from lepton_automl.measuring.latency import measure
from lepton_automl.modalities.image.recipe import Block, ConvRecipe, Stage
from lepton_automl.modalities.image.spec import ImageInput, image_input
from lepton_automl.modalities.table.spec import TableInput, table_input
from lepton_automl.models.build import RecipeNet, build
from lepton_automl.models.deployable import deployable
from lepton_automl.models.files import load, save
from lepton_automl.pipelines.cost import reference
from lepton_automl.pipelines.pack import artifact_scores
from lepton_automl.plans import PrunePlan, TrainPlan
from lepton_automl.recipe import Recipe
from lepton_automl.space import Integer, Setting
from lepton_automl.specs import DataSpec
from lepton_automl.tasks.classification import MulticlassOutput
from lepton_automl.tasks.regression import NumberOutput
from lepton_automl.training.fit import fit

from .report import Figure, Result

CHECKOUT = Path(__file__).parents[1]
DATA = Path(os.environ.get("LEPTON_DATA") or CHECKOUT.parent / "shared" / "data") / "fashion_mnist"
RATIOS = (0.25, 0.5, 0.75)


# Speed and accuracy


def parent(spec: DataSpec) -> ConvRecipe:
    """A residual network of typical width, which spends most of its time on arithmetic, not on call overhead."""
    image = image_input(spec)
    blocks = tuple((Block(kind="plain"), Block(kind="residual", mid=width)) for width in (64, 128))
    return ConvRecipe(
        outputs=spec.outputs,
        image=image.shape,
        pixel_mean=image.pixel_mean,
        pixel_std=image.pixel_std,
        stem=32,
        stages=tuple(Stage(width=width, stride=2, blocks=pair) for width, pair in zip((64, 128), blocks, strict=True)),
    )


def subset(data: Data, rows: int) -> Data:
    """The first training rows (the source is shuffled) and all validation rows."""
    train = data.train.rows(slice(0, rows))
    return replace(data, train=train, spec=data.spec.replace(train=len(train)))


def train(model: RecipeNet, data: Data, plan: TrainPlan, first: int, last: int, *, score: bool = True) -> RecipeNet:
    """The network trained for these epochs of the plan."""
    module = DataModule(data, plan)
    fit(model, module, plan, spec=data.spec, first_epoch=first, last_epoch=last, on_epoch=lambda *_: CONTINUE, score=score)
    return model


class Artifact(NamedTuple):
    """An exported network and its accuracy on the validation rows."""

    model: OnnxModel
    accuracy: float

    @classmethod
    def of(cls, model: RecipeNet, data: Data, path: Path) -> Artifact:
        sample = {name: rows[:64] for name, rows in data.train.inputs.items()}
        export(deployable(model, data.spec), sample, path)
        return cls(OnnxModel(path), artifact_scores(path, data.validation, data.spec)["accuracy"])


def train_all(recipe: Recipe, data: Data, plan: TrainPlan, folder: Path) -> dict[str, Artifact]:
    """Train the parent, and for each ratio the network pruned during training and the same network from scratch, for equal epochs."""
    cut_at = PrunePlan().cut_epoch(plan.epochs)
    half_way = train(build(recipe, plan.seed), data, plan, 0, cut_at, score=False)
    models = {"parent": train(build(recipe, plan.seed), data, plan, 0, plan.epochs)}
    for ratio in RATIOS:
        smaller = recipe.scale(1 - ratio)
        cut = build(smaller, plan.seed)
        cut.load_state_dict(shrink(half_way, smaller, data.train.inputs).state_dict())
        models[f"cut_{name_of(ratio)}"] = train(cut, data, plan, cut_at, plan.epochs)
        models[f"scratch_{name_of(ratio)}"] = train(build(smaller, plan.seed), data, plan, 0, plan.epochs)
    return {name: Artifact.of(model, data, folder / f"{name}.onnx") for name, model in models.items()}


def name_of(ratio: float) -> str:
    return f"{100 * ratio:.0f}"


def contest(rows: int, epochs: int, seeds: int) -> list[Figure]:
    """Compare the pruned network with the parent and with the same small network from scratch."""
    figures: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as temporary:
        data = subset(open_data(DATA, Path(temporary) / "data"), rows)
        example = data.examples[:1]
        for seed in range(seeds):
            plan = families.usual_plan(data.spec).replace(epochs=epochs, seed=seed)
            trained = train_all(parent(data.spec), data, plan, Path(temporary))
            calls = {
                name: lambda model=network.model: model(data.preprocess.arrays(example)) for name, network in trained.items()
            }
            best = trained["parent"].accuracy
            figures["parent_accuracy"].append(100 * best)
            figures["parent_ms"].append(measure(calls["parent"], reference(1), seconds=2)[0].median)
            for ratio in map(name_of, RATIOS):
                # The calls are timed interleaved: load and clock frequency affect all, so their ratios are reliable.
                speed, _ = measure(calls["parent"], calls[f"cut_{ratio}"], seconds=2)
                figures[f"latency_ratio_{ratio}"].append(speed.ratio or 0.0)
                figures[f"accuracy_drop_{ratio}"].append(100 * (best - trained[f"cut_{ratio}"].accuracy))
                figures[f"scratch_drop_{ratio}"].append(100 * (best - trained[f"scratch_{ratio}"].accuracy))
            print(
                f"seed {seed}:",
                ", ".join(f"{name} {100 * network.accuracy:.2f} %" for name, network in trained.items()),
                flush=True,
            )
    return [Figure.of(name, values, unit=unit_of(name)) for name, values in figures.items()]


def unit_of(name: str) -> str:
    return "ms" if name.endswith("_ms") else "%" if name.endswith("accuracy") else "points" if "drop" in name else ""


# Reloading

GREY = DataSpec(
    name="drawn", folder="", target="label", input=ImageInput(shape=(1, 28, 28), pixel_mean=(73.0,), pixel_std=(90.0,)),
    output=MulticlassOutput(labels=tuple(range(10))), train=2000, validation=500, test=0, digest="",
)  # fmt: skip
COLOURED = ImageInput(shape=(3, 32, 32), pixel_mean=(125.0, 123.0, 114.0), pixel_std=(63.0, 62.0, 67.0))
RGB = GREY.replace(input=COLOURED)
MIXED = GREY.replace(input=TableInput(numeric=7, plain=2, cardinalities=(3, 12, 40)))
NUMBERS = MIXED.replace(input=TableInput(numeric=7))
QUANTITY = MIXED.replace(output=NumberOutput(mean=5.0, scale=2.0))
KINDS: tuple[tuple[DataSpec, dict[str, Setting]], ...] = (
    (GREY, {"model.block": "plain"}),
    (GREY, {"model.block": "residual", "model.squeeze": False}),
    (RGB, {"model.block": "residual", "model.squeeze": True}),
    (GREY, {"model.block": "inverted", "model.squeeze": False}),
    (RGB, {"model.block": "inverted", "model.squeeze": True}),
    (MIXED, {"model.kind": "mlp"}),
    (MIXED, {"model.kind": "resnet"}),
    (NUMBERS, {"model.embedding": "piecewise"}),
    (NUMBERS, {"model.embedding": "periodic", "model.kind": "resnet"}),
    (QUANTITY, {}),
)


def drawn(number: int) -> Recipe:
    """A recipe from the search's own space, of each kind in turn."""
    spec, pins = KINDS[number % len(KINDS)]
    space = families.space_for(spec).restrict(pins)
    if spec.modality == "image":
        space = space.restrict({"model.width": Integer(4, 24, default=16, log=True)})  # the widest networks need megabytes
    return families.draw(families.room(space.sample(random.Random(number)), "model"), spec)


def random_rows(number: int, rows: int = 32) -> dict[str, Tensor]:
    """Random inputs for the network of `drawn` with this number."""
    spec, chance = KINDS[number % len(KINDS)][0], torch.Generator().manual_seed(number)
    if isinstance(spec.input, ImageInput):
        return {"image": torch.randint(256, (rows, *spec.input.shape), dtype=torch.uint8, generator=chance)}
    table = table_input(spec)
    inputs = {"numeric": torch.randn(rows, table.numeric, generator=chance)}
    if table.cardinalities:
        codes = [torch.randint(codes, (rows,), generator=chance) for codes in table.cardinalities]
        inputs["categorical"] = torch.stack(codes, dim=1)
    return inputs


def answers(model: RecipeNet, number: int) -> Tensor:
    with torch.inference_mode():
        outputs: Tensor = model.eval()(**random_rows(number))
    return outputs


def save_cut(number: int, folder: Path) -> None:
    """Draw a network, run rows through it to set its statistics, prune it to half, and save it with its outputs."""
    recipe, inputs = drawn(number), random_rows(number)
    model = build(recipe, seed=number)
    with torch.no_grad():
        model(**inputs)
    cut = shrink(model, recipe.scale(0.5), inputs)
    save(cut, folder)
    torch.save(answers(cut, number), folder / "answers.pt")


def equal_here(folder: Path, count: int) -> int:
    """How many saved networks give the same outputs in this process, bit by bit."""
    torch.set_num_threads(1)
    folders = [folder / str(number) for number in range(count)]
    return sum(torch.equal(answers(load(path), number), torch.load(path / "answers.pt")) for number, path in enumerate(folders))


def reloaded(count: int) -> int:
    """How many random pruned networks give the same outputs in a fresh process."""
    with tempfile.TemporaryDirectory() as temporary:
        for number in range(count):
            save_cut(number, Path(temporary) / str(number))
        code = "import sys, pathlib; from benchmarks.shrink import equal_here; print(equal_here(pathlib.Path(sys.argv[1]), int(sys.argv[2])))"
        command = [sys.executable, "-c", code, temporary, str(count)]
        result = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(result.stderr)
    return int(result.stdout)


def run(rows: int = 10_000, epochs: int = 8, seeds: int = 2, recipes: int = 50) -> Result:
    """Measure ratios of latency and differences of accuracy on Fashion-MNIST, and count pruned networks that reload unchanged."""
    torch.set_num_threads(1)
    equal = Figure(name="reload_equal", value=float(reloaded(recipes)), target=str(recipes))
    if not DATA.is_dir():
        skipped = (
            f"Speed and accuracy were skipped: {DATA} does not exist; set LEPTON_DATA to a folder that contains fashion_mnist."
        )
        return Result(figures=[equal], notes=[skipped])
    notes = [
        f"latency_ratio: time of the parent's exported file over that of the pruned one, one image per call; {seeds} seeds.",
        "accuracy_drop: points by which the pruned network is below the parent on the validation rows, after the same number of epochs.",
        "scratch_drop: the same for a network of the pruned shape trained from scratch; inheriting weights helps if it is larger.",
        "reload_equal: networks pruned to half and saved whose outputs in a fresh process are equal bit by bit.",
    ]
    return Result(figures=[*contest(rows, epochs, seeds), equal], notes=notes)
