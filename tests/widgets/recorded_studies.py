"""Studies whose journals were written by hand, one with names that could break a page, and what widgets show of them."""

from __future__ import annotations

import builtins
import sys
from html.parser import HTMLParser

from lepton_automl.events import (
    HostBenchmarked,
    HyperparametersRanked,
    Noted,
    StudyEnded,
    StudyStarted,
    TrialEnded,
    TrialProposed,
)
from lepton_automl.jobs import TrialResult
from lepton_automl.journal import Journal
from lepton_automl.space import Categorical, Space
from lepton_automl.study.study import Study
from lepton_automl.study_store import StudyStore
from tests.samples import (
    benchmarked_host,
    config,
    image_spec,
    trial_events,
)

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    '"><svg/onload=alert(3)>',
    "' onmouseover='alert(4)",
    "javascript:alert(5)",
    '<a href="javascript:alert(6)">x</a>',
    "<iframe srcdoc='<script>alert(7)</script>'>",
    "</style><script>alert(8)</script>",
    "<b>bold</b><br>",
    "&lt;script&gt;alert(9)&lt;/script&gt;",
    "{{constructor.constructor('alert(10)')()}}",
    "%{customdata}<extra></extra>",
    "$\\href{javascript:alert(11)}{x}$",
    "x" * 5000,
    "\u202egnp.exe\u202c",
    "عربى עברית",
    "👩‍👩‍👧‍👦 🏳️‍🌈",
    "null\x00bell\x07escape\x1b[31m\x9b",
    "line\nbreak\ttab\r\u2028\u2029",
    "\ud800 half",
]
PNG = b"\x89PNG"
ALLOWED = {"href": ("http://127.0.0.1:",), "src": ("data:image/png;base64,",)}


def lived(tmp_path, models, *, ended=True, **changes):
    """A study whose journal was written by hand."""
    home = StudyStore(tmp_path)
    folder = home.path("sample")
    folder.mkdir(parents=True)
    journal = Journal(folder / "journal.jsonl")
    journal.append(StudyStarted(at=0.0, config=config(**changes)), durable=False)
    journal.append(HostBenchmarked(at=1.0, benchmark=benchmarked_host(), epochs=8), durable=False)
    for number, (score, latency) in enumerate(models):
        for event in trial_events(number, score, latency, at=10.0 * number):
            journal.append(event, durable=False)
    if ended:
        journal.append(StudyEnded(at=100.0, reason="done", chosen=0), durable=False)
    return Study("sample", home), journal


MODELS = [(0.9, 1.0), (0.8, 0.1), (0.7, 0.5)]


def texts(dashboard):
    """The HTML of every widget of a dashboard, with each of its tabs opened."""
    import ipywidgets as w

    from lepton_automl.widgets.view import descendants

    for at in range(len(dashboard.views)):
        dashboard.tabs.selected_index = at
    return [one.value for one in descendants(dashboard) if isinstance(one, w.HTML)]


def without_ipywidgets(monkeypatch):
    """As on a machine where it is not installed."""
    for name in [name for name in sys.modules if name.startswith("lepton_automl.widgets")]:
        monkeypatch.delitem(sys.modules, name)
    real = builtins.__import__

    def missing(name, *rest, **more):
        if name == "ipywidgets":
            raise ImportError("No module named 'ipywidgets'", name="ipywidgets")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)


class Tags(HTMLParser):
    """Collects what a browser would make of a text."""

    def __init__(self):
        super().__init__()
        self.bad = []

    def handle_starttag(self, tag, attrs):
        if tag in {"script", "iframe", "object", "embed", "form", "base", "meta"}:
            self.bad.append(tag)
        for name, value in attrs:
            starts = ALLOWED.get(name)
            if name.startswith("on") or name == "srcdoc" or (starts and not (value or "").startswith(starts)):
                self.bad.append(f"{tag} {name}={value}")


def harmless(text):
    found = Tags()
    found.feed(text)
    return not found.bad and not any(mark in text for mark in "\x00\x07\x1b\x9b\u202e\u202c\ud800")


def hostile(home):
    """A study in which every name is hostile; some of its trials are complete."""
    spec = image_spec().replace(name=HOSTILE[0], target=HOSTILE[1])
    hyperparameters = {f"model.{text}": Categorical(text, "plain", default=text) for text in HOSTILE}
    study, journal = lived(home, MODELS, ended=False, spec=spec, space=Space(hyperparameters=hyperparameters))
    for number, text in enumerate(HOSTILE, len(MODELS)):
        drawn = {f"model.{text}": text}
        journal.append(TrialProposed(at=50.0, trial=number, uid=text, config=drawn, recipe={"family": text}, origin=text))
        if number % 2:
            failed = TrialResult(trial=number, status="failed", reason=text, traceback=text, recipe={"family": text})
            journal.append(TrialEnded(at=51.0, result=failed))
        else:
            for event in trial_events(number, 0.9 + number / 1000, 1.0 + number / 10, at=51.0)[1:]:
                journal.append(event)
        journal.append(Noted(at=52.0, text=text))
    shares = {f"model.{text}": 1 / (at + 2) for at, text in enumerate(HOSTILE)}
    journal.append(HyperparametersRanked(at=53.0, shares={"score": shares}, trials={"score": 9}, ends=20))
    return study


def hostile_answers(classes=HOSTILE):
    """A model's answers for hostile labels."""
    from lepton_automl.error_analysis import ClassScore, ErrorAnalysis, Example

    scores = tuple(ClassScore(label=text, rows=2, answered=2, right=1) for text in classes)
    worst = tuple(
        Example(row=n, truth=text, answer=text, loss=1.0, picture=text, cells={text: text}) for n, text in enumerate(HOSTILE)
    )
    return ErrorAnalysis(
        trial=0, split="validation", rows=9, task="multiclass", target="y", scores={}, worst=worst, classes=scores,
        confusion=((0, 1, 1),),
    )  # fmt: skip


def hostile_importance(**changes):
    """The importance of columns with hostile names."""
    from lepton_automl.permutation_importance import PartImportance, PermutationImportance

    parts = tuple(PartImportance(name=text, drop=0.1, deviation=0.01) for text in HOSTILE)
    importance = PermutationImportance(
        trial=0, split="validation", metric=HOSTILE[1], score=0.9, rows=9, split_rows=9, repeats=1, parts=parts,
        picture=HOSTILE[2], left_out=HOSTILE[:2], left_out_drop=0.1,
    )  # fmt: skip
    return importance.replace(**changes)
