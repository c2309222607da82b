"""The bottleneck report and the resource profile of a finished model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lepton_automl.bottleneck import Bottleneck
from lepton_automl.errors import StudyError
from lepton_automl.jobs import BottleneckJob, ResourceProfileJob, TrialJob
from lepton_automl.profile import ResourceProfile
from lepton_automl.reporting.bottleneck import BottleneckReport
from lepton_automl.reporting.tables import network
from lepton_automl.reporting.terminal import activity_line
from lepton_automl.request import Request, Response
from lepton_automl.state import StudyState
from lepton_automl.study_store import trial_folder
from lepton_automl.trial import Trial
from lepton_automl.variant import Variant

from .result_cache import save_result
from .runner import jobs
from .worker import ask_worker

if TYPE_CHECKING:
    from .client import StudyClient

MOST_CHILDREN = 1  # that are described one by one, the best first


def bottleneck(study: StudyClient, trial: int, *, tries: int = 1, progress: bool = True) -> BottleneckReport:
    """Profile a finished model in a worker process; `StudyModel.bottleneck` is the usual way.

    Args:
        study: The study it comes from.
        trial: The trial's number.
        tries: How many changes are built and timed.
        progress: Whether to show progress in a terminal.

    Raises:
        StudyError: The trial has no model, or its network is made by code that may not run here.
    """
    study.check_trusted()  # layers are identified in the network itself
    state = study.state
    known = state.trial(trial)
    with activity_line(f"{study.name}/{trial}", shown=progress) as show:
        result = send_request(study, trial, lambda job, bundle: BottleneckJob(trial=job, bundle=bundle, tries=tries), show)
    assert isinstance(result, Bottleneck)
    return BottleneckReport(**vars(result.replace(history=(*_runs(known), *history(state, known)))))


def portrait(study: StudyClient, trial: int, *, progress: bool = True) -> ResourceProfile:
    """Measure the resource profile of a finished model in a worker process; `StudyModel.profile_resources` is the usual way.

    The latest one is cached beside the bundle, for the report.
    """
    with activity_line(f"{study.name}/{trial}", shown=progress) as show:
        show("measuring memory, cold start, energy and sizes of a call")
        profile = send_request(study, trial, lambda job, bundle: ResourceProfileJob(trial=job, bundle=bundle), show)
    assert isinstance(profile, ResourceProfile)
    return save_result(trial_folder(study.folder, trial), "portrait", profile)


def send_request(
    study: StudyClient,
    trial: int,
    request: Callable[[TrialJob, str], Request],
    on_status: Callable[[str], None],
    split: str = "",
) -> Response:
    """A worker's response to a request about a trial's model; for `split` see `job_and_bundle`."""
    return ask_worker(study, request(*job_and_bundle(study, trial, split)), on_status)


def job_and_bundle(study: StudyClient, trial: int, split: str = "") -> tuple[TrialJob, str]:
    """The job of a finished trial, and the folder of its model's bundle.

    Args:
        study: The study.
        trial: The trial's number.
        split: The rows that the model is scored on, if any: those that a refitted model has learned from are predicted by its twin.

    Raises:
        StudyError: The trial has no model.
    """
    known = study.state.trial(trial)
    if known.status != "complete":
        raise StudyError(
            f"trial {trial} has no model: its status is {known.status}", where=study.name, fix=f"See: lepton front {study.name}"
        )
    refitted, tested = known.refitted, study.state.tested
    is_unseen = not split or (split == "test" and tested is not None and refitted is not None and refitted.at < tested.at)
    return job_of(study, known), str(study.bundle(trial) if is_unseen else study.twin(trial))


def job_of(study: StudyClient, trial: Trial) -> TrialJob:
    """The job of a trial, with the data in the study's current folder."""
    job = jobs(study.state, study.folder)(trial)
    return job.replace(data=job.data.replace(folder=str(study.folder / "data")))


def _runs(trial: Trial) -> tuple[str, ...]:
    """How the model is exported, if the layers are timed in another runtime or precision."""
    if trial.accelerated is None or trial.variant == Variant():
        return ()
    took = trial.accelerated.profile.latency_ms
    return (f"It is exported for {trial.variant.name}, at {took:.3g} ms; the layers are timed in ONNX Runtime's floats.",)


def history(state: StudyState, trial: Trial) -> tuple[str, ...]:
    """What the search pruned from a network: its children, which inherited its weights and are smaller.

    Args:
        state: The study.
        trial: The network.

    Returns:
        Sentences; none if it has no children.
    """
    children = [child for child in state.trials.values() if child.proposed.parent == trial.number]
    if not children:
        return ()
    done = sorted((child for child in children if child.status == "complete"), key=lambda child: -state.score(child))
    front = {member.number for member in state.front()}
    on_front = sum(child.number in front for child in done)
    head = f"The search pruned {len(children)} smaller network{'s' * (len(children) > 1)} out of it; {on_front} {'is' if on_front == 1 else 'are'} on the front."
    return (head, *(_compared(state, trial, child) for child in done[:MOST_CHILDREN]))


def _compared(state: StudyState, parent: Trial, child: Trial) -> str:
    assert parent.profile is not None
    assert child.profile is not None
    before, after = parent.profile.latency_ms, child.profile.latency_ms
    return (
        f"Trial {child.number} ({network(child)}) takes {after:.3g} ms in place of {before:.3g} ms, "
        f"with {state.settings.metric} {state.score(child):.4g} in place of {state.score(parent):.4g}."
    )
