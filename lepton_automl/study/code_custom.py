"""The script that trains a user-defined network of a study: the user's code, in a plain Trainer."""

from __future__ import annotations

from lepton_automl import families
from lepton_automl.custom import custom_plan, factory_config
from lepton_automl.jobs import TrialJob
from lepton_automl.plans import Augmentation
from lepton_automl.recipe import CustomRecipe

from .code_script import FOLDS, data_lines, docstring
from .code_values import Imports, written

MAIN = """\
def train(network, rows, first, last):
    batches = PairModule(rows, plan, network.rows)
    keep = KeepBest(network.module, batches, scorer(network, rows), seed=plan.seed, first=first)
    trainer = pl.Trainer(
        max_epochs=last - first,
        callbacks=[keep],
        limit_val_batches=0,  # the callback scores
        accelerator="auto",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
    )
    trainer.fit(network.module.train(), batches)


def train_network(rows):
    torch.manual_seed(plan.seed)
    module = make({"epochs": epochs, **config}, data.spec)
    network = CustomNet(module, recipe, data.spec)
"""
CUT = """\
    train(network, rows.unscored(), 0, {cut})  # before it is pruned, nothing is scored
    sample = torch.randn((2, *data.spec.input_shape), generator=torch.Generator().manual_seed(0))
    pruned = prune_uniformly(network.module, recipe.ratio, sample, multiple=recipe.multiple)
    network = CustomNet(pruned, recipe, data.spec)
"""
SCORES = """\


network = train_network(data)
print(final_scores([(network, data.validation)], data.spec))"""


def custom_cells(job: TrialJob, head: tuple[str, ...], *, epochs: int, study: tuple[str, str] | tuple[()]) -> list[str]:
    """The parts of a script that trains a user-defined network.

    Args:
        job: The trial's job.
        head: Lines about the trial, the first one a title.
        epochs: The epochs that the trial trained for.
        study: The study's name and home, from which its user-defined metric is read; empty if there is none.
    """
    factory, imports = job.factory, Imports()
    assert factory is not None
    plan, prune = custom_plan(job.config, job.train), families.prune_plan_of(job.config, job.prune)
    recipe = families.final_recipe(job.config, job.data, job.prune, factory)
    assert isinstance(recipe, CustomRecipe)
    imports.add(
        "lepton_automl.data.pairs.PairModule",
        "lepton_automl.models.custom.CustomNet",
        "lepton_automl.pipelines.validation.final_scores",
        "lepton_automl.pipelines.validation.scorer",
        "lepton_automl.training.keep_best.KeepBest",
    )
    values = [
        *data_lines(job.data.folder, imports, study=study),
        written(factory_config(job.config), imports, name="config") + "  # what the factory receives",
        f"epochs = {plan.epochs}  # those of the plan, which it receives as well",
        written(recipe, imports, name="recipe"),
        written(plan.replace(epochs=epochs), imports, name="plan", whole=Augmentation) + "  # the batches",
    ]
    main = MAIN
    if recipe.ratio:
        cut = prune.cut_epoch(plan.epochs)
        imports.add("lepton_automl.compression.uniform.prune_uniformly")
        main += CUT.format(cut=cut) + f"    train(network, rows, {cut}, plan.epochs)\n    return network"
    else:
        main += "    train(network, rows, 0, plan.epochs)\n    return network"
    outer = "import pytorch_lightning as pl\nimport torch\n"
    return [
        docstring(head),
        _own_code(job),
        imports.lines(outer),
        "\n".join(values),
        main + (FOLDS if job.data.folds else SCORES),
    ]


def _own_code(job: TrialJob) -> str:
    """The user's code as `make`: its source, or an import."""
    factory = job.factory
    assert factory is not None
    if factory.source:
        return (
            f"# The code of the networks, as it was when the study began.\n{factory.source.rstrip()}\n\n\nmake = {factory.name}"
        )
    name = factory.name if factory.name == "make" else f"{factory.name} as make"
    folders = "".join(f"    {path!r},\n" for path in factory.paths)
    return f"import sys\n\n# Where the study found it.\nsys.path.extend([\n{folders}])\nfrom {factory.module} import {name}"
