"""Commands that search."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lepton_automl.errors import Complaints, ConfigError

from .shared import app, listed, show_end

# The groups of options in the help.
DATA, BUDGET, DEPLOYMENT, SEARCH, STUDY = "Data", "Budget", "Deployment", "Search", "Study and MLflow"


@app.command()
def demo(
    minutes: Annotated[float, typer.Option(help="Minutes of search.")] = 2.0,
    name: Annotated[str | None, typer.Option(help="The study's name; default: digits, digits-2, …")] = None,
) -> None:
    """Search networks for scikit-learn's handwritten digits, without a download, and evaluate them on the test split."""
    from lepton_automl.api import AutoML
    from lepton_automl.data.demo import digits
    from lepton_automl.specs import Budget, Deployment
    from lepton_automl.study_store import StudyStore

    # A page of digits a call: one digit alone costs ten microseconds of calling, whatever the network.
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


@app.command()
def search(  # noqa: PLR0917  # options of the shell, which are named there
    data: Annotated[
        str, typer.Argument(help="A folder or zip file of images, a CSV or Parquet file, or a folder of idx files.")
    ],
    target: Annotated[str | None, typer.Option(help="The column to predict.", rich_help_panel=DATA)] = None,
    task: Annotated[
        str | None,
        typer.Option(
            help="The task, such as regression or multilabel; default: by the column.",
            rich_help_panel=DATA,
        ),
    ] = None,
    quantiles: Annotated[
        str | None, typer.Option(help="Quantiles to predict, such as `0.1,0.5,0.9`.", rich_help_panel=DATA)
    ] = None,
    label_separator: Annotated[
        str | None, typer.Option(help="What separates the labels of one row, such as `;`.", rich_help_panel=DATA)
    ] = None,
    split_column: Annotated[
        str | None,
        typer.Option(help="The column that holds each row's split: train, validation or test.", rich_help_panel=DATA),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="Image folders that are splits, such as `Part1=train,Part2=test`; `none`: all folders are classes.",
            rich_help_panel=DATA,
        ),
    ] = None,
    group_column: Annotated[
        str | None, typer.Option(help="The column of groups; rows of a group stay in the same split.", rich_help_panel=DATA)
    ] = None,
    time_column: Annotated[
        str | None, typer.Option(help="The column of times; the latest rows are held out.", rich_help_panel=DATA)
    ] = None,
    ignore: Annotated[str | None, typer.Option(help="Columns to ignore, separated by commas.", rich_help_panel=DATA)] = None,
    categorical: Annotated[
        str | None, typer.Option(help="Columns to read as categories, separated by commas.", rich_help_panel=DATA)
    ] = None,
    numeric: Annotated[
        str | None, typer.Option(help="Columns to read as numbers, separated by commas.", rich_help_panel=DATA)
    ] = None,
    missing: Annotated[
        str | None, typer.Option(help="Texts that stand for a missing value, separated by commas.", rich_help_panel=DATA)
    ] = None,
    decimal: Annotated[str | None, typer.Option(help="The decimal separator: `.` or `,`.", rich_help_panel=DATA)] = None,
    dayfirst: Annotated[bool | None, typer.Option(help="Read 1/2/2024 as the first of February.", rich_help_panel=DATA)] = None,
    class_weight: Annotated[
        str | None, typer.Option(help="`balanced` gives rare classes a higher weight.", rich_help_panel=DATA)
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Minutes of search; default: 10, without another budget.", rich_help_panel=BUDGET)
    ] = None,
    trials: Annotated[int | None, typer.Option(help="Maximum number of trials.", rich_help_panel=BUDGET)] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Maximum number of training epochs, summed over all trials.", rich_help_panel=BUDGET)
    ] = None,
    cost: Annotated[
        float | None, typer.Option(help="Maximum cost, in the currency of --price.", rich_help_panel=BUDGET)
    ] = None,
    price: Annotated[
        list[str] | None, typer.Option(help="Price per worker and hour, by device: `cpu=0.04`.", rich_help_panel=BUDGET)
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Maximum number of worker processes; default: one per core.", rich_help_panel=BUDGET)
    ] = None,
    max_latency_ms: Annotated[
        float | None, typer.Option(help="Hard limit on the latency of one call, in ms.", rich_help_panel=DEPLOYMENT)
    ] = None,
    max_size_kb: Annotated[
        float | None,
        typer.Option(help="Hard limit on the size of the model file, in kB (1,000 bytes).", rich_help_panel=DEPLOYMENT),
    ] = None,
    threads: Annotated[int, typer.Option(help="Threads of one call on the deployment device.", rich_help_panel=DEPLOYMENT)] = 1,
    batch_size: Annotated[
        int, typer.Option(help="Rows or images of one call on the deployment device.", rich_help_panel=DEPLOYMENT)
    ] = 1,
    runtimes: Annotated[
        str | None,
        typer.Option(help="Allowed runtimes, separated by commas; default: all installed ones.", rich_help_panel=DEPLOYMENT),
    ] = None,
    max_score_drop: Annotated[
        float,
        typer.Option(help="Maximum loss of score in exchange for a faster runtime or precision.", rich_help_panel=DEPLOYMENT),
    ] = 0.005,
    metric: Annotated[str | None, typer.Option(help="The score to optimize; default: by task.", rich_help_panel=SEARCH)] = None,
    objectives: Annotated[
        str,
        typer.Option(
            help="What to optimize, separated by commas: accuracy, latency, size, memory or a plug-in.", rich_help_panel=SEARCH
        ),
    ] = "accuracy,latency",
    sampler: Annotated[
        str,
        typer.Option(
            help="The algorithm that proposes networks: tpe, gp, nsga2, random, grid or a plug-in.", rich_help_panel=SEARCH
        ),
    ] = "tpe",
    grid: Annotated[
        str | None, typer.Option(help="The hyperparameters of a grid search, separated by commas.", rich_help_panel=SEARCH)
    ] = None,
    warm_start: Annotated[
        str | None, typer.Option(help="Earlier studies to learn from, separated by commas.", rich_help_panel=SEARCH)
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Random seed of splits, proposals, weights and batches.", rich_help_panel=SEARCH)
    ] = 0,
    test: Annotated[
        bool, typer.Option("--test", help="Evaluate the front on the test split at the end.", rich_help_panel=SEARCH)
    ] = False,
    name: Annotated[str | None, typer.Option(help="The study's name; default: after the data.", rich_help_panel=STUDY)] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume the unfinished study of this name.", rich_help_panel=STUDY)
    ] = False,
    detach: Annotated[
        bool,
        typer.Option(
            "--detach", help="Run in the background; control it with lepton status, pause and stop.", rich_help_panel=STUDY
        ),
    ] = False,
    grace: Annotated[
        float,
        typer.Option(
            help="Seconds in which to register the chosen model after SIGTERM or SIGHUP; not with --detach.",
            rich_help_panel=STUDY,
        ),
    ] = 10.0,
    tracking_uri: Annotated[
        str | None,
        typer.Option(
            help="Address of the MLflow store; default: $MLFLOW_TRACKING_URI, else a file in mlruns.", rich_help_panel=STUDY
        ),
    ] = None,
    experiment: Annotated[
        str | None, typer.Option(help="Name of the MLflow experiment; default: lepton/NAME.", rich_help_panel=STUDY)
    ] = None,
) -> None:
    """Search neural networks for your data."""
    from lepton_automl.api import AutoML
    from lepton_automl.specs import Budget, Deployment

    if detach and test:
        raise ConfigError(
            "--test needs a search that is waited for",
            where="--detach",
            fix="Evaluate the test split later: study.evaluate_test().",
        )
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
        sampler=sampler,
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
        "ignore": listed(ignore),
        "categorical": listed(categorical),
        "numeric": listed(numeric),
        "missing": listed(missing),
        "decimal": decimal,
        "dayfirst": dayfirst,
    }
    arguments = {key: value for key, value in options.items() if value or value is False}
    if split is not None:
        arguments["split"] = False if split == "none" else dict(part.partition("=")[::2] for part in split.split(","))
    study = automl.fit(data, target=target, wait=not detach, resume=resume, **arguments)
    if detach:
        print(f"{study.name} is running in the background. Next: lepton status {study.name}; lepton stop {study.name}")
        return
    if test and not study.stop_signal:
        study.evaluate_test()
    show_end(study)


def _numbers(option: str, text: str | None) -> tuple[float, ...]:
    """The numbers of a text that is separated by commas."""
    try:
        return tuple(float(part) for part in listed(text))
    except ValueError:
        raise ConfigError(
            f"{text!r} holds something that is not a number", where=option, fix=f"Use {option} 0.1,0.5,0.9."
        ) from None


def _prices(pairs: list[str]) -> dict[str, float]:
    """Prices by device, from `cpu=0.04`."""
    complaints, prices = Complaints("--price"), {}
    for pair in pairs:
        device, _, price = pair.partition("=")
        try:
            prices[device] = float(price)
        except ValueError:
            complaints.add(f"{pair!r} is no price", "Use --price cpu=0.04.")
    complaints.raise_any()
    return prices
