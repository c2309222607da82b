"""The parts of the script that trains one trial's network: plain Lightning, written out so that a person can edit it."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from lepton_automl._json import Value
from lepton_automl.plans import Augmentation, TrainPlan
from lepton_automl.recipe import Recipe
from lepton_automl.specs import InputSpec

from .code_values import Imports, written


@dataclass(frozen=True, kw_only=True)
class TrialCode:
    """What a script does.

    Args:
        head: Lines about the trial, the first one a title.
        folder: The folder of the prepared data.
        recipe: The final network.
        whole: The network before pruning, if it is pruned during the training.
        plan: The training plan, with the epochs that the trial trained for.
        cut: The number of epochs before pruning; 0 without.
        parent: The bundle of the network that the weights are inherited from; empty for none.
        input: The input of the network, if it is not that of the stored data.
        study: The study's name and home, from which its user-defined metric is read; empty if there is none.
        starts: Whether the family puts published or solved weights into a new network.
        solved: Whether the family solves the network at once.
        folds: Whether scores are cross-validated.
        teacher: What the network also learns from, as a value; None for the targets alone.
    """

    head: tuple[str, ...]
    folder: str
    recipe: Recipe
    whole: Recipe | None = None
    plan: TrainPlan
    cut: int = 0
    parent: str = ""
    input: InputSpec | None = None
    study: tuple[str, str] | tuple[()] = ()
    starts: bool = False
    solved: bool = False
    folds: bool = False
    teacher: Value | None = None


def script_cells(trial: TrialCode) -> list[str]:
    """The parts of a script in their order: a docstring, the imports, the values, the module, the training."""
    imports = Imports()
    imports.add("lepton_automl.pipelines.validation.final_scores")
    values = _values(trial, imports)
    steps = [_solving(trial, imports)] if trial.solved else [_module(trial, imports), _training(trial, imports)]
    return [docstring(trial.head), _all_imports(imports, lightning=not trial.solved), values, *steps]


def docstring(lines: tuple[str, ...]) -> str:
    """Lines as the docstring of a script."""
    title, *rest = (line.replace("\\", "/").replace('"""', "'''") for line in lines)
    wrapped = "\n".join(textwrap.fill(line, 110, break_long_words=False, break_on_hyphens=False) for line in rest)
    return f'"""{title}\n\n{wrapped}\n"""' if wrapped else f'"""{title}"""'


def _all_imports(imports: Imports, *, lightning: bool) -> str:
    outer = "import pytorch_lightning as pl\nimport torch\n\n"
    return imports.lines(outer * lightning)


def data_lines(
    folder: str, imports: Imports, *, changed: InputSpec | None = None, study: tuple[str, str] | tuple[()] = ()
) -> list[str]:
    """Lines that open the prepared data.

    Args:
        folder: Their folder.
        imports: Gets the names that the lines need.
        changed: The input of the network, if it is not that of the stored data.
        study: The name and home of the study whose user-defined metric is used; empty for none.
    """
    imports.add("lepton_automl.data.open.open_data")
    place = written(folder, imports)
    if changed is None and not study:
        return [f"data = open_data({place})"]
    imports.add("lepton_automl.data.store.load_spec", "pathlib.Path")
    lines, changes = [f"spec = load_spec(Path({place}))"], []
    if changed is not None:
        changes.append("input=own_input")
        lines.append(written(changed, imports, name="own_input"))
    if study:
        imports.add("lepton_automl.open_study")
        name, home = (written(part, imports) for part in study)
        changes.append(f"metric=open_study({name}, {home}).state.settings.data.metric")
    return [*lines, f"data = open_data(spec.replace({', '.join(changes)}))  # as this network takes it"]


def _values(trial: TrialCode, imports: Imports) -> str:
    """The data, the recipe and the plan."""
    lines = data_lines(trial.folder, imports, changed=trial.input, study=trial.study)
    if trial.teacher is not None:
        imports.add("lepton_automl.pipelines.teaching.with_teacher")
        lines.append(written(trial.teacher, imports, name="teacher"))
        lines.append("data = with_teacher(data, teacher)  # the answers that it also learns from")
    if trial.whole is not None:
        lines.append(written(trial.whole, imports, name="whole") + "  # the network before pruning")
    lines.append(written(trial.recipe, imports, name="recipe"))
    if not trial.solved:
        lines.append(written(trial.plan, imports, name="plan", whole=(TrainPlan, Augmentation)))
    return "\n".join(lines)


SOLVING = """\
solve = family_named(recipe.family).solve  # in closed form or by L-BFGS; the regularisation is chosen on the training rows
"""


def _solving(trial: TrialCode, imports: Imports) -> str:
    """The part that solves the network, where there is no training in steps."""
    imports.add("lepton_automl.family.family_named")
    if trial.folds:
        body = """\
folds = [data.fold(number) for number in range(data.spec.folds)]
trained = [(solve(recipe, fold, lambda: None), fold.validation) for fold in folds]
print("cross-validated:", final_scores(trained, data.spec))
network = solve(recipe, data.whole(), lambda: None)  # the model that the study exports"""
    else:
        body = """\
network = solve(recipe, data, lambda: None)
print(final_scores([(network, data.validation)], data.spec))"""
    return SOLVING + body


MODULE = """\
class Training(pl.LightningModule):
    def __init__(self, network, steps):
        super().__init__()
        self.network, self.steps = network.train(), steps
        {loss}

    def training_step(self, batch, _):
        return self.loss(self.network(**batch.inputs), batch)

    def configure_gradient_clipping(self, optimizer, **_):
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        torch.nn.utils.clip_grad_norm_(weights, plan.clip)

    def configure_optimizers(self):
        return JoinedAdamW(  # or another one
            parameter_groups(self.network, plan),
            lr=plan.lr,
            betas=(0.9, plan.beta2),
            warmup_steps=max(1, min(plan.warmup, 2 * self.steps)),
        )


def train(network, rows, {arguments}):
    batches, gpu = Batches(rows, plan), torch.cuda.is_available()
    keep = KeepBest(network, batches, scorer(network, rows), seed=plan.seed{first})
    trainer = pl.Trainer(
        max_epochs={epochs},
        callbacks=[keep],
        accelerator="gpu" if gpu else "cpu",
        devices=1,{precision}
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Training(network, len(batches)), batches)
"""


def _module(trial: TrialCode, imports: Imports) -> str:
    """The LightningModule and its Trainer; a training that is interrupted by pruning has a first epoch."""
    imports.add(
        "lepton_automl.data.batches.Batches",
        "lepton_automl.pipelines.validation.scorer",
        "lepton_automl.training.averaging.parameter_groups",
        "lepton_automl.training.joined.JoinedAdamW",
        "lepton_automl.training.keep_best.KeepBest",
        "lepton_automl.training.loss.Loss",
    )
    loss = "Loss(data.spec, plan, ensemble=network.ensemble)"
    line = f"self.loss = {loss}  # or your own, of the outputs and a batch"
    if trial.teacher is not None:
        imports.add("lepton_automl.training.distill.Distillation", "lepton_automl.training.distill.DistillationLoss")
        line = (
            f"own, share = {loss}, Distillation(share=plan.teacher, temperature=1.0)\n"
            "        self.loss = DistillationLoss(own, spec=data.spec, distillation=share, ensemble=network.ensemble)"
        )
    pruned = bool(trial.cut)
    return MODULE.format(
        arguments="first, last" if pruned else "epochs",
        epochs="last - first" if pruned else "epochs",
        first=", first=first" * pruned,
        precision='\n        precision="bf16-mixed" if gpu else "32-true",' * (trial.plan.precision == "bf16"),
        loss=line,
    ).rstrip()


def _training(trial: TrialCode, imports: Imports) -> str:
    """The training itself, from a new or an inherited network to the scores."""
    lines = _start(trial, imports)
    if trial.cut:
        imports.add("lepton_automl.compression.shrink.shrink")
        lines += [
            f"train(network, rows.unscored(), 0, {trial.cut})  # before it is pruned, nothing is scored",
            "network = shrink(network, recipe, {name: part[:256] for name, part in rows.train.inputs.items()})",
            f"train(network, rows, {trial.cut}, plan.epochs)",
        ]
    else:
        lines.append("train(network, rows, plan.epochs)")
    if not trial.folds:
        steps = "\n".join(lines).replace("rows", "data")
        return f"{steps}\nprint(final_scores([(network, data.validation)], data.spec))"
    function = "def train_network(rows):\n" + textwrap.indent("\n".join([*lines, "return network"]), " " * 4)
    return function + FOLDS


FOLDS = """\n\n
folds = [data.fold(number) for number in range(data.spec.folds)]
trained = [(train_network(fold.unscored()), fold.validation) for fold in folds]
print("cross-validated:", final_scores(trained, data.spec))
network = train_network(data.whole())  # the model that the study exports"""


def _start(trial: TrialCode, imports: Imports) -> list[str]:
    """Lines that make the network that training starts with."""
    if trial.parent:
        imports.add("lepton_automl.models.load", "lepton_automl.compression.shrink.shrink", "pathlib.Path")
        return [
            f'network = load(Path("{trial.parent}"))  # the parent, whose weights it inherits',
            "network = shrink(network, recipe, {name: part[:256] for name, part in rows.train.inputs.items()})",
        ]
    imports.add("lepton_automl.models.build")
    lines = [f"network = build({'whole' if trial.whole is not None else 'recipe'}, seed=plan.seed)"]
    if trial.starts:
        imports.add("lepton_automl.family.family_named")
        lines.append(
            "family_named(recipe.family).start(network, rows, lambda: None)  # published or solved weights, if it has some"
        )
    return lines
