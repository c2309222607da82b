"""Running a study from its configuration to its end: assembles the parts, and decides nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from lepton_automl import families
from lepton_automl.events import CommandReceived, Event, HostBenchmarked, Noted, TrialEnded, TrialProposed
from lepton_automl.execution.capacity import affordable_workers
from lepton_automl.execution.executor import Executor, start_executor
from lepton_automl.jobs import HostBenchmark, HostBenchmarkJob, Teacher, TrialJob
from lepton_automl.journal import Journal
from lepton_automl.locks import measurement_lock_path
from lepton_automl.search.budget import affordable_epochs, charged_preparation
from lepton_automl.search.early_stopper import EarlyStopper
from lepton_automl.search.forecast import Forecaster
from lepton_automl.search.loop import Loop
from lepton_automl.search.pace import Pace
from lepton_automl.search.propose import Proposer
from lepton_automl.search.sampler import make_sampler
from lepton_automl.search.stopping import rungs
from lepton_automl.search.warm import warm_start_designs
from lepton_automl.space import Config
from lepton_automl.state import StudyState
from lepton_automl.study_config import StudyConfig
from lepton_automl.study_store import BUNDLE, SPARE, TEACHER_FILE, remove_checkpoint, study_journal, trial_folder, write_problem
from lepton_automl.trial import Trial

from .custom_networks import checked, others
from .limits import check_limits
from .origin import study_started
from .post_search import FinalistAccelerator
from .salvage import check_intact
from .startup import LEAST, LONGEST, StartupPhase

FOLD_SHARE = 1 / 3  # of the epochs of a plan that a training on folds gets: no learning curve ends it early


def run_study(
    config: StudyConfig,
    folder: Path,
    announce: Callable[[Event], None] = lambda _: None,
    inbox: Callable[[], Iterable[CommandReceived]] = lambda: (),
    *,
    since: float | None = None,
    prepared: float = 0.0,
    reserve: Callable[[], float] | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> StudyState:
    """Run a search in this process, with worker processes of its own; a study that has begun is resumed.

    Args:
        config: The configuration, with prepared data. A study that has begun uses the one in its journal instead.
        folder: The study's folder, which exists.
        announce: Called with every event after it is written.
        inbox: Returns the commands since its last call.
        since: When the study was launched, by the executor's clock; the budget counts from there. By default now.
        prepared: Seconds before the launch that prepared the data; they count too, up to a share of the budget.
        reserve: Returns the seconds to reserve for the work after the search; see `BudgetTracker`.
        tell: Called with what a study that has not begun waits for, and with an empty text when it continues.

    Returns:
        The final state of the study.

    Raises:
        LimitError: No known network of the space meets the hard limits; raised before any training.
        StudyError: The journal is damaged; `lepton repair` repairs it.
    """
    workers, note = affordable_workers(config.workers, data=folder / "data")
    executor = start_executor(config.executor, workers, folder / "workers", name=config.name, settings=config.executor_settings)
    adapted, notes = config.replace(workers=workers), (note,) if note else ()
    try:
        return search(
            adapted,
            folder,
            executor,
            announce,
            inbox,
            since=since,
            prepared=prepared,
            reserve=reserve,
            finish=True,
            tell=tell,
            notes=notes,
        )
    finally:
        executor.close()


def search(
    config: StudyConfig,
    folder: Path,
    executor: Executor,
    announce: Callable[[Event], None] = lambda _: None,
    inbox: Callable[[], Iterable[CommandReceived]] = lambda: (),
    *,
    since: float | None = None,
    prepared: float = 0.0,
    reserve: Callable[[], float] | None = None,
    finish: bool = False,
    chosen_only: bool = False,
    tell: Callable[[str], None] = lambda _: None,
    notes: tuple[str, ...] = (),
) -> StudyState:
    """Run a search on a given executor.

    Args:
        notes: Warnings about the machine, noted at the start.
        finish: Whether the front's models are accelerated at the end; a recording has no models.
        chosen_only: Whether only the chosen model will be kept; see `FinalistAccelerator`.

    For the other arguments see `run_study`.
    """
    journal, past = study_journal(folder), check_intact(folder)
    is_new = not any(isinstance(event, HostBenchmarked) for event in past)
    if is_new:
        startup = StartupPhase(executor, inbox, tell)
        past = _begin(config, folder, executor, journal, announce, since, prepared, startup, notes)
        inbox = startup.inbox
    start = 1 + next(number for number, event in enumerate(past) if isinstance(event, HostBenchmarked))
    state = StudyState().feed(past[:start])
    forecaster = Forecaster(state)
    job = jobs(state, folder)
    loop = Loop(
        state,
        journal=journal,
        executor=executor,
        proposer=make_proposer(state, forecaster),
        early_stopper=EarlyStopper(state, forecaster),
        forecaster=forecaster,
        job=job,
        announce=_with_tidying(folder, state, announce),
        inbox=inbox,
        missing=lambda: next(filter(None, map(write_problem, (folder, Path(tempfile.gettempdir())))), ""),
        reserve=reserve,
        finalists=FinalistAccelerator(state, executor, job, chosen_only=chosen_only) if finish else None,
    )
    loop.replay(past[start:], lost=not is_new and len(past) > start)
    for note in () if is_new else notes:
        loop.write(Noted(at=executor.now(), text=note, level="warning"))
    for trial in state.trials.values():  # a search may be lost between a trial's end and the removal of its checkpoint
        _forget(folder, state, trial.number)
    return loop.run()


def _with_tidying(folder: Path, state: StudyState, announce: Callable[[Event], None]) -> Callable[[Event], None]:
    """Wrap `announce` so that checkpoints are removed once the journal has the end of their trials, unless still needed."""
    numbers: set[int] = set()

    def announce_and_tidy(event: Event) -> None:
        if isinstance(event, TrialEnded):
            for number in numbers | {event.result.trial}:
                _forget(folder, state, number)
            numbers.clear()
            numbers.update(state.checkpointed)
        announce(event)

    return announce_and_tidy


def _forget(folder: Path, state: StudyState, number: int) -> None:
    if number not in state.running and number not in state.checkpointed:
        remove_checkpoint(folder, number)


def _begin(  # noqa: PLR0917  # the parts of one search, in its order
    config: StudyConfig,
    folder: Path,
    executor: Executor,
    journal: Journal,
    announce: Callable[[Event], None],
    since: float | None,
    prepared: float,
    startup: StartupPhase,
    warnings: tuple[str, ...],
) -> list[Event]:
    """Benchmark the host and write the first events; a reader sees all of them or none."""
    seconds = config.budget.seconds(config.deployment.device, config.workers)
    charged, note = charged_preparation(prepared, seconds)
    warnings = (*warnings, note) if note else warnings
    began = (executor.now() if since is None else since) - charged
    started = study_started(began, config)
    limit = max(LEAST, seconds or LONGEST)
    config, notes = checked(config, folder, executor, startup, limit)
    benchmark = benchmark_host(config, folder, executor, startup, limit)
    began += startup.idle  # idle time does not count against the budget
    trainings = config.data.folds + 1  # of one trial: each fold, and all rows
    epochs = config.train.epochs
    if config.data.folds:  # every fold trains equally long, so this is decided now; else each learning curve decides
        usual = max(1, round(epochs * FOLD_SHARE))
        epochs = affordable_epochs(usual, benchmark.epoch_seconds * trainings, seconds, config.workers)
        config = config.replace(train=config.train.replace(epochs=epochs))
    events: list[Event] = [
        started.replace(at=began, config=config),
        HostBenchmarked(at=executor.now(), benchmark=benchmark, epochs=epochs),
        *(Noted(at=executor.now(), text=note, level="warning") for note in (*warnings, *notes)),
    ]
    for path in (journal.path, folder / SPARE):  # left by a search that was killed between the two; no result is lost
        path.unlink(missing_ok=True)
    for event in events:
        journal.append(event)
        announce(event)
    return events


def benchmark_host(
    config: StudyConfig,
    folder: Path,
    executor: Executor,
    on_tick: Callable[[], None] = lambda: None,
    limit: float = LONGEST,
) -> HostBenchmark:
    """Benchmark the machine, and check at once that the limits can be met.

    Args:
        on_tick: Called a few times a second. For the other arguments see `run_study`.
        limit: Maximum seconds.
    """
    request = HostBenchmarkJob(
        data=config.data,
        deployment=config.deployment,
        smallest=families.smallest(config.space, config.data),
        usual=config.space.defaults,
        train=config.train,
        prune=config.prune,
        folder=str(folder),
        measurement_lock=measurement_lock_path(),
        factory=config.factory,
        costs=config.costs(config.deployment),
        others=others(config),
        time_epoch=bool(config.data.folds),  # each fold trains for a fixed number of epochs; else learning curves decide
    )
    benchmark = executor.run(request, on_tick, limit=limit)
    assert isinstance(benchmark, HostBenchmark)
    check_limits(config.deployment, benchmark)
    return benchmark


def make_proposer(state: StudyState, forecaster: Forecaster) -> Proposer:
    """The proposer of a study: its sampler, after the family's first designs."""
    config = state.settings

    def identity(candidate: Config) -> object:
        recipe = families.final_recipe(candidate, config.data, config.prune, config.factory)
        active = candidate if config.factory else families.active(candidate, config.data)
        return str(recipe), tuple(sorted((name, setting) for name, setting in active.items() if name.startswith("train.")))

    drawn = config.space if config.factory else families.searched(config.space, config.data)
    sampler = make_sampler(config.sampler, drawn, config.objectives, seed=config.seed, hyperparameters=config.grid)
    usual = families.first_designs(config.space, config.data, config.factory)
    first = [] if config.factory else families.baselines(config.space, config.data)
    if sampler.first_designs:
        first += warm_start_designs(config.prior_trials, config.space, usual)
    forecasts = forecaster if sampler.forecast else None

    def children(trial: Trial) -> list[Config]:
        """What a finished trial's network can be pruned to; a custom network's weights cannot be inherited."""
        return (
            []
            if config.factory or trial.is_ensemble
            else families.children(trial.proposed.config, config.space, config.data, config.prune)
        )

    def macs(candidate: Config) -> float:
        return float(families.final_recipe(candidate, config.data, config.prune, config.factory).macs)

    return Proposer(
        state,
        sampler,
        forecaster=forecasts,
        first=first,
        children=children,
        drawn=drawn,
        pace=None if config.budget.seconds(config.deployment.device, config.workers) is None else Pace(state, macs),
        identity=identity,
        seed=config.seed,
    )


def teacher_of(state: StudyState, folder: Path, event: TrialProposed) -> Teacher | None:
    """What a trial's network learns from besides the targets; None for nothing."""
    settings = state.settings
    if not event.config.get(families.TEACHER):
        return None
    if settings.teacher == "given":
        return Teacher(answers=str(folder / TEACHER_FILE))
    models = [state.trials[number] for number in event.teachers]
    if not models:  # proposed before there were any
        return None
    return Teacher(
        bundles=tuple(str(trial_folder(folder, model.number) / BUNDLE) for model in models),
        inputs=tuple(families.trial_spec(state.network_config(model), settings.data).input for model in models),
    )


def jobs(state: StudyState, folder: Path) -> Callable[[Trial], TrialJob]:
    """A function that returns the job of a trial."""
    config, host_benchmark = state.settings, state.host_benchmark
    assert host_benchmark is not None
    measurement_lock = measurement_lock_path()
    epochs, folds, recovery = config.train.epochs, config.data.folds, config.epochs_of(child=True)
    # Trials are compared after pruning, where scores begin; with folds, after the first and the second fold.
    fresh = (epochs, 2 * epochs) if folds else rungs(config.prune.cut_epoch(epochs) + 1, epochs)

    def job(trial: Trial) -> TrialJob:
        event, settings = trial.proposed, state.network_config(trial)
        child = event.parent is not None
        plan = config.train.replace(seed=config.seed * 100_003 + event.trial)
        return TrialJob(
            trial=event.trial,
            uid=event.uid,
            config=settings,
            data=families.trial_spec(settings, config.data, config.factory),
            deployment=state.settings.deployment,  # its limits may have changed meanwhile
            train=plan.replace(epochs=recovery) if child else plan,
            prune=config.prune,
            metric=config.metric,
            rungs=rungs(1, recovery) if child else fresh,
            folder=str(trial_folder(folder, event.trial)),
            measurement_lock=measurement_lock,
            since=trial.resumed.at if trial.resumed else event.at,
            done=trial.resumed.epoch if trial.resumed else 0,
            reference_ms=host_benchmark.benchmark.reference.median,
            parent=None if event.parent is None else str(trial_folder(folder, event.parent) / BUNDLE),
            teacher=teacher_of(state, folder, event),
            factory=config.factory,
            costs=config.costs(state.settings.deployment),
        )

    return job
