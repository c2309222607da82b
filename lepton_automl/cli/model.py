"""Commands about the models of a study."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from lepton_automl.texts import many

from .shared import (
    AnyTrial,
    Json,
    Knee,
    MaxLatency,
    MinScore,
    StudyName,
    TrialNumber,
    app,
    check_choice,
    opened,
    picked,
    print_front,
    show_end,
)
from .source import CONNECTION, SQL, VARIABLE, source_of


@app.command(rich_help_panel="Models")
def front(
    study: StudyName,
    merged: Annotated[
        bool, typer.Option("--merged", help="Also show the models that differ too little from one of the front.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the Pareto front: every model that is credibly better in score or latency than each other one."""
    handle = opened(study)
    if as_json:
        print(json.dumps(_front_json(handle, merged=merged)))
        return
    print_front(handle, merged=merged)


def _front_json(handle: Any, *, merged: bool) -> dict[str, Any]:
    from lepton_automl.reporting.tables import front_json, merged_table

    return front_json(handle.state) | ({"merged": merged_table(handle.state)} if merged else {})


@app.command(rich_help_panel="Models")
def predict(  # noqa: PLR0917  # one parameter an option
    context: typer.Context,
    study: StudyName,
    file: Annotated[
        str | None, typer.Argument(help="An image or a folder of images; a table, or one row as JSON.", metavar="FILE")
    ] = None,
    sql: Annotated[str | None, typer.Option(help=SQL)] = None,
    connection: Annotated[str | None, typer.Option(help=CONNECTION, envvar=VARIABLE)] = None,
    trial: TrialNumber = None,
    min_score: MinScore = None,
    max_latency_ms: MaxLatency = None,
    knee: Knee = False,
    proba: Annotated[
        bool, typer.Option("--proba", help="Print probabilities instead of labels, one line of JSON per row.")
    ] = False,
    coverage: Annotated[
        float | None,
        typer.Option(help="Print sets of labels, or intervals, that hold the truth in this share of rows, such as 0.9."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the predictions to this file, which ends in .csv or .jsonl.")] = None,
) -> None:
    """Predict with a study's chosen model; prints one line per row or image, after its file name for a folder."""
    from lepton_automl.data.sources import opened_examples
    from lepton_automl.deployment.command import answer_lines, example_names

    from .predictions import check_file, save_predictions

    source = source_of(context, "file", file, sql, connection)
    if out is not None:
        check_file(out)
    handle = opened(study)
    model = picked(handle, trial, min_score, max_latency_ms, knee=knee)
    with opened_examples(source, model.predictor.modality, model.predictor.preprocess) as rows:
        names = example_names(source, rows) if isinstance(source, str) else []
        if out is not None:
            count = save_predictions(out, model.predictor, rows, names, proba=proba, coverage=coverage)
            print(f"{out}: {many(count, 'prediction')} of {model}")
            return
        for number, line in enumerate(answer_lines(model.predictor, rows, proba=proba, coverage=coverage)):
            print(f"{names[number]}\t{line}" if names else line)


@app.command(rich_help_panel="Models")
def code(  # noqa: PLR0917  # one parameter an option
    study: StudyName,
    trial: AnyTrial = None,
    min_score: MinScore = None,
    max_latency_ms: MaxLatency = None,
    knee: Knee = False,
    out: Annotated[
        Path | None, typer.Option(help="Write it to this file, which ends in .py or .ipynb; default: print it.")
    ] = None,
) -> None:
    """Write a trial as code: a short script or notebook that trains its network, to run and to edit."""
    check_choice(study, trial, min_score, max_latency_ms, knee=knee)
    handle = opened(study)
    number = picked(handle, None, min_score, max_latency_ms, knee=knee).number if trial is None else trial
    script = handle.code(number, out)
    if out is None:
        print(script, end="")
    else:
        print(f"{out}\nTry: {'jupyter lab' if out.suffix == '.ipynb' else 'python'} {out}")


@app.command(rich_help_panel="Models")
def bottleneck(
    study: StudyName,
    trial: TrialNumber = None,
    tries: Annotated[int, typer.Option(help="Number of changes to build and measure.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Also write the result with its plots to this HTML file.")] = None,
    as_json: Json = False,
) -> None:
    """Show the time of a model layer by layer, what limits it, and what single changes would gain."""
    from lepton_automl.reporting.tables import bottleneck_lines

    handle = opened(study)
    model = picked(handle, trial)
    report = model.bottleneck(tries=tries, progress=not as_json)
    if out is not None:
        report.save(out)
    if as_json:
        print(json.dumps(report.to_json()))
        return
    print(report.text)
    print()
    print("\n".join(bottleneck_lines(report)))
    if out is not None:
        print(f"\nWith plots: {out}")


@app.command(rich_help_panel="Models")
def report(  # noqa: PLR0917  # one parameter an option
    study: StudyName,
    out: Annotated[Path | None, typer.Option(help="The file to write; default: report.html in the study's folder.")] = None,
    trial: TrialNumber = None,
    min_score: MinScore = None,
    max_latency_ms: MaxLatency = None,
    knee: Knee = False,
) -> None:
    """Write a report with the settings, the results and the choice explained: one HTML page that works offline."""
    handle, wish = opened(study), (min_score, max_latency_ms)
    asked = trial is not None or knee or any(limit is not None for limit in wish)
    number = picked(handle, trial, *wish, knee=knee).number if asked else None
    print(handle.report.write(out, trial=number))


@app.command(rich_help_panel="Models")
def export(  # noqa: PLR0917  # one parameter an option
    study: StudyName,
    out: Annotated[Path, typer.Option(help="The folder to create.")],
    trial: TrialNumber = None,
    min_score: MinScore = None,
    max_latency_ms: MaxLatency = None,
    knee: Knee = False,
    key: Annotated[Path | None, typer.Option(help="Sign the bundle with the Ed25519 private key in this PEM file.")] = None,
) -> None:
    """Export the chosen model as a bundle: a folder that needs only NumPy and the runtime of the model to predict."""
    folder = picked(opened(study), trial, min_score, max_latency_ms, knee=knee).export(out, key=key)
    print(f"{folder}\nTry: python {folder / 'predict.py'} INPUT")


@app.command(rich_help_panel="Models")
def refit(
    study: StudyName,
    trial: TrialNumber = None,
    all_rows: Annotated[
        bool, typer.Option("--all-rows", help="Also learn from the test rows, once the test split has been opened.")
    ] = False,
) -> None:
    """Train a model again on training and validation rows, with the settings that the search chose."""
    handle = opened(study)
    model = picked(handle, trial)
    model.refit(rows="all" if all_rows else "validation")
    refitted = handle.state.trial(model.number).refitted
    assert refitted is not None
    print(f"{model.path}\nIt has learned from {refitted.result.learned:,} rows; its scores are those of its twin before that.")


@app.command(rich_help_panel="Models")
def test(study: StudyName) -> None:
    """Open a study's sealed test split, once, and score the models of its front on it."""
    handle = opened(study)
    handle.evaluate_test()
    show_end(handle)


@app.command(rich_help_panel="MLflow")
def register(  # noqa: PLR0917  # one parameter an option
    study: StudyName,
    trial: TrialNumber = None,
    min_score: MinScore = None,
    max_latency_ms: MaxLatency = None,
    knee: Knee = False,
    name: Annotated[str | None, typer.Option(help="The registered model; default: the study's name.")] = None,
    alias: Annotated[str, typer.Option(help="The alias that the version gets.")] = "champion",
) -> None:
    """Register a model of a study as a version in the MLflow registry."""
    model = picked(opened(study), trial, min_score, max_latency_ms, knee=knee)
    version = model.register(name, alias=alias)
    print(f"{name or study} version {version} is {model}; its alias is {alias}.")
