"""The inference accelerator: every allowed way to run a network is tried on the target, and the fastest that is good enough stays.

First all are made, opened and raced, each beside the others and the reference. Then the files are scored, the fastest
first, until one keeps the accuracy. Where a faster one does not, milder ones of its kind are tried, which are as fast or nearly:
whole numbers by another tool, weights of 7 bits, then floats for the layers that whole numbers harm most. The winner's settings are tuned, and where something simpler is as fast,
that is taken.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lepton_automl.deployment.eager import TorchModel
from lepton_automl.deployment.open_artifact import InferenceSession
from lepton_automl.deployment.runtime import SLOW_QUANTIZER, Source, get_runtime, runtimes_for
from lepton_automl.deployment.verify import ExpectedAnswers, compare, expected_answers
from lepton_automl.errors import BundleError, LeptonError, in_one_line
from lepton_automl.jobs import VariantResult
from lepton_automl.measurement_lock import MeasurementLock
from lepton_automl.measuring.latency import BenchmarkResult, interleaved_benchmark
from lepton_automl.measuring.statistics import compare_times
from lepton_automl.profile import Measurement
from lepton_automl.specs import Deployment
from lepton_automl.task import drop
from lepton_automl.variant import Variant

from .cost import reference

SECONDS = 0.4  # of timing for each way; as they race, their differences are sharper than their figures
MILDER = (1, 2, 4, 8)  # layers left in floats, one try after another
BASELINE = "the network itself, to compare with"
MOST_ROW_DIFFERENCE = (
    0.1  # mean difference between rows' answers alone and among others, of whole numbers, as a share of their spread
)


@dataclass(frozen=True)
class VariantBench:
    """Where ways are timed and scored.

    Args:
        target: The device, its runtimes, and what may be lost.
        metric: The score that is to be kept.
        call: Makes of an opened model what one call on the target does.
        score: Scores an opened model.
        measurement_lock: Closed while timing.
        reference_ms: The reference's quiet time; None to take what is measured alongside.
        progress: Told what is done, for whoever waits.
        guarded: Whether files of OpenVINO's are opened in a process of their own first; a worker process is one already.
        alone: Rows that are asked of the network one by one; all that files are compared on by default.
    """

    target: Deployment
    metric: str
    call: Callable[[InferenceSession], Callable[[], object]]
    score: Callable[[InferenceSession], dict[str, float]]
    measurement_lock: MeasurementLock
    reference_ms: float | None = None
    progress: Callable[[str], None] = lambda _: None
    guarded: bool = False
    alone: int | None = None


@dataclass
class CandidateVariant:
    """One way on its trial.

    Args:
        variant: The way.
        path: Its file.
        model: The file, opened.
        benchmark: What the last race found.
        scores: Its scores, once somebody asked.
        why: Why it is out; empty while it is not.
    """

    variant: Variant
    path: Path
    model: InferenceSession
    benchmark: BenchmarkResult | None = None
    scores: dict[str, float] = field(default_factory=dict)
    why: str = ""

    @property
    def latency(self) -> Measurement:
        """Its time in the last race."""
        assert self.benchmark is not None
        return self.benchmark.latency

    def result(self, outcome: str) -> VariantResult:
        """The evidence."""
        size = self.path.stat().st_size
        latency = self.benchmark.latency if self.benchmark else None
        return VariantResult(variant=self.variant, latency=latency, scores=self.scores, size_bytes=size, said=outcome)


@dataclass(frozen=True)
class BestVariant:
    """How a contest ended.

    Args:
        winner: The fastest that is good enough.
        before: The scores of the network itself.
        tried: The evidence, fastest first, those that could not be run last.
        speedup: How many times as fast as the network itself in PyTorch, timed in the winner's last race.
    """

    winner: CandidateVariant
    before: dict[str, float]
    tried: tuple[VariantResult, ...]
    speedup: float


def accelerate(source: Source, bench: VariantBench, folder: Path) -> BestVariant:
    """Find the fastest way to run a network whose score is good enough.

    Args:
        source: The network.
        bench: Where ways are timed and scored.
        folder: Where to leave the files.

    Raises:
        BundleError: Not one way answers.
        ExtraError: A runtime that the target names is not installed.
    """
    search = _VariantSearch(source, bench, folder)
    variants = [variant for runtime in runtimes_for(bench.target.runtimes) for variant in runtime.variants(source)]
    search.add(variant for variant in variants if variant.quantizer != SLOW_QUANTIZER)
    search.race(search.running)
    winner = search.simplest(search.fastest())
    winner = search.milder(winner, variants)
    winner = search.tuned(winner)
    return BestVariant(winner, search.before, search.evidence(winner), search.speedup(winner))


class _VariantSearch:
    """All ways to run one network."""

    def __init__(self, source: Source, bench: VariantBench, folder: Path) -> None:
        self.source, self.bench, self.folder = source, bench, folder
        self.all: list[CandidateVariant] = []
        self.failed: list[VariantResult] = []
        self.expected = expected_answers(source.module, source.inputs, alone=bench.alone)
        baseline = TorchModel(source.module.eval(), self.bench.target.threads)
        self.before = bench.score(baseline)
        self.baseline = CandidateVariant(Variant(runtime="torch"), source.model, baseline, scores=self.before, why=BASELINE)

    @property
    def running(self) -> list[CandidateVariant]:
        """Those that are not out."""
        return [candidate for candidate in self.all if not candidate.why]

    def add(self, variants: Iterable[Variant]) -> list[CandidateVariant]:
        """Make and open some; what cannot be is noted with its reason."""
        added = []
        for variant in variants:
            self.bench.progress(f"making {variant.name}")
            try:
                added.append(self._open(variant))
            except LeptonError as error:
                self.failed.append(VariantResult(variant=variant, said=str(error).splitlines()[0]))
        self.all += added
        return added

    def _open(self, variant: Variant) -> CandidateVariant:
        runtime, target = get_runtime(variant.runtime), self.bench.target
        # The runtimes that read ONNX share files: one that is made is not made again.
        path = self.folder / f"{_file_of(variant)}{runtime.suffix}"
        if not path.exists():
            runtime.write(variant, self.source, path)
        where = {"threads": target.threads, "rows": target.batch_size}
        if self.bench.guarded and not runtime.opens_safely(path, variant, **where):
            raise BundleError(f"{variant.name} ends the process that opens it")
        model = runtime.open(path, variant, **where)
        try:
            check_artifact(variant, model, self.expected)
        except LeptonError:
            raise
        except Exception as error:  # a kernel may refuse what the runtime has opened; their exceptions have no common base
            raise BundleError(f"{variant.name} cannot be run: {in_one_line(error)}") from error
        return CandidateVariant(variant, path, model)

    def race(self, candidates: list[CandidateVariant]) -> None:
        """Time them beside each other."""
        self.bench.progress(f"timing {len(candidates)} ways to run it")
        target = self.bench.target
        calls = {str(number): self.bench.call(candidate.model) for number, candidate in enumerate(candidates)}
        with self.bench.measurement_lock.held():
            results = interleaved_benchmark(
                calls,
                reference(target.threads),
                reference_ms=self.bench.reference_ms,
                seconds=SECONDS,
                threads=target.threads,
            )
        for number, candidate in enumerate(candidates):
            candidate.benchmark = results[str(number)]

    def fastest(self) -> CandidateVariant:
        """The fastest that is good enough; those before it are out.

        Raises:
            BundleError: None is; the float file failed, then.
        """
        for candidate in sorted(self.running, key=lambda candidate: candidate.latency.median):
            if self._good(candidate):
                return candidate
        raise BundleError("no way to run this network answers as it does", where="accelerate", fix=self._reasons())

    def _good(self, candidate: CandidateVariant) -> bool:
        """Whether it keeps the score; asked once."""
        if not candidate.scores:
            self.bench.progress(f"scoring {candidate.variant.name}")
            candidate.scores = self.bench.score(candidate.model)
            lost = drop(self.bench.metric, self.before[self.bench.metric], candidate.scores[self.bench.metric])
            if lost > self.bench.target.max_drop and candidate.variant.precision != "fp32":
                candidate.why = f"its {self.bench.metric} is worse by {lost:.3g}; {self.bench.target.max_drop:g} is allowed"
        return not candidate.why

    def _reasons(self) -> str:
        return " ".join(f"{tried.variant.name}: {tried.said}." for tried in self.failed)

    def simplest(self, winner: CandidateVariant) -> CandidateVariant:
        """Of those that are as fast as the winner, as far as can be told, the one that needs least."""
        for candidate in sorted(self.running, key=lambda candidate: _requirements(candidate.variant)):
            if candidate is winner:
                break
            if _compared(candidate, winner) == "equal" and self._good(candidate):
                return candidate
        return winner

    def milder(self, winner: CandidateVariant, variants: Sequence[Variant]) -> CandidateVariant:
        """The winner, or a milder one of those that were faster and lost too much, where it is faster still."""
        out = [
            candidate
            for candidate in self.all
            if candidate.why and candidate.variant.precision == "int8" and _compared(candidate, winner) == "faster"
        ]
        for lost in sorted(out, key=lambda candidate: candidate.latency.median)[:1]:
            good = next(
                (
                    candidate
                    for variant in self._milder(lost.variant, variants)
                    for candidate in self.add([variant])
                    if self._good(candidate)
                ),
                None,
            )
            if good is not None:
                self.race([winner, good])
                if _compared(good, winner) == "faster":
                    return good
        return winner

    def _milder(self, variant: Variant, variants: Sequence[Variant]) -> Iterator[Variant]:
        yield from (option for option in variants if option == variant.replace(quantizer=SLOW_QUANTIZER))
        yield variant.set(seven_bit=True)
        self.bench.progress("looking for layers that whole numbers harm")
        harmed = self.source.quantizer.sensitive()
        for count in MILDER:
            if count < len(harmed):
                yield variant.replace(floats=tuple(harmed[:count]))

    def tuned(self, winner: CandidateVariant) -> CandidateVariant:
        """The winner in the settings that suit it best."""
        variant = winner.variant
        added = self.add(get_runtime(variant.runtime).settings(variant, self.bench.target.threads))
        for candidate in added:
            candidate.scores = winner.scores  # the same file, in the same runtime
        self.race([winner, *added, self.baseline])
        best = min(added, key=lambda candidate: candidate.latency.median, default=winner)
        return best if _compared(best, winner) == "faster" else winner

    def speedup(self, winner: CandidateVariant) -> float:
        """How many times as fast as the network itself, round by round of the last race."""
        assert winner.benchmark is not None and self.baseline.benchmark is not None
        return 1 / compare_times(winner.benchmark.ratios, self.baseline.benchmark.ratios).ratio

    def evidence(self, winner: CandidateVariant) -> tuple[VariantResult, ...]:
        """What became of each."""
        ordered = sorted(
            (candidate for candidate in [*self.all, self.baseline] if candidate.benchmark),
            key=lambda candidate: candidate.latency.median,
        )
        ranked = [
            candidate.result("chosen" if candidate is winner else candidate.why or _slower(candidate, winner))
            for candidate in ordered
        ]
        untimed = [candidate.result(candidate.why) for candidate in self.all if not candidate.benchmark]
        return (*ranked, *untimed, *self.failed)


def check_artifact(variant: Variant, model: InferenceSession, expected: ExpectedAnswers) -> None:
    """Make sure that an artifact can be believed: floats answer as the network itself, and a row alike alone and among others.

    Of whole numbers the score tells the rest. OpenVINO 2026.4 was seen to answer with whatever lay in its memory.

    Args:
        variant: What it is.
        model: The artifact, opened.
        expected: What the network itself answers, together and one by one.

    Raises:
        BundleError: It cannot.
    """
    if variant.precision == "fp32":
        try:
            compare(expected, model)
        except BundleError as error:
            raise BundleError(f"{variant.name}: {error.what}") from error
        return
    rows = expected.rows
    answers = model(rows)
    if answers.shape != expected.together.shape or not np.isfinite(answers).all():
        raise BundleError(f"{variant.name} answers otherwise: {answers.shape}, or not with numbers")
    alone = np.concatenate([model({name: array[n : n + 1] for name, array in rows.items()}) for n in range(len(answers))])
    spread = float(expected.together.std()) or 1.0
    if not np.isfinite(alone).all() or float(np.abs(alone - answers).mean()) > MOST_ROW_DIFFERENCE * spread:
        raise BundleError(f"{variant.name} answers rows otherwise alone than among others")


def _file_of(variant: Variant) -> str:
    """A name that tells one file from another: neither the runtime nor its settings. Layers' names may hold slashes."""
    if not variant.quantizer:
        return "float"
    content = json.dumps([variant.floats, bool(variant.options.get("seven_bit"))])
    return f"{variant.precision}-{variant.quantizer}-{zlib.crc32(content.encode()):08x}"


def _requirements(variant: Variant) -> tuple[int, int]:
    """What a way asks of whoever runs it: a second runtime, numbers of another kind."""
    return (not get_runtime(variant.runtime).preferred, ("fp32", "int8", "int8-dynamic", "bf16").index(variant.precision))


def _compared(candidate: CandidateVariant, other: CandidateVariant) -> str:
    """Whether the first is faster; those of one race are compared round by round."""
    assert candidate.benchmark is not None and other.benchmark is not None
    mine, theirs = candidate.benchmark.ratios, other.benchmark.ratios
    count = min(len(mine), len(theirs))
    return compare_times(mine[:count], theirs[:count]).outcome


def _slower(candidate: CandidateVariant, winner: CandidateVariant) -> str:
    ratio = candidate.latency.median / winner.latency.median
    if ratio < 1:
        return f"no faster, as far as can be told, and the winner needs less ({ratio:.2f} times its time)"
    return f"takes {ratio:.2f} times as long"
