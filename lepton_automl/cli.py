"""The doorbell: `lepton`. Every command is a few lines over what Python offers; imports wait until they are needed."""

from __future__ import annotations

import contextlib
import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import Complaints, ConfigError, LeptonError, StudyError
from .service.interrupts import Terminated, ending

if TYPE_CHECKING:
    from .service.study import Study

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Finds every network worth having for your data and your device, from most accurate to fastest.",
)

LATEST = 10  # studies whose pages are named
StudyName = Annotated[str, typer.Argument(help="The study's name; `lepton list` shows all.", metavar="STUDY")]
Trust = Annotated[bool, typer.Option("--trust", help="Let code that the study carries run here; that is remembered.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")]


def main() -> None:
    """Run the command line; what goes wrong is said in a few lines, with exit code 1."""
    known = [command for command in app.registered_commands if sys.argv[1:2] == [_name(command)]]
    if known:  # preparing the parsers of all the others would take a tenth of a quick command's time
        app.registered_commands = known
    try:
        with ending():
            app()
    except Terminated as error:
        print(f"ended by {error}", file=sys.stderr)
        raise
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        from .preprocess import InputError  # brings NumPy

        if not isinstance(error, LeptonError | InputError):
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


def _name(command: Any) -> str:
    return str(command.name or command.callback.__name__)


@app.callback()
def _group() -> None:
    """Finds every network worth having for your data and your device, from most accurate to fastest."""


@app.command()
def demo(
    minutes: Annotated[float, typer.Option(help="Minutes of search.")] = 2.0,
    name: Annotated[str | None, typer.Option(help="The study's name; digits, digits-2, … if none is given.")] = None,
) -> None:
    """Search small networks for scikit-learn's handwritten digits, with no download, and open the sealed test."""
    from .api import AutoML
    from .data.demo import digits
    from .home import Home
    from .values import Budget, Deployment

    # A page of digits a call: one digit alone costs ten microseconds of calling, whatever the network.
    page = Deployment(batch_size=256)
    study = AutoML(name=name or Home().free_name("digits"), deployment=page, budget=Budget(minutes=minutes)).fit(*digits())
    if study.stop_signal:
        _show_end(study)
        return
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
    runtimes: Annotated[str | None, typer.Option(help="Runtimes that may be used, separated by commas.")] = None,
    max_drop: Annotated[float, typer.Option(help="What a model may lose of its score to a faster precision.")] = 0.005,
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
    sampler: Annotated[str, typer.Option(help="What draws configurations: tpe, gp, nsga2, random or grid.")] = "tpe",
    grid: Annotated[str | None, typer.Option(help="The knobs that a grid turns, separated by commas.")] = None,
    warm_start: Annotated[str | None, typer.Option(help="Earlier studies to learn from, separated by commas.")] = None,
    test: Annotated[bool, typer.Option("--test", help="Open the sealed test at the end.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Leave it to itself: see lepton status, pause, stop.")] = False,
    grace: Annotated[float, typer.Option(help="Seconds to hand over in after SIGTERM or SIGHUP; not with --detach.")] = 10.0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished study of this name.")] = False,
    tracking_uri: Annotated[str | None, typer.Option(help="The MLflow store; else $MLFLOW_TRACKING_URI or our own.")] = None,
    experiment: Annotated[str | None, typer.Option(help="The MLflow experiment's name.")] = None,
) -> None:
    """Search networks for your data."""
    from .api import AutoML
    from .values import Budget, Deployment

    if detach and test:
        raise ConfigError("--test waits for the end", where="--detach", fix="Open the test later: study.evaluate_test().")
    given = {"minutes": minutes, "trials": trials, "epochs": epochs, "cost": cost}
    asked = {unit: amount for unit, amount in given.items() if amount is not None} or {"minutes": 10}
    budget = Budget(**asked, prices=_prices(price or []))  # type: ignore[arg-type]  # the shell has checked their types
    size = None if max_size_kb is None else round(max_size_kb * 1000)
    device = Deployment(
        threads=threads,
        batch_size=batch_size,
        runtimes=_listed(runtimes),
        max_drop=max_drop,
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
        sampler=sampler,  # type: ignore[arg-type]  # a wrong one is told there
        grid=_listed(grid),
        warm_start=_listed(warm_start),
        tracking_uri=tracking_uri,
        experiment=experiment,
        progress=not detach,
        grace=grace,
    )
    options: dict[str, Any] = {
        "split_column": split_column,
        "group_column": group_column,
        "time_column": time_column,
        "ignore": _listed(ignore),
        "categorical": _listed(categorical),
        "numeric": _listed(numeric),
        "missing": _listed(missing),
        "decimal": decimal,
        "dayfirst": dayfirst,
    }
    said = {key: value for key, value in options.items() if value or value is False}
    if split is not None:
        said["split"] = False if split == "none" else dict(part.partition("=")[::2] for part in split.split(","))
    study = automl.fit(data, target=target, wait=not detach, resume=resume, **said)
    if detach:
        print(f"{study.name} searches in a process of its own. Next: lepton status {study.name}; lepton stop {study.name}")
        return
    if test and not study.stop_signal:
        study.evaluate_test()
    _show_end(study)


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


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip()) if text else ()


@app.command(name="list")
def list_studies() -> None:
    """List all studies."""
    from .home import Home
    from .service.study import Study
    from .texts import many

    home = Home()
    if not home.studies:
        print(f"There are no studies in {home.folder}. Start with: lepton demo")
    for name in home.studies:
        handle = Study(name, home)
        try:
            with _quietly():
                state, standing = handle.state, _standing(handle)
        except LeptonError as error:
            print(f"{name}: did not begin: {error.what}")
        else:
            behind = "; MLflow is behind" * bool(state.untracked)
            damaged = f"; its journal is damaged: lepton repair {name}" if handle.client.damage else ""
            counted = f"{many(len(state.trials), 'trial')}, {many(len(state.front()), 'model')} on the front"
            print(f"{name}: {counted}, {standing}{behind}{damaged}")


def _standing(handle: Study) -> str:
    """How a study stands, in words."""
    status, state = handle.status, handle.state
    if status == "ended" and state.ended:
        return f"ended: {state.ended.reason.partition('. ')[0]}"
    if status == "lost":
        return f"lost: its process is gone; lepton resume {handle.name} takes it up"
    trouble = handle.home.says(handle.name).get("trouble", "") or (f"paused: {state.paused.reason}" if state.paused else "")
    return (
        f"{status}, {trouble}"
        if status == "starting" and trouble
        else trouble
        if status in {"running", "paused"} and trouble
        else status
    )


@app.command()
def status(study: StudyName, as_json: Json = False) -> None:
    """Say how a study stands: what is spent, what was found, what runs."""
    from .reporting.status import status_json, status_lines

    handle = _open(study)
    if as_json:
        print(json.dumps(status_json(handle.state, handle.status)))
        return
    print(f"{study}: {'ended' if handle.status == 'ended' else _standing(handle)}")  # why it ended is in the next line
    print("\n".join(status_lines(handle.state, handle.status)))


@app.command()
def pause(study: StudyName) -> None:
    """Hold a study where it is; paused time is not part of its budget."""
    _open(study).pause()
    print(f"{study} is paused. Next: lepton resume {study}")


@app.command()
def resume(study: StudyName, trust: Trust = False) -> None:
    """Go on with a study that is paused, was stopped, or has lost its process."""
    handle = _open(study)
    if trust and handle.state.settings.own:
        handle.control.trust()  # stands, even where the study cannot go on
        print(f"{study}: the code that it carries may run here from now on.")
    handle.resume()
    print(f"{study} goes on.")


@app.command()
def stop(
    study: StudyName,
    wait: Annotated[bool, typer.Option(help="Wait until its chosen model is handed over.")] = True,
) -> None:
    """End a study; what it found stands, and its chosen model is registered."""
    handle = _open(study)
    handle.stop(wait=wait)
    if not handle.folder.exists():
        print(f"{study} is stopped; it had not begun, and nothing is left of it.")
    elif not wait:
        print(f"{study} is stopping.")
    else:
        print(f"{study} is stopped. " + (f"chosen: {handle.best()}" if handle.state.front() else "No model was ready."))


@app.command()
def extend(
    study: StudyName,
    minutes: Annotated[float | None, typer.Option(help="More minutes.")] = None,
    trials: Annotated[int | None, typer.Option(help="More trials.")] = None,
    epochs: Annotated[int | None, typer.Option(help="More epochs.")] = None,
    cost: Annotated[float | None, typer.Option(help="More money.")] = None,
) -> None:
    """Add to a study's budget; one that has ended goes on."""
    _open(study).extend(minutes=minutes, trials=trials, epochs=epochs, cost=cost)
    print(f"{study} goes on with the larger budget.")


@app.command()
def limit(
    study: StudyName,
    max_latency_ms: Annotated[
        str | None, typer.Option(help="Hard limit on one call, in milliseconds; `none` lifts it.")
    ] = None,
    max_size_kb: Annotated[
        str | None, typer.Option(help="Hard limit on the model file, in kilobytes; `none` lifts it.")
    ] = None,
) -> None:
    """Set a study's hard limits, or lift them; models that break them leave the front."""
    complaints = Complaints("limit")
    latency, size = _limit(max_latency_ms, complaints), _limit(max_size_kb, complaints)
    complaints.raise_any()
    handle = _open(study)
    handle.control.limit(max_latency_ms=latency, max_size_bytes=round(size * 1000) if isinstance(size, float) else size)
    from .texts import many

    print(f"{study}: {many(len(handle.state.front()), 'model')} on the front within the limits.")


def _limit(text: str | None, complaints: Complaints) -> Any:
    """A limit as `Study.limit` takes it: `...` where nothing is said, None where it is lifted."""
    if text is None or text.lower() == "none":
        return ... if text is None else None
    try:
        return float(text)
    except ValueError:
        complaints.add(f"{text!r} is no limit", "Give a number, or `none` to lift it.")
        return ...


@app.command()
def pin(
    study: StudyName,
    settings: Annotated[
        list[str], typer.Argument(help="Knobs and their settings: `model.kernel=3`.", metavar="KNOB=SETTING...")
    ],
) -> None:
    """Hold knobs of a study still from now on."""
    handle = _open(study)
    space, complaints = handle.state.settings.space, Complaints("pin")
    for one in settings:
        complaints.check("=" in one, f"{one!r} names no setting", "Say KNOB=SETTING, such as train.lr=0.01.")
    complaints.raise_any()
    told = [one.partition("=") for one in settings]
    handle.control.pin({name: space[name].read(text) if name in space else text for name, _, text in told})
    print(f"{study}: pinned are {', '.join(f'{name}={setting}' for name, setting in handle.state.pinned.items())}.")


@app.command()
def unpin(
    study: StudyName,
    knobs: Annotated[list[str] | None, typer.Argument(help="The knobs; all that are pinned, if none is named.")] = None,
) -> None:
    """Let pinned knobs of a study turn again."""
    handle = _open(study)
    handle.control.unpin(*knobs or ())
    left = ", ".join(f"{name}={setting}" for name, setting in handle.state.pinned.items())
    print(f"{study}: {f'pinned are {left}' if left else 'nothing is pinned'}.")


@app.command()
def retune(
    study: StudyName,
    trial: Annotated[int, typer.Argument(help="The trial's number; `lepton front` shows those of the front.")],
    trials: Annotated[int, typer.Option(help="How many variations.")] = 8,
) -> None:
    """Try variations of a trial next."""
    _open(study).control.retune(trial, trials)
    print(f"{study} tries up to {trials} variations of trial {trial} next.")


@app.command()
def front(study: StudyName, as_json: Json = False) -> None:
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
    study: StudyName,
    file: Annotated[str, typer.Argument(help="A picture or a folder of them; a table, or one row as JSON.")],
    max_latency_ms: Annotated[float | None, typer.Option(help="Take the best model this fast.")] = None,
    proba: Annotated[bool, typer.Option("--proba", help="Probabilities, as a line of JSON for each answer.")] = False,
) -> None:
    """Predict with a study's chosen model, an answer a line."""
    from .deployment.command import answer_lines, read_examples

    handle = _open(study)
    model = handle.best(max_latency_ms=max_latency_ms)
    rows = read_examples(file, handle.state.settings.data.modality)
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
    from .reporting.tables import bottleneck_lines

    handle = _open(study)
    model = handle.best() if trial is None else handle.models[trial]
    found = model.bottleneck(tries=tries, progress=not as_json)
    if out is not None:
        found.save(out)
    if as_json:
        print(json.dumps(found.to_json()))
        return
    print(found.text)
    print()
    print("\n".join(bottleneck_lines(found)))
    if out is not None:
        print(f"\nThe picture: {out}")


@app.command()
def report(
    study: StudyName,
    out: Annotated[Path | None, typer.Option(help="The file; by default report.html in the study's folder.")] = None,
) -> None:
    """Write the report: what was asked, what was found and why, as one HTML page that needs no network."""
    print(_open(study).report.write(out))


@app.command()
def export(
    study: StudyName,
    out: Annotated[Path, typer.Option(help="A new folder.")],
    max_latency_ms: Annotated[float | None, typer.Option(help="Take the best model this fast.")] = None,
    key: Annotated[Path | None, typer.Option(help="Sign it with the Ed25519 key in this PEM file.")] = None,
) -> None:
    """Write the chosen model as a bundle that runs with numpy and onnxruntime alone."""
    folder = _open(study).best(max_latency_ms=max_latency_ms).export(out, key=key)
    print(f"{folder}\nTry: python {folder / 'predict.py'} INPUT")


@app.command()
def repair(study: StudyName) -> None:
    """Put a damaged journal right, from what is whole of it and what lies beside the models; the damaged file is kept."""
    from .home import Home
    from .service.repair import repair as mend

    done = mend(study, Home())
    print(f"{study}: {done}\nNext: lepton status {study}" if done else f"{study}: nothing is damaged.")


@app.command()
def delete(study: StudyName, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Delete a study: its journal, its models and its runs in MLflow."""
    from .home import Home
    from .service.remove import remove

    home = Home()
    if not home.path(study).exists():
        _open(study)  # says that there is none, and which there are
    if home.running(study):
        raise StudyError("the study is running", where=study, fix=f"End it first: lepton stop {study}")
    size = home.size(study) / 1e6
    if not yes and not typer.confirm(f"Delete {study} ({size:.1f} MB)?"):
        raise typer.Abort
    remove(study, home)
    print(f"{study} is deleted; {size:.1f} MB are free again. Models that were registered stay in the registry.")


@app.command()
def sync(
    study: StudyName,
    tracking_uri: Annotated[str | None, typer.Option(help="Any MLflow store; by default the study's own.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the study ends.")] = False,
) -> None:
    """Bring an MLflow store level with a study, running or ended, such as after a server was down. Registers nothing.

    A server's password is taken from MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.
    """
    from .tracking.secrets import masked

    handle = _open(study)
    trials = handle.tracking.sync(tracking_uri, follow=follow)
    print(
        f"{study} is in {masked(tracking_uri or handle.tracking.uri)}: {trials} ended trials, each once. Nothing was registered."
    )


@app.command()
def ui(
    study: Annotated[str | None, typer.Argument(help="A study, whose page is named; by default the latest ones.")] = None,
    port: Annotated[int, typer.Option(help="Port of the page.")] = 5000,
) -> None:
    """Serve MLflow's pages over the store; of a server they are there already."""
    import subprocess

    from .home import Home
    from .tracking.experiments import study_pages
    from .tracking.pages import app_options
    from .tracking.place import asked_place
    from .tracking.rebuild import rebuild_lost
    from .tracking.store import pages_at, ui_command

    if study is not None:
        _open(study)  # says what is not there
    home = Home().folder
    store = asked_place(home).uri
    if not store:
        from .tracking.moved import settle

        settle(home)
        rebuild_lost(home)
    known = study_pages(home, store)
    shown = {study: known.get(study, "")} if study else dict(list(known.items())[-LATEST:])
    server = store if store.startswith("http") else f"http://127.0.0.1:{port}"
    for name, page in shown.items():
        print(f"{name}: {pages_at(server, page)}", flush=True)
    print(f"all experiments: {pages_at(server)}", flush=True)
    if store.startswith("http") or not app_options():  # pages that do not store their mode for training
        print("Where a page shows GenAI, click Model training at its top left once; the browser keeps that.", flush=True)
    if not store.startswith("http"):
        sys.exit(subprocess.call(ui_command(home, port, store)))


@app.command()
def models(
    name: Annotated[str | None, typer.Argument(help="A registered model; without one all are listed.")] = None,
    as_json: Json = False,
) -> None:
    """Show registered models; of one its versions side by side, with their aliases."""
    from .service.registry import Registry

    registry = Registry()
    if name is None:
        print(json.dumps(registry.models) if as_json else "\n".join(registry.models) or "No model is registered here.")
        return
    table = registry.versions(name)
    if as_json:
        print(table.to_json(orient="records", date_format="iso"))
        return
    print(registry.compare(name).to_string(na_rep=""))


@app.command()
def promote(
    name: Annotated[str, typer.Argument(help="The registered model.")],
    version: Annotated[str, typer.Argument(help="The version that is to bear the alias.")],
    alias: Annotated[str, typer.Option(help="The alias.")] = "champion",
) -> None:
    """Give an alias to a version of a registered model."""
    from .service.registry import Registry

    Registry().promote(name, version, alias=alias)
    print(f"{name}@{alias} is version {version}. To take it back: lepton rollback {name} --alias {alias}")


@app.command()
def rollback(
    name: Annotated[str, typer.Argument(help="The registered model.")],
    alias: Annotated[str, typer.Option(help="The alias.")] = "champion",
) -> None:
    """Give an alias back to the version that bore it before."""
    from .service.registry import Registry

    print(f"{name}@{alias} is version {Registry().roll_back(name, alias=alias)} again.")


@app.command()
def serve(
    name: Annotated[str, typer.Argument(help="The registered model.")],
    alias: Annotated[str, typer.Option(help="Which of its versions.")] = "champion",
    host: Annotated[str, typer.Option(help="Who may ask: this machine alone, or 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Where to listen.")] = 5001,
) -> None:
    """Serve a registered model over HTTP, by MLflow's own server."""
    import os

    from .service.registry import Registry
    from .tracking.serving import serve_command

    registry = Registry()
    version = registry.compare(name, alias).columns[0]  # says at once what is not there
    command, environment = serve_command(name, home=registry.home.folder, uri=registry.uri, alias=alias, host=host, port=port)
    print(f"{name} version {version}: POST http://{host}:{port}/invocations, as its card shows.", flush=True)
    os.execve(command[0], command, environment)  # noqa: S606  # no shell is wanted: signals reach the server itself


def _open(study: str) -> Study:
    from .service.study import open_study

    handle = open_study(study)
    with _quietly():
        damage = handle.client.damage
    if damage:
        print(f"warning: {study}: {damage}", file=sys.stderr)
    return handle


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without the warning of a damaged journal, which is said in words of the shell."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _print_front(handle: Study) -> None:
    from rich.console import Console

    from .reporting.terminal import front_table
    from .shortfall import NONE

    if not handle.state.front():
        print(handle.state.ended.reason if handle.state.ended else f"{NONE} yet")
        return
    Console(highlight=False).print(front_table(handle.state, limit=None))
    print("* chosen: the knee, where no limit is asked")


def _show_end(study: Study) -> None:
    """What a person wants to know when a search is over."""
    from .tracking.secrets import masked

    model = study.best()  # raises where there is none, and says what to do
    _print_front(study)
    metric = study.state.settings.metric
    print(f"\nchosen: {model}")
    if model.test_scores:
        print(f"test {metric} of the chosen model: {model.test_scores[metric]:.4f}")
    if study.state.registered:
        print(f"load it anywhere: mlflow.pyfunc.load_model('models:/{study.name}@champion')")
        print(f"  with MLFLOW_TRACKING_URI={masked(study.tracking.uri)}")
    print(f"see all trials: lepton ui {study.name}")
