"""A trial as code: a short script or notebook that trains exactly its network."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING

from lepton_automl import families
from lepton_automl.data.store import load_spec
from lepton_automl.errors import ConfigError, StudyError
from lepton_automl.family import SolvedFamily, StartingFamily, family_named
from lepton_automl.jobs import TrialJob
from lepton_automl.specs import InputSpec
from lepton_automl.state import StudyState
from lepton_automl.task import metrics_of
from lepton_automl.texts import many
from lepton_automl.trial import Trial

from .bottleneck import job_of
from .code_custom import custom_cells
from .code_ensemble import ensemble_cells
from .code_script import TrialCode, script_cells

if TYPE_CHECKING:
    from .client import StudyClient

ENDINGS = (".py", ".ipynb")


def trial_code(study: StudyClient, trial: int, out: str | Path | None = None) -> str:
    """The code that trains a trial's network; `Study.code` and `Model.code` are the usual ways.

    Args:
        study: The study.
        trial: The trial's number.
        out: A file to write, which ends in `.py` or `.ipynb`; None to write none.

    Returns:
        The script.

    Raises:
        ConfigError: There is no such trial; or the file has another ending, has other content already (it may have been
            edited), or cannot be written.
    """
    file = None if out is None else Path(out).expanduser()
    if file is not None and file.suffix not in ENDINGS:
        fix = f"Give a name that ends in .py or .ipynb, such as trial_{trial}.py."
        raise ConfigError(f"{file} ends in {file.suffix or 'nothing'}", where="code", fix=fix)
    known = study.state.trial(trial)
    cells = _cells(study, known)
    script = joined(cells)
    if file is not None:
        _write(file, script if file.suffix == ".py" else notebook(cells))
    return script


def _write(file: Path, content: str) -> None:
    """Write a file; code that somebody may have edited is not replaced."""
    try:
        if file.exists() and file.read_bytes() != content.encode():
            fix = "Give another file, or delete this one: it may contain your own changes."
            raise ConfigError(f"{file} exists and has other content", where="code", fix=fix)
        file.write_text(content, encoding="utf-8")
    except OSError as error:
        what = f"{file} cannot be written: {error.strerror}"
        raise ConfigError(what, where="code", fix="Give a file in a folder that you may write to.") from error


def _cells(study: StudyClient, trial: Trial) -> list[str]:
    if study.state.host_benchmark is None:  # lost from the journal
        fix = f"Repair it with lepton repair {study.name}, or search again."
        raise StudyError("the study's journal lacks what its trials were started with", where=study.name, fix=fix)
    job = job_of(study, trial)
    head = tuple(_head(study.state, trial, job))
    own_metric = (study.name, str(study.home.folder.resolve())) if job.data.metric is not None else ()
    if job.factory is not None:
        return custom_cells(job, head, epochs=_epochs(trial, job, 0), study=own_metric)
    if trial.is_ensemble:
        members = trial.proposed.members
        return ensemble_cells(
            job, head, bundles=[str(study.twin(member)) for member in members], weights=_weights(trial), study=own_metric
        )
    config, spec = job.config, job.data
    recipe, whole = families.final_recipe(config, spec, job.prune), families.full_recipe(config, spec)
    family, child = family_named(recipe.family), trial.is_child
    plan = families.plan_of(config, job.train, spec)
    pruned = recipe != whole and not child
    cut = families.prune_plan_of(config, job.prune).cut_epoch(plan.epochs) if pruned else 0
    code = TrialCode(
        head=head,
        folder=spec.folder,
        recipe=recipe,
        whole=whole if pruned else None,
        plan=plan.replace(epochs=_epochs(trial, job, cut)),
        cut=cut,
        parent=job.parent or "",
        input=_scaled_input(job),
        study=own_metric,
        starts=isinstance(family, StartingFamily),
        solved=isinstance(family, SolvedFamily) and not family.space(spec),
        folds=bool(spec.folds),
        teacher=job.teacher if plan.teacher else None,
    )
    return script_cells(code)


def _weights(trial: Trial) -> list[int]:
    """How often each network of an ensemble counts."""
    assert trial.result is not None
    return list(trial.result.recipe.get("weights", [1] * len(trial.proposed.members)))


def _scaled_input(job: TrialJob) -> InputSpec | None:
    """The input of the trial's network if it differs from that of the prepared data."""
    return None if job.data.input == load_spec(Path(job.data.folder)).input else job.data.input


def _epochs(trial: Trial, job: TrialJob, cut: int) -> int:
    """The epochs that one training of the trial took; those of the plan if it did not get far enough."""
    counted = not job.data.folds and trial.epochs > cut  # with folds, the trial's epochs are those of all trainings
    return trial.epochs if counted else job.train.epochs


def _head(state: StudyState, trial: Trial, job: TrialJob) -> list[str]:
    """Lines about the trial: what it reached, how it differs from a plain training, how to use the script."""
    from lepton_automl import __version__

    settings, name = state.settings, state.settings.name
    result = trial.result
    rows = "cross-validated" if job.data.folds else "on the validation rows"
    if result is not None and result.scores:
        reached = f"{settings.metric} {result.scores[settings.metric]:.4f} {rows}"
    else:
        reached = "running" if trial.status == "running" else f"{trial.status}, without a final score"
    lines = [f"Trial {trial.number} of the study {name} as code: {reached}."]
    lines.append(
        f"Written by `lepton code {name} --trial {trial.number}`, lepton_automl {__version__}. "
        + ("" if trial.is_ensemble else "It trains the same network on the same rows and prints its scores. ")
        + "Edit what you like."
    )
    if trial.is_ensemble:
        first, *others = trial.proposed.members
        named = f"{', '.join(map(str, (first, *others[:-1])))} and {others[-1]}"
        lines.append(
            f"It averages the networks of trials {named}, which are read from the study; `lepton code {name} --trial {first}` trains the first."
        )
    if trial.is_child:
        lines.append(
            f"The network starts from the weights of trial {trial.proposed.parent}, pruned; `lepton code {name} --trial {trial.proposed.parent}` trains that one."
        )
    if result is not None and result.reason and not trial.is_packed:
        lines.append(f"The trial ended early: {result.reason}. The script trains on.")
    elif 0 < trial.epochs < job.train.epochs and not job.data.folds and not trial.is_ensemble:
        lines.append(f"It trained for {many(trial.epochs, 'epoch')} of at most {job.train.epochs}.")
    if trial.accelerated is not None and result is not None and trial.scores != result.scores:
        lines.append(f"Its exported file, {trial.variant.name}, has {settings.metric} {trial.scores[settings.metric]:.4f}.")
    if trial.refitted is not None:
        lines.append(
            "The model that the study exports was trained again on more rows, with these settings: "
            "that is data.whole() in place of data. This script makes its twin, which has the scores."
        )
    if trial.proposed.config.get(families.TEACHER):
        lines.append("It also learns from the answers of a teacher.")
    if settings.metric not in metrics_of(job.data):
        lines.append(f"The metric {settings.metric} is user-defined.")
    return lines


def joined(cells: list[str]) -> str:
    """The parts of a script as one text: two empty lines around classes and functions, one elsewhere."""
    text = cells[0]
    for before, cell in itertools.pairwise(cells):
        apart = any("\n" + word in "\n" + part for part in (before, cell) for word in ("class ", "def "))
        text += ("\n\n\n" if apart else "\n\n") + cell
    return text + "\n"


def notebook(cells: list[str]) -> str:
    """A notebook of a docstring and code cells, as JSON."""
    first, *rest = cells
    title, _, text = first.strip('"').partition("\n")
    shown = [_cell("markdown", 0, f"# {title}\n{text}".rstrip()), *(_cell("code", at, cell) for at, cell in enumerate(rest, 1))]
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    content = {"cells": shown, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _cell(kind: str, number: int, text: str) -> dict[str, object]:
    code: dict[str, object] = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": text.splitlines(keepends=True), **code}
