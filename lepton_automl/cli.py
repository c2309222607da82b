"""The doorbell: `lepton`. Every command is a few lines over what Python offers; imports wait until they are needed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from .errors import LeptonError, StudyError
from .preprocess import InputError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Finds every network worth having for your data and your device, from most accurate to fastest.",
)

Study = Annotated[str, typer.Argument(help="The study's name; `lepton list` shows all.", metavar="STUDY")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")]


def main() -> None:
    """Run the command line; what goes wrong is said in a few lines, with exit code 1."""
    try:
        app()
    except (LeptonError, InputError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


@app.command()
def demo(
    minutes: Annotated[float, typer.Option(help="Minutes of search.")] = 2.0,
    name: Annotated[str | None, typer.Option(help="The study's name; digits, digits-2, … if none is given.")] = None,
) -> None:
    """Search small networks for scikit-learn's handwritten digits, with no download, and open the sealed test."""
    from .api import AutoML
    from .data.demo import digits
    from .home import Home
    from .values import Budget, Target

    # A page of digits a call: one digit alone costs ten microseconds of calling, whatever the network.
    page = Target(batch_size=256)
    study = AutoML(name=name or Home().free_name("digits"), target=page, budget=Budget(minutes=minutes))
    study.fit(*digits())
    study.evaluate_test()
    _show_end(study)
    print("\nTry next:")
    print(f"  lepton front {study.name}")
    print(f"  lepton export {study.name} --out my-model")
    print("  lepton ui")


@app.command()
def search(  # noqa: PLR0917  # options of the shell, which are named there
    data: Annotated[str, typer.Argument(help="A folder or zip of images, a CSV or Parquet file, a folder of idx files.")],
    target: Annotated[str | None, typer.Option(help="The column to predict.")] = None,
    name: Annotated[str | None, typer.Option(help="The study's name.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Minutes of search; 10 if no budget is given.")] = None,
    trials: Annotated[int | None, typer.Option(help="Trials at most.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Training epochs over all trials; none starts after them.")] = None,
    metric: Annotated[str | None, typer.Option(help="The score.")] = None,
    max_latency_ms: Annotated[float | None, typer.Option(help="Hard limit on one call, in milliseconds.")] = None,
    max_size_kb: Annotated[float | None, typer.Option(help="Hard limit on the model file, in kilobytes.")] = None,
    threads: Annotated[int, typer.Option(help="Threads of one call on the target.")] = 1,
    batch_size: Annotated[int, typer.Option(help="Rows of one call on the target.")] = 1,
    workers: Annotated[int | None, typer.Option(help="Worker processes.")] = None,
    seed: Annotated[int, typer.Option(help="Seeds everything.")] = 0,
    split_column: Annotated[str | None, typer.Option(help="A column that says train, validation or test.")] = None,
    group_column: Annotated[str | None, typer.Option(help="Rows of one group stay in one split.")] = None,
    time_column: Annotated[str | None, typer.Option(help="Later rows are tested on earlier ones.")] = None,
    ignore: Annotated[str | None, typer.Option(help="Columns to leave out, separated by commas.")] = None,
    categorical: Annotated[str | None, typer.Option(help="Columns that are categories, separated by commas.")] = None,
    class_weight: Annotated[str | None, typer.Option(help="`balanced`, for rare classes.")] = None,
    test: Annotated[bool, typer.Option("--test", help="Open the sealed test at the end.")] = False,
) -> None:
    """Search networks for your data."""
    from .api import AutoML
    from .values import Budget, Target

    budget = (
        Budget(minutes=10) if minutes is trials is epochs is None else Budget(minutes=minutes, trials=trials, epochs=epochs)
    )
    size = None if max_size_kb is None else round(max_size_kb * 1000)
    device = Target(threads=threads, batch_size=batch_size, max_latency_ms=max_latency_ms, max_size_bytes=size)
    study = AutoML(
        name=name, target=device, budget=budget, metric=metric, workers=workers, seed=seed, class_weight=class_weight
    )
    options: dict[str, Any] = {
        "split_column": split_column,
        "group_column": group_column,
        "time_column": time_column,
        "ignore": _listed(ignore),
        "categorical": _listed(categorical),
    }
    study.fit(data, target=target, **{key: value for key, value in options.items() if value})
    if test:
        study.evaluate_test()
    _show_end(study)


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip()) if text else ()


@app.command(name="list")
def list_studies() -> None:
    """List all studies."""
    from .home import Home
    from .service.study import Study as Handle

    home = Home()
    if not home.studies:
        print(f"There are no studies in {home.folder}. Start with: lepton demo")
    for name in home.studies:
        try:
            state = Handle(name, home).state
            models, status = len(state.front()), _standing(state, home, name)
        except LeptonError as error:
            print(f"{name}: {error.what}")
        else:
            print(f"{name}: {len(state.trials)} trials, {models} models on the front, {status}")


def _standing(state: Any, home: Any, name: str) -> str:
    """Whether a study ended, and how."""
    if state.ended:
        return f"ended: {state.ended.reason}"
    return "running" if home.running(name) else "broken off"


@app.command()
def status(study: Study, as_json: Json = False) -> None:
    """Say how a study stands."""
    handle = _open(study)
    state = handle.state
    counts: dict[str, int] = {}
    for trial in state.trials.values():
        counts[trial.status] = counts.get(trial.status, 0) + 1
    if as_json:
        ended = state.ended.reason if state.ended else None
        print(
            json.dumps({"study": study, "trials": counts, "epochs": state.epochs, "front": len(state.front()), "ended": ended})
        )
        return
    print(f"{study}: {_standing(state, handle.home, study)}")
    print(", ".join(f"{number} {name}" for name, number in sorted(counts.items())) or "no trials yet")
    print(f"{state.epochs} epochs trained; {len(state.front())} models on the front")


@app.command()
def front(study: Study, as_json: Json = False) -> None:
    """Show the front: every model worth having."""
    handle = _open(study)
    if as_json:
        print(json.dumps(_front_json(handle)))
        return
    _print_front(handle)


def _front_json(handle: Any) -> dict[str, Any]:
    from .reporting.tables import front_json

    return front_json(handle.state)


@app.command()
def predict(
    study: Study,
    file: Annotated[str, typer.Argument(help="A picture or a folder of them; a table, or one row as JSON.")],
    max_latency_ms: Annotated[float | None, typer.Option(help="Take the best model this fast.")] = None,
    proba: Annotated[bool, typer.Option("--proba", help="Probabilities, as a line of JSON for each answer.")] = False,
) -> None:
    """Predict with a study's chosen model, an answer a line."""
    from .data.reading import is_table_path, read_table
    from .deployment.predictor import answer_lines, read_examples

    handle = _open(study)
    model = handle.best(max_latency_ms=max_latency_ms)
    table = handle.state.settings.data.modality == "table" and is_table_path(Path(file))
    rows = read_table(Path(file)) if table else read_examples(file, handle.state.settings.data.modality)
    for line in answer_lines(model.predictor, rows, proba=proba):
        print(line)


@app.command()
def export(
    study: Study,
    out: Annotated[Path, typer.Option(help="A new folder.")],
    max_latency_ms: Annotated[float | None, typer.Option(help="Take the best model this fast.")] = None,
) -> None:
    """Write the chosen model as a bundle that runs with numpy and onnxruntime alone."""
    folder = _open(study).best(max_latency_ms=max_latency_ms).export(out)
    print(f"{folder}\nTry: python {folder / 'predict.py'} INPUT")


@app.command()
def delete(study: Study, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Delete a study: its journal, its models and its runs in MLflow."""
    from .home import Home
    from .service.remove import remove

    home = Home()
    if not home.path(study).exists():
        _open(study)  # says that there is none, and which there are
    if home.running(study):
        raise StudyError("the study is running", where=study, fix="Interrupt its search first.")
    size = home.size(study) / 1e6
    if not yes and not typer.confirm(f"Delete {study} ({size:.1f} MB)?"):
        raise typer.Abort
    remove(study, home)
    print(f"{study} is deleted; {size:.1f} MB are free again. Models that were registered stay in the registry.")


@app.command()
def ui(port: Annotated[int, typer.Option(help="Port of the page.")] = 5000) -> None:
    """Open the MLflow UI on the store."""
    import subprocess

    from .home import Home
    from .tracking.registry import ui_command

    sys.exit(subprocess.call(ui_command(Home().folder, port)))


def _open(study: str) -> Any:
    from .api import AutoML

    return AutoML.attach(study)


def _print_front(handle: Any) -> None:
    from rich.console import Console

    from .reporting.terminal import front_table

    Console(highlight=False).print(front_table(handle.state, limit=None))
    print("* chosen: the knee, where no limit is asked")


def _show_end(study: Any) -> None:
    """What a person wants to know when a search is over."""
    from .tracking.registry import tracking_uri

    _print_front(study)
    model = study.best()
    metric = study.state.settings.metric
    print(f"\nchosen: {model}")
    if model.test_scores:
        print(f"test {metric} of the chosen model: {model.test_scores[metric]:.4f}")
    if study.state.registered:
        print(f"load it anywhere: mlflow.pyfunc.load_model('models:/{study.name}@champion')")
        print(f"  with MLFLOW_TRACKING_URI={tracking_uri(study.home.folder)}")
    print("see all trials: lepton ui")
