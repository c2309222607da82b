"""Commands that search."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from lepton_automl.errors import Complaints, ConfigError

from .config import read_config
from .shared import app, listed, named_values, show_end
from .source import CONNECTION, SQL, VARIABLE, source_of

# Options in groups of the help.
data_option = partial(typer.Option, rich_help_panel="Data")
budget_option = partial(typer.Option, rich_help_panel="Budget")
deployment_option = partial(typer.Option, rich_help_panel="Deployment")
search_option = partial(typer.Option, rich_help_panel="Search")
study_option = partial(typer.Option, rich_help_panel="Study and MLflow")


@app.command(rich_help_panel="Search")
def demo(
    minutes: Annotated[float, typer.Option(help="Minutes of search.")] = 2.0,
    name: Annotated[str | None, typer.Option(help="The study's name; default: digits, digits-2, …")] = None,
) -> None:
    """Search networks for scikit-learn's handwritten digits, without a download, and evaluate them on the test split."""
    from lepton_automl.api import AutoML
    from lepton_automl.data.demo import digits
    from lepton_automl.specs import Budget, Deployment
    from lepton_automl.study_store import StudyStore

    # A page of digits per call: for one digit, the call alone takes ten microseconds, whatever the network.
    page = Deployment(batch_size=256)
    study = AutoML(name=name or StudyStore().free_name("digits"), deployment=page, budget=Budget(minutes=minutes)).fit(
        *digits()
    )
    if study.stop_signal:
        show_end(study)
        return
    study.evaluate_test()
    show_end(study)
    print("\nTry next:")
    print(f"  lepton front {study.name}")
    print(f"  lepton export {study.name} --out my-model")
    print("  lepton ui")


@app.command(rich_help_panel="Search")
def search(  # noqa: PLR0917  # command-line options, which are passed by name
    context: typer.Context,
    data: Annotated[
        str | None,
        typer.Argument(
            help="A folder or zip file of images, a table's file (CSV, Parquet, Excel and others), or a URL.", metavar="DATA"
        ),
    ] = None,
    config: Annotated[  # noqa: ARG001  # its callback sets the defaults of the other options
        Path | None,
        study_option(
            help="A TOML file with these options by name; see lepton show-config.", callback=read_config, is_eager=True
        ),
    ] = None,
    sql: Annotated[str | None, data_option(help=SQL)] = None,
    connection: Annotated[str | None, data_option(help=CONNECTION, envvar=VARIABLE)] = None,
    target: Annotated[str | None, data_option(help="The column to predict.")] = None,
    task: Annotated[str | None, data_option(help="The task, such as regression or multilabel; default: by the column.")] = None,
    quantiles: Annotated[str | None, data_option(help="Quantiles to predict, such as `0.1,0.5,0.9`.")] = None,
    label_separator: Annotated[str | None, data_option(help="What separates the labels of one row, such as `;`.")] = None,
    split_column: Annotated[
        str | None, data_option(help="The column that holds each row's split: train, validation or test.")
    ] = None,
    split: Annotated[
        str | None,
        data_option(help="Image folders that are splits, such as `Part1=train,Part2=test`; `none`: all folders are classes."),
    ] = None,
    group_column: Annotated[
        str | None, data_option(help="The column of groups; rows of a group stay in the same split.")
    ] = None,
    time_column: Annotated[str | None, data_option(help="The column of times; the latest rows are held out.")] = None,
    sample_weight: Annotated[
        str | None, data_option(help="The column with the rows' weights, in the loss and in scores.")
    ] = None,
    ignore: Annotated[str | None, data_option(help="Columns to ignore, separated by commas.")] = None,
    categorical: Annotated[str | None, data_option(help="Columns to read as categories, separated by commas.")] = None,
    numeric: Annotated[str | None, data_option(help="Columns to read as numbers, separated by commas.")] = None,
    text: Annotated[str | None, data_option(help="Columns to read as free text, separated by commas.")] = None,
    file_column: Annotated[
        str | None, data_option(help="The column of a table that names the files, such as images, to learn from.")
    ] = None,
    file_folder: Annotated[
        str | None, data_option(help="The folder that these names are relative to; default: the table's own.")
    ] = None,
    image_size: Annotated[
        int | None, data_option(help="Height and width of the stored images, in pixels; default: by the images.")
    ] = None,
    folds: Annotated[int | None, data_option(help="Folds of a cross-validation; 0: a validation split.")] = None,
    test_share: Annotated[float | None, data_option(help="Share of the rows for the test split.")] = None,
    missing: Annotated[str | None, data_option(help="Texts that stand for a missing value, separated by commas.")] = None,
    decimal: Annotated[str | None, data_option(help="The decimal separator: `.` or `,`.")] = None,
    dayfirst: Annotated[bool | None, data_option(help="Read 1/2/2024 as the first of February.")] = None,
    target_transform: Annotated[
        str | None, data_option(help="Learn a number's `log` or `sqrt`, `none`, or `auto`; default: by --metric.")
    ] = None,
    class_weight: Annotated[str | None, data_option(help="`balanced` gives rare classes a higher weight.")] = None,
    minutes: Annotated[float | None, budget_option(help="Minutes of search; default: 10, without another budget.")] = None,
    trials: Annotated[int | None, budget_option(help="Maximum number of trials.")] = None,
    epochs: Annotated[int | None, budget_option(help="Maximum number of training epochs, summed over all trials.")] = None,
    cost: Annotated[float | None, budget_option(help="Maximum cost, in the currency of --price.")] = None,
    price: Annotated[list[str] | None, budget_option(help="Price per worker and hour, by device: `cpu=0.04`.")] = None,
    workers: Annotated[int | None, budget_option(help="Maximum number of worker processes; default: one per core.")] = None,
    max_latency_ms: Annotated[float | None, deployment_option(help="Hard limit on the latency of one call, in ms.")] = None,
    max_size_kb: Annotated[
        float | None, deployment_option(help="Hard limit on the size of the model file, in kB (1,000 bytes).")
    ] = None,
    threads: Annotated[int, deployment_option(help="Threads of one call on the deployment device.")] = 1,
    batch_size: Annotated[int, deployment_option(help="Rows or images of one call on the deployment device.")] = 1,
    runtimes: Annotated[
        str | None, deployment_option(help="Allowed runtimes, separated by commas; default: all installed ones.")
    ] = None,
    max_score_drop: Annotated[
        float, deployment_option(help="Maximum loss of score in exchange for a faster runtime or precision.")
    ] = 0.005,
    metric: Annotated[str | None, search_option(help="The score to optimize; default: by task.")] = None,
    objectives: Annotated[
        str, search_option(help="What to optimize, separated by commas: accuracy, latency, size, memory or a plug-in.")
    ] = "accuracy,latency",
    family: Annotated[
        str | None, search_option(help="Network families, separated by commas; default: by the data, after a linear model.")
    ] = None,
    sampler: Annotated[
        str, search_option(help="The algorithm that proposes networks: tpe, gp, nsga2, random, grid or a plug-in.")
    ] = "tpe",
    pretrained: Annotated[
        str, search_option(help="Published weights to start from: auto, none, names separated by commas, or a path.")
    ] = "auto",
    teacher: Annotated[
        str, search_option(help="What networks may also learn from: none, auto (the best models), or the folder of a bundle.")
    ] = "none",
    refit: Annotated[
        str, search_option(help="Whether the chosen model also learns from the validation rows at the end: auto or none.")
    ] = "auto",
    ensemble: Annotated[
        str, search_option(help="Whether the best networks are averaged at the end, in one more model: auto or none.")
    ] = "auto",
    knob: Annotated[
        list[str] | None, search_option(help="A hyperparameter to fix, such as `model.kernel=3`; may be repeated.")
    ] = None,
    grid: Annotated[str | None, search_option(help="The hyperparameters of a grid search, separated by commas.")] = None,
    warm_start: Annotated[str | None, search_option(help="Earlier studies to learn from, separated by commas.")] = None,
    seed: Annotated[int, search_option(help="Random seed of splits, proposals, weights and batches.")] = 0,
    test: Annotated[bool, search_option("--test", help="Evaluate the front on the test split at the end.")] = False,
    name: Annotated[str | None, study_option(help="The study's name; default: derived from the data.")] = None,
    resume: Annotated[bool, study_option("--resume", help="Resume the unfinished study of this name.")] = False,
    detach: Annotated[
        bool, study_option("--detach", help="Run in the background; control it with lepton status, pause and stop.")
    ] = False,
    grace: Annotated[
        float, study_option(help="Seconds in which to register the chosen model after SIGTERM or SIGHUP; not with --detach.")
    ] = 10.0,
    tracking_uri: Annotated[
        str | None, study_option(help="Address of the MLflow store; default: $MLFLOW_TRACKING_URI, else a file in mlruns.")
    ] = None,
    experiment: Annotated[str | None, study_option(help="Name of the MLflow experiment; default: lepton/NAME.")] = None,
) -> None:
    """Search neural networks for your data."""
    from lepton_automl.api import AutoML
    from lepton_automl.specs import Budget, Deployment

    if detach and test:
        raise ConfigError(
            "--test needs a search in the foreground",
            where="--detach",
            fix="Evaluate the test split later: study.evaluate_test().",
        )
    source = source_of(context, "data", data, sql, connection)
    amounts = {"minutes": minutes, "trials": trials, "epochs": epochs, "cost": cost}
    limits = {unit: amount for unit, amount in amounts.items() if amount is not None} or {"minutes": 10}
    budget = Budget(**limits, prices=_prices(price or []))  # type: ignore[arg-type]  # the shell has checked their types
    size = None if max_size_kb is None else round(max_size_kb * 1000)
    device = Deployment(
        threads=threads,
        batch_size=batch_size,
        runtimes=listed(runtimes),
        max_score_drop=max_score_drop,
        max_latency_ms=max_latency_ms,
        max_size_bytes=size,
    )
    automl = AutoML(
        name=name,
        deployment=device,
        budget=budget,
        metric=metric,
        objectives=listed(objectives),
        workers=workers,
        seed=seed,
        class_weight=class_weight,
        family=listed(family) or None,
        sampler=sampler,
        pretrained=pretrained,
        teacher=teacher,
        hyperparameters={name: _setting(text) for name, text in named_values(knob or [], "--knob", "model.kernel=3").items()},
        refit=refit,  # type: ignore[arg-type]  # checked by AutoML
        ensemble=ensemble,  # type: ignore[arg-type]  # likewise
        grid=listed(grid),
        warm_start=listed(warm_start),
        tracking_uri=tracking_uri,
        experiment=experiment,
        progress=not detach,
        grace=grace,
    )
    options: dict[str, Any] = {
        "task": task,
        "quantiles": _numbers("--quantiles", quantiles),
        "label_separator": label_separator,
        "split_column": split_column,
        "group_column": group_column,
        "time_column": time_column,
        "sample_weight": sample_weight,
        "ignore": listed(ignore),
        "categorical": listed(categorical),
        "numeric": listed(numeric),
        "text": listed(text),
        "missing": listed(missing),
        "decimal": decimal,
        "dayfirst": dayfirst,
        "target_transform": target_transform,
        "file_column": file_column,
        "file_folder": file_folder,
        "image_size": image_size,
        "test_share": test_share,
    }
    arguments: dict[str, Any] = {key: value for key, value in options.items() if value or value is False}
    if folds is not None:
        arguments["folds"] = folds
    if split is not None:
        arguments["split"] = False if split == "none" else dict(part.partition("=")[::2] for part in split.split(","))
    study = automl.fit(source, target=target, wait=not detach, resume=resume, **arguments)
    if detach:
        print(f"{study.name} is running in the background. Next: lepton status {study.name}; lepton stop {study.name}")
        return
    if test and not study.stop_signal:
        study.evaluate_test()
    show_end(study)


def _numbers(option: str, text: str | None) -> tuple[float, ...]:
    """The numbers in a comma-separated text."""
    try:
        return tuple(float(part) for part in listed(text))
    except ValueError:
        raise ConfigError(
            f"{text!r} contains something that is not a number", where=option, fix=f"Use {option} 0.1,0.5,0.9."
        ) from None


def _setting(text: str) -> Any:
    """A number or a truth value; anything else stays text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _prices(pairs: list[str]) -> dict[str, float]:
    """Prices by device, from `cpu=0.04`."""
    complaints, prices = Complaints("--price"), {}
    for pair in pairs:
        device, _, price = pair.partition("=")
        try:
            prices[device] = float(price)
        except ValueError:
            complaints.add(f"{pair!r} is not a valid price", "Use --price cpu=0.04.")
    complaints.raise_any()
    return prices
