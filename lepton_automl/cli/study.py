"""Commands that show and control a study."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lepton_automl.errors import Complaints, LeptonError, StudyError

from .config import config_text
from .shared import Json, StudyName, Trust, app, named_values, opened, quietly

if TYPE_CHECKING:
    from lepton_automl.study.study import Study


@app.command(name="list", rich_help_panel="Studies")
def list_studies() -> None:
    """List all studies."""
    from lepton_automl.study.study import Study
    from lepton_automl.study_store import StudyStore
    from lepton_automl.texts import many

    home = StudyStore()
    if not home.studies:
        print(f"There are no studies in {home.folder}. Start with: lepton demo")
    for name in home.studies:
        handle = Study(name, home)
        try:
            with quietly():
                state, status_text = handle.state, _status_text(handle)
        except LeptonError as error:
            print(f"{name}: did not begin: {error.what}")
        else:
            behind = "; MLflow is behind" * bool(state.mlflow_trouble)
            damaged = f"; its journal is damaged: lepton repair {name}" if handle.client.damage else ""
            counted = f"{many(len(state.trials), 'trial')}, {many(len(state.front()), 'model')} on the front"
            print(f"{name}: {counted}, {status_text}{behind}{damaged}")


def _status_text(handle: Study) -> str:
    """A study's status, as text."""
    status, state = handle.status, handle.state
    if status == "ended" and state.ended:
        return f"ended: {state.ended.reason.partition('. ')[0]}"
    if status == "lost":
        return f"lost: its process has ended unexpectedly; lepton resume {handle.name} continues it"
    trouble = handle.home.process_info(handle.name).get("trouble", "") or (
        f"paused: {state.paused.reason}" if state.paused else ""
    )
    return (
        f"{status}, {trouble}"
        if status == "starting" and trouble
        else trouble
        if status in {"running", "paused"} and trouble
        else status
    )


@app.command(rich_help_panel="Studies")
def status(study: StudyName, as_json: Json = False) -> None:
    """Show a study's status: the budget used, the best models and the running trials."""
    from lepton_automl.reporting.status import status_json, status_lines

    handle = opened(study)
    if as_json:
        print(json.dumps(status_json(handle.state, handle.status)))
        return
    print(f"{study}: {'ended' if handle.status == 'ended' else _status_text(handle)}")  # the next line has the reason
    print("\n".join(status_lines(handle.state, handle.status)))


@app.command(rich_help_panel="Studies")
def pause(study: StudyName) -> None:
    """Pause a study; paused time does not count against its budget."""
    opened(study).pause()
    print(f"{study} is paused. Next: lepton resume {study}")


@app.command(rich_help_panel="Studies")
def resume(study: StudyName, trust: Trust = False) -> None:
    """Resume a study after a pause, a stop or a crash."""
    handle = opened(study)
    if trust and handle.state.settings.code:
        handle.control.trust()  # kept even if the study cannot continue
        print(f"{study}: its code may run here from now on.")
    handle.resume()
    print(f"{study} continues.")


@app.command(rich_help_panel="Studies")
def stop(
    study: StudyName,
    wait: Annotated[bool, typer.Option(help="Wait until the chosen model is registered.")] = True,
) -> None:
    """Stop a study; its models are kept, and the chosen one is registered."""
    handle = opened(study)
    handle.stop(wait=wait)
    if not handle.folder.exists():
        print(f"{study} is stopped; it had not begun, so nothing of it is kept.")
    elif not wait:
        print(f"{study} is stopping.")
    else:
        print(f"{study} is stopped. " + (f"chosen: {handle.best()}" if handle.state.front() else "No model was finished yet."))


@app.command(rich_help_panel="Studies")
def extend(
    study: StudyName,
    minutes: Annotated[float | None, typer.Option(help="More minutes.")] = None,
    trials: Annotated[int | None, typer.Option(help="More trials.")] = None,
    epochs: Annotated[int | None, typer.Option(help="More epochs.")] = None,
    cost: Annotated[float | None, typer.Option(help="More money.")] = None,
) -> None:
    """Add to a study's budget; a study that has ended continues."""
    opened(study).extend(minutes=minutes, trials=trials, epochs=epochs, cost=cost)
    print(f"{study} continues with the larger budget.")


@app.command(rich_help_panel="Studies")
def note(
    study: StudyName,
    text: Annotated[str | None, typer.Argument(help="The note; without one, the notes so far are printed.")] = None,
    trial: Annotated[int | None, typer.Option(help="The trial that it is about.")] = None,
) -> None:
    """Write a note into a study's journal, or print its notes."""
    handle = opened(study)
    if text is not None:
        handle.add_note(text, trial=trial)
        print(f"The note is kept in the journal of {study}.")
        return
    known = [one for one in handle.notes if trial is None or one.trial == trial]
    for one in known:
        about = "" if one.trial is None else f", trial {one.trial}"
        print(f"{time.strftime('%Y-%m-%d %H:%M', time.localtime(one.at))}{about}: {one.text}")
    if not known:
        print(f'There are no notes. Write one: lepton note {study} "what was seen"')


@app.command(rich_help_panel="Studies")
def limit(
    study: StudyName,
    max_latency_ms: Annotated[
        str | None, typer.Option(help="Hard limit on the latency of one call, in ms; `none` removes it.")
    ] = None,
    max_size_kb: Annotated[
        str | None, typer.Option(help="Hard limit on the size of the model file, in kB (1,000 bytes); `none` removes it.")
    ] = None,
) -> None:
    """Set or remove a study's hard limits; models over a limit leave the front."""
    complaints = Complaints("limit")
    latency, size = _limit(max_latency_ms, complaints), _limit(max_size_kb, complaints)
    complaints.raise_any()
    handle = opened(study)
    handle.control.limit(max_latency_ms=latency, max_size_bytes=round(size * 1000) if isinstance(size, float) else size)
    from lepton_automl.texts import many

    print(f"{study}: {many(len(handle.state.front()), 'model')} on the front within the limits.")


def _limit(text: str | None, complaints: Complaints) -> Any:
    """A limit for `StudyControl.limit`: `...` if it is not given, None if it is removed."""
    if text is None or text.lower() == "none":
        return ... if text is None else None
    try:
        return float(text)
    except ValueError:
        complaints.add(f"{text!r} is not a valid limit", "Give a number, or `none` to remove it.")
        return ...


@app.command(rich_help_panel="Studies")
def pin(
    study: StudyName,
    settings: Annotated[
        list[str], typer.Argument(help="Hyperparameters with their values, such as `model.kernel=3`.", metavar="NAME=VALUE...")
    ],
) -> None:
    """Fix hyperparameters to given values in all new trials."""
    handle = opened(study)
    space, values = handle.state.settings.space, named_values(settings, "pin", "train.lr=0.01")
    handle.control.pin({name: space[name].read(text) if name in space else text for name, text in values.items()})
    print(f"{study}: now pinned: {', '.join(f'{name}={setting}' for name, setting in handle.state.pinned.items())}.")


@app.command(rich_help_panel="Studies")
def unpin(
    study: StudyName,
    hyperparameters: Annotated[
        list[str] | None, typer.Argument(help="The hyperparameters; default: all that are pinned.", metavar="NAME...")
    ] = None,
) -> None:
    """Release pinned hyperparameters, so that the search varies them again."""
    handle = opened(study)
    handle.control.unpin(*hyperparameters or ())
    left = ", ".join(f"{name}={setting}" for name, setting in handle.state.pinned.items())
    print(f"{study}: {f'now pinned: {left}' if left else 'nothing is pinned'}.")


@app.command(rich_help_panel="Studies")
def retune(
    study: StudyName,
    trial: Annotated[int, typer.Argument(help="The number of a finished trial; see `lepton front`.", metavar="TRIAL")],
    trials: Annotated[int, typer.Option(help="Number of variations.")] = 8,
) -> None:
    """Try variations of a finished trial next."""
    opened(study).control.retune(trial, trials)
    print(f"{study} tries up to {trials} variations of trial {trial} next.")


@app.command(name="show-config", rich_help_panel="Studies")
def show_config(study: StudyName) -> None:
    """Print the settings of a study as a TOML file, for lepton search --config."""
    print(config_text(opened(study).state.settings), end="")


@app.command(rich_help_panel="Studies")
def repair(study: StudyName) -> None:
    """Repair a study's damaged journal, or convert an older one; the old file is kept."""
    from lepton_automl.study.repair import repair as repair_journal
    from lepton_automl.study_store import StudyStore

    done = repair_journal(study, StudyStore())
    print(f"{study}: {done}\nNext: lepton status {study}" if done else f"{study}: nothing is damaged.")


@app.command(rich_help_panel="Studies")
def delete(
    study: StudyName, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False
) -> None:
    """Delete a study: its journal, its models and its runs in MLflow."""
    from lepton_automl.study.remove import remove
    from lepton_automl.study_store import StudyStore

    home = StudyStore()
    if not home.path(study).exists():
        opened(study)  # raises, and lists the existing studies
    if home.running(study):
        raise StudyError("the study is running", where=study, fix=f"End it first: lepton stop {study}")
    size = home.size(study) / 1e6
    if not yes and not typer.confirm(f"Delete {study} ({size:.1f} MB)?"):
        raise typer.Abort
    remove(study, home)
    print(f"{study} is deleted; {size:.1f} MB freed. Registered models stay in the registry.")
