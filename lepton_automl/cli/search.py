"""Commands that search."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lepton_automl.errors import Complaints, ConfigError

from .shared import app, listed, show_end


@app.command()
def demo(
    minutes: Annotated[float, typer.Option(help="Minutes of search.")] = 2.0,
    name: Annotated[str | None, typer.Option(help="The study's name; digits, digits-2, … if none is given.")] = None,
) -> None:
    """Search small networks for scikit-learn's handwritten digits, with no download, and open the sealed test."""
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
    runtimes: Annotated[str | None, typer.Option(help="Runtimes that may be used, separated by commas.")] = None,
    max_score_drop: Annotated[float, typer.Option(help="What a model may lose of its score to a faster precision.")] = 0.005,
    workers: Annotated[int | None, typer.Option(help="Worker processes at most; by default one a core.")] = None,
    seed: Annotated[int, typer.Option(help="Seeds everything.")] = 0,
    split_column: Annotated[str | None, typer.Option(help="A column that says train, validation or test.")] = None,
    split: Annotated[
        str | None, typer.Option(help="Folders of pictures that are splits, `Part1=train,Part2=test`; `none`: all are classes.")
    ] = None,
    group_column: Annotated[str | None, typer.Option(help="Rows of one group stay in one split.")] = None,
    time_column: Annotated[str | None, typer.Option(help="Later rows are tested on earlier ones.")] = None,
    ignore: Annotated[str | None, typer.Option(help="Columns to leave out, separated by commas.")] = None,
    categorical: Annotated[str | None, typer.Option(help="Columns that are categories, separated by commas.")] = None,
    numeric: Annotated[str | None, typer.Option(help="Columns that are numbers, separated by commas.")] = None,
    missing: Annotated[str | None, typer.Option(help="Texts that mean no value, separated by commas.")] = None,
    decimal: Annotated[str | None, typer.Option(help="The decimal sign of numbers such as 1,234: `.` or `,`.")] = None,
    dayfirst: Annotated[bool | None, typer.Option(help="Whether 1/2/2024 is in February.")] = None,
    class_weight: Annotated[str | None, typer.Option(help="`balanced`, for rare classes.")] = None,
    cost: Annotated[float | None, typer.Option(help="Money at most, in the currency of --price.")] = None,
    price: Annotated[list[str] | None, typer.Option(help="An hour of one worker's device: `cpu=0.04`.")] = None,
    sampler: Annotated[str, typer.Option(help="What draws configurations: tpe, gp, nsga2, random, grid or a plug-in.")] = "tpe",
    grid: Annotated[str | None, typer.Option(help="The hyperparameters that a grid varies, separated by commas.")] = None,
    warm_start: Annotated[str | None, typer.Option(help="Earlier studies to learn from, separated by commas.")] = None,
    test: Annotated[bool, typer.Option("--test", help="Open the sealed test at the end.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Leave it to itself: see lepton status, pause, stop.")] = False,
    grace: Annotated[float, typer.Option(help="Seconds to hand over in after SIGTERM or SIGHUP; not with --detach.")] = 10.0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished study of this name.")] = False,
    tracking_uri: Annotated[str | None, typer.Option(help="The MLflow store; else $MLFLOW_TRACKING_URI or our own.")] = None,
    experiment: Annotated[str | None, typer.Option(help="The MLflow experiment's name.")] = None,
) -> None:
    """Search networks for your data."""
    from lepton_automl.api import AutoML
    from lepton_automl.specs import Budget, Deployment

    if detach and test:
        raise ConfigError("--test waits for the end", where="--detach", fix="Open the test later: study.evaluate_test().")
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
        print(f"{study.name} searches in a process of its own. Next: lepton status {study.name}; lepton stop {study.name}")
        return
    if test and not study.stop_signal:
        study.evaluate_test()
    show_end(study)


def _prices(pairs: list[str]) -> dict[str, float]:
    """Prices by device, from `cpu=0.04`."""
    complaints, prices = Complaints("--price"), {}
    for pair in pairs:
        device, _, price = pair.partition("=")
        try:
            prices[device] = float(price)
        except ValueError:
            complaints.add(f"{pair!r} is no price", "Say --price cpu=0.04.")
    complaints.raise_any()
    return prices
