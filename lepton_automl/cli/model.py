"""Commands about the models of a study."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from .shared import Json, StudyName, app, opened, print_front


@app.command()
def front(study: StudyName, as_json: Json = False) -> None:
    """Show the front: every model worth having."""
    handle = opened(study)
    if as_json:
        print(json.dumps(_front_json(handle)))
        return
    print_front(handle)


def _front_json(handle: Any) -> dict[str, Any]:
    from lepton_automl.reporting.tables import front_json

    return front_json(handle.state)


@app.command()
def predict(
    study: StudyName,
    file: Annotated[str, typer.Argument(help="A picture or a folder of them; a table, or one row as JSON.")],
    max_latency_ms: Annotated[float | None, typer.Option(help="Take the best model this fast.")] = None,
    proba: Annotated[bool, typer.Option("--proba", help="Probabilities, as a line of JSON for each answer.")] = False,
) -> None:
    """Predict with a study's chosen model, an answer a line."""
    from lepton_automl.deployment.command import answer_lines, read_examples

    handle = opened(study)
    model = handle.best(max_latency_ms=max_latency_ms)
    rows = read_examples(file, model.predictor.preprocess)
    for line in answer_lines(model.predictor, rows, proba=proba):
        print(line)


@app.command()
def bottleneck(
    study: StudyName,
    trial: Annotated[int | None, typer.Option(help="A finished trial's number; by default the chosen model.")] = None,
    tries: Annotated[int, typer.Option(help="How many changes are made and timed.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Write the report with its picture here, as one HTML page.")] = None,
    as_json: Json = False,
) -> None:
    """Say where the time of a model goes, what binds it, and what one change would gain."""
    from lepton_automl.reporting.tables import bottleneck_lines

    handle = opened(study)
    model = handle.best() if trial is None else handle.models[trial]
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
        print(f"\nThe picture: {out}")


@app.command()
def report(
    study: StudyName,
    out: Annotated[Path | None, typer.Option(help="The file; by default report.html in the study's folder.")] = None,
) -> None:
    """Write the report: what was asked, what was found and why, as one HTML page that needs no network."""
    print(opened(study).report.write(out))


@app.command()
def export(
    study: StudyName,
    out: Annotated[Path, typer.Option(help="A new folder.")],
    max_latency_ms: Annotated[float | None, typer.Option(help="Take the best model this fast.")] = None,
    key: Annotated[Path | None, typer.Option(help="Sign it with the Ed25519 key in this PEM file.")] = None,
) -> None:
    """Write the chosen model as a bundle that runs with NumPy and its runtime alone."""
    folder = opened(study).best(max_latency_ms=max_latency_ms).export(out, key=key)
    print(f"{folder}\nTry: python {folder / 'predict.py'} INPUT")
