"""Sections of the report about the study: the request, how to reproduce it, how to run the model."""

from __future__ import annotations

import base64
import json
import time

from lepton_automl.events import StudyStarted
from lepton_automl.modality import modality_of
from lepton_automl.state import StudyState
from lepton_automl.task import task_of
from lepton_automl.texts import join_words, many

from . import narrative
from .context import Figures, ReportContext
from .labels import clean, html_text
from .page import Html, bullet_list, code, collapsible, facts, paragraph, section, table
from .tables import chosen_trial


def request(context: ReportContext, figures: Figures) -> Html:
    """The request."""
    del figures
    settings = context.state.settings
    data, deployment = settings.data, settings.deployment
    limits = [
        f"{deployment.max_latency_ms:g} ms per call" if deployment.max_latency_ms else "",
        narrative.format_size(deployment.max_size_bytes) if deployment.max_size_bytes else "",
    ]
    objectives = [f"{goal.direction} {settings.metric if goal.is_score else goal.title}" for goal in settings.objectives]
    known = facts(
        [
            ("data", f"{data.name}: {data.train:,} training rows, {data.validation:,} validation, {data.test:,} held-out test"),
            (
                "input",
                modality_of(data).row(data),
            ),
            ("target", f"{clean(data.target)}: {task_of(data).extent(data)}"),
            ("objectives", join_words(objectives)),
            (
                "runs on",
                f"{deployment.device}, {deployment.threads} thread{'s' * (deployment.threads > 1)}, {deployment.batch_size:,} row{'s' * (deployment.batch_size > 1)} per call",
            ),
            ("hard limits", " and ".join(filter(None, limits)) or "none"),
            ("budget", narrative.budget(context.state)),
        ]
    )
    warned = bullet_list([*data.warnings, *(note.text for note in context.state.notes if note.level != "info")][:12])
    return section("asked", "What was requested", known, collapsible("What was inferred from the data", bullet_list(data.notes)) if data.notes else "",
                   f"<h3>Possible problems</h3>{warned}" if warned else "")  # fmt: skip


def notes(context: ReportContext, figures: Figures) -> Html:
    """The notes by people, in the order written; nothing if there are none."""
    del figures
    known = context.state.user_notes
    if not known:
        return Html("")
    rows = (
        [
            time.strftime("%Y-%m-%d %H:%M", time.localtime(note.at)),
            "" if note.trial is None else f"trial {note.trial}",
            Html("<br>".join(html_text(line, 1000) for line in note.text.splitlines())),
        ]
        for note in known
    )
    return section("notes", "Notes", table(["when", "about", "note"], rows))


def reproduction(context: ReportContext, figures: Figures) -> Html:
    """What is needed to reproduce the study."""
    del figures
    state = context.state
    settings, started = state.settings, state.started
    hyperparameters = table(
        ["hyperparameter", "range", "default"],
        (
            [name, clean(hyperparameter.describe(), 80), str(hyperparameter.default)]
            for name, hyperparameter in settings.space.items()
        ),
    )
    return section(
        "again",
        "How to reproduce it",
        facts(
            [
                ("data (SHA-256 of its content)", settings.data.digest),
                ("seed", str(settings.seed)),
                ("sampler", settings.sampler),
                ("epochs per trial", settings.train.epochs),
                ("machine", _machine(started) if started else ""),
                ("processor", state.host_benchmark.benchmark.host if state.host_benchmark else ""),
                ("git commit", _work_tree(started) if started else ""),
                ("versions", ", ".join(f"{name} {version}" for name, version in started.versions.items()) if started else ""),
            ]
        ),
        collapsible(f"The {len(settings.space)} hyperparameters and their ranges", hyperparameters),
        collapsible("The complete request as JSON", code(_settings(state))),
    )


def _machine(started: StudyStarted) -> str:
    """The machine as a line."""
    known = started.machine
    context = [known.get("name", ""), known.get("system", "")]
    context += [many(int(known["cores"]), "core")] if known.get("cores", "").isdecimal() else []
    context += [f"{known['memory']} of memory"] if known.get("memory") else []
    return ", ".join(filter(None, context))


def _work_tree(started: StudyStarted) -> str:
    """The git commit of the work tree that the study was started from; empty outside of one."""
    git = started.git
    if not git.get("commit"):
        return ""
    branch = f", branch {git['branch']}" if git.get("branch") else ""
    return f"{git['commit']}{branch}" + (", with uncommitted changes" if git.get("dirty") == "true" else "")


def _settings(state: StudyState) -> str:
    request = state.settings.to_json()
    return json.dumps(
        {name: request[name] for name in request if name not in {"space", "prior_trials"}}, indent=1, ensure_ascii=True
    )


def usage(context: ReportContext, figures: Figures) -> Html:
    """How to run the chosen model."""
    del figures
    state = context.state
    number = chosen_trial(state)
    if number is None:
        return Html("")
    name, usage = state.settings.name, modality_of(state.settings.data).usage
    shell, example = usage.file, usage.python
    registered = next((known for known in reversed(state.registered) if state.shown in (None, known.trial)), None)
    trial = "" if state.shown is None else f" --trial {number}"
    opened = f'open_study("{name}").' + ("best()" if state.shown is None else f"model({number})")
    mlflow = (
        f'import mlflow\n\nmodel = mlflow.pyfunc.load_model("models:/{registered.model}@{registered.alias}")\nmodel.predict({example})'
        if registered
        else ""
    )
    return section(
        "run",
        "How to run it",
        "<h3>Python</h3>",
        code(f"from lepton_automl import open_study\n\nmodel = {opened}\nmodel.predict({example})"),
        "<h3>Shell</h3>",
        code(f"lepton predict {name} {shell}{trial}"),
        "<h3>Anywhere, without this package or PyTorch</h3>",
        code(
            f"lepton export {name}{trial} --out my-model\ncd my-model\npip install -r requirements.txt\npython predict.py {shell}"
        ),
        *(["<h3>MLflow</h3>", code(mlflow)] if mlflow else []),
        *_editable(context, number),
        paragraph("The bundle's model card (README.md in the bundle) states what the model is for and its limits."),
    )


def _editable(context: ReportContext, number: int) -> list[Html]:
    """The script that trains the network, to read and to save."""
    if not context.code:
        return []
    file, name = f"trial_{number}.py", context.state.settings.name
    content = base64.b64encode(context.code.encode()).decode()
    link = Html(f'<a download="{file}" href="data:text/x-python;base64,{content}">{file}</a>')
    return [
        Html("<h3>As code</h3>"),
        paragraph(
            "This short script trains the network again, on the machine where the study is. It is there to be edited:",
            Html(f"{link}."),
        ),
        code(f"lepton code {name} --trial {number} --out {file}"),
        collapsible("The script", code(context.code)),
    ]
