"""What the commands of `lepton` share: the application, common arguments and common output."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from lepton_automl.errors import Complaints, ConfigError

from .usage import Shell

if TYPE_CHECKING:
    from lepton_automl.study.model import StudyModel
    from lepton_automl.study.study import Study

app = typer.Typer(
    cls=Shell,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Searches neural networks for your data and your device, from the most accurate to the fastest.",
)


def _studies(incomplete: str) -> list[str]:
    """The studies whose names begin with what is typed, for completion."""
    from lepton_automl.study_store import StudyStore

    return [name for name in StudyStore().studies if name.startswith(incomplete)]


StudyName = Annotated[
    str, typer.Argument(help="The name of a study; see `lepton list`.", metavar="STUDY", autocompletion=_studies)
]
Trust = Annotated[bool, typer.Option("--trust", help="Allow the code in this study to run here; the answer is remembered.")]
TrialNumber = Annotated[int | None, typer.Option("--trial", help="The number of a finished trial; default: the chosen model.")]
AnyTrial = Annotated[int | None, typer.Option("--trial", help="The number of a trial; default: that of the chosen model.")]
MinScore = Annotated[float | None, typer.Option(help="Use the fastest model with at least this score (or at most this error).")]
MaxLatency = Annotated[float | None, typer.Option(help="Use the model with the best score within this latency, in ms.")]
Knee = Annotated[
    bool, typer.Option("--knee", help="Use the knee of the front, beyond which a better score costs much more time.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def opened(study: str) -> Study:
    """The study with this name, with a warning if its journal is damaged."""
    from lepton_automl.study.study import open_study

    handle = open_study(study)
    with quietly():
        damage = handle.client.damage
    if damage:
        print(f"warning: {study}: {damage}", file=sys.stderr)
    return handle


def check_choice(
    where: str, trial: int | None, min_score: float | None = None, max_latency_ms: float | None = None, *, knee: bool = False
) -> None:
    """Check that a command line names a trial or what a model must reach, not both.

    Raises:
        ConfigError: It names both.
    """
    if trial is not None and (min_score is not None or max_latency_ms is not None or knee):
        what = "--trial names a model, so --min-score, --max-latency-ms and --knee have nothing to choose"
        raise ConfigError(what, where=where, fix="Leave out --trial, or the others.")


def picked(
    handle: Study,
    trial: int | None,
    min_score: float | None = None,
    max_latency_ms: float | None = None,
    *,
    knee: bool = False,
) -> StudyModel:
    """The model that the options of a command name; by default the chosen one.

    Raises:
        ConfigError: A trial is named, and a wish as well.
        LimitError: No model on the front qualifies.
    """
    check_choice(handle.name, trial, min_score, max_latency_ms, knee=knee)
    if trial is None:
        return handle.best(max_latency_ms=max_latency_ms, min_score=min_score, knee=knee)
    return handle.model(trial)


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Suppress the warning about a damaged journal, which the command line prints itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def listed(text: str | None) -> tuple[str, ...]:
    """The parts of a comma-separated text."""
    return tuple(part.strip() for part in text.split(",") if part.strip()) if text else ()


def named_values(texts: list[str], where: str, example: str) -> dict[str, str]:
    """Values by name, from `NAME=VALUE`.

    Args:
        texts: What the user gave.
        where: The command or option, for messages.
        example: One that is right.

    Raises:
        ConfigError: Some have no value; all are listed.
    """
    complaints, pairs = Complaints(where), [text.partition("=") for text in texts]
    for text, (_, _, value) in zip(texts, pairs, strict=True):
        complaints.check(bool(value.strip()), f"{text!r} has no value", f"Give NAME=VALUE, such as {example}.")
    complaints.raise_any()
    return {name.strip(): value.strip() for name, _, value in pairs}


def print_front(handle: Study, *, merged: bool = False) -> None:
    """Print the front as a table, with the models that are merged into it if requested, or why there is none."""
    from rich.console import Console

    from lepton_automl.no_model_advice import NONE
    from lepton_automl.reporting.narrative import corrected_sentence
    from lepton_automl.reporting.terminal import WIDE, front_table
    from lepton_automl.texts import many

    if not handle.state.front():
        print(handle.state.ended.reason if handle.state.ended else f"{NONE} yet")
        return
    console = Console(highlight=False)

    def say(text: str) -> None:
        """Print a sentence, wrapped between words in a terminal."""
        console.print(text, markup=False, soft_wrap=not console.is_terminal)

    width = console.width if console.is_terminal else WIDE  # what is piped is whole
    console.print(front_table(handle.state, limit=None, merged=merged, width=width))
    say("* the chosen model: the fastest whose score is as good as the best one, as far as that is known")
    if expected := corrected_sentence(handle.state):
        say(expected)
    if handle.state.merged and not merged:
        say(
            f"{many(len(handle.state.merged), 'more model')} differ too little from one of these: lepton front {handle.name} --merged"
        )


def show_end(study: Study) -> None:
    """Print the result of a search: the front, the chosen model and how to load it."""
    from lepton_automl.reporting.tables import tested_interval, with_interval
    from lepton_automl.tracking.secrets import masked

    model = study.best()  # raises if there is none
    print_front(study)
    metric = study.state.settings.metric
    print(f"\nchosen: {model}")
    if model.test_scores:
        ends = tested_interval(study.state, study.state.trial(model.number))
        print(f"test {metric} of the chosen model: {with_interval(f'{model.test_scores[metric]:.4f}', ends)}")
    if study.state.registered:
        print(f"load it anywhere: mlflow.pyfunc.load_model('models:/{study.name}@champion')")
        print(f"  with MLFLOW_TRACKING_URI={masked(study.tracking.uri)}")
    print(f"see all trials: lepton ui {study.name}")
