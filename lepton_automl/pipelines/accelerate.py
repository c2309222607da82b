"""The inference accelerator: tries every allowed variant of a network on the target and keeps the fastest that is good enough.

All variants are exported, opened and timed in one interleaved benchmark with the reference. They are scored, the fastest
first, until one has an allowed score drop on half of the rows. It is kept if its drop on the other half is allowed too: these
rows did not choose it. If a faster int8 variant loses too much, fallback_variants ones are tried: another
quantizer, 7-bit weights, then float32 for the layers that quantization harms most. Finally the winner's runtime settings
are tuned, and a simpler variant is preferred if it is as fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lepton_automl.deployment.artifact import float_variants
from lepton_automl.deployment.open_artifact import InferenceSession
from lepton_automl.deployment.programs import torch_session
from lepton_automl.deployment.runtime import Source, get_runtime, runtimes_for
from lepton_automl.deployment.verify import expected_answers
from lepton_automl.errors import BundleError, LeptonError
from lepton_automl.jobs import VariantResult
from lepton_automl.measurement_lock import MeasurementLock
from lepton_automl.measuring.latency import BenchmarkResult, interleaved_benchmark
from lepton_automl.measuring.resource_profile import bytes_on_disk
from lepton_automl.measuring.statistics import compare_times
from lepton_automl.objective import Direction
from lepton_automl.profile import Measurement
from lepton_automl.specs import Deployment
from lepton_automl.task import drop
from lepton_automl.variant import Variant

from .cost import reference
from .open_variant import open_variant
from .time_allowance import TimeAllowance
from .variant_scores import VariantScores

SECONDS = 0.4  # seconds of timing per variant; interleaving makes differences more precise than absolute times
FALLBACK_SHARE, TUNING_SHARE = 0.5, 0.75  # of the time: later, costly attempts are not begun, so that there is a result
BASELINE = "the network in PyTorch, as the baseline"


@dataclass(frozen=True)
class VariantBench:
    """How variants are timed and scored.

    Args:
        deployment: The device, its runtimes, and the largest score drop.
        metric: The score whose drop is limited.
        direction: Whether a higher or a lower score is better.
        call: Returns a function that makes one call of an opened model on the target.
        score: Scores an opened model.
        measurement_lock: Held while timing.
        reference_ms: The reference's time on the quiet machine; None to use the time that is measured alongside.
        progress: Called with a description of each step.
        guarded: Whether OpenVINO files are first opened in a separate process; not needed in a worker.
        alone: Rows that are also run one by one for comparison; all by default.
        before: The scores of the network's float32 file in ONNX Runtime, if known; else it is scored in PyTorch, which is slow.
        time: How long it may take.
    """

    deployment: Deployment
    metric: str
    direction: Direction
    call: Callable[[InferenceSession], Callable[[], object]]
    score: Callable[[InferenceSession], VariantScores]
    measurement_lock: MeasurementLock
    reference_ms: float | None = None
    progress: Callable[[str], None] = lambda _: None
    guarded: bool = False
    alone: int | None = None
    before: VariantScores | None = None
    time: TimeAllowance = field(default_factory=TimeAllowance)


@dataclass
class CandidateVariant:
    """One variant under test.

    Args:
        variant: The runtime, precision and settings.
        path: The exported file.
        model: The opened file.
        benchmark: Its last benchmark.
        scored: Its scores, once computed.
        why: Why it was rejected; empty if it was not.
    """

    variant: Variant
    path: Path
    model: InferenceSession
    benchmark: BenchmarkResult | None = None
    scored: VariantScores | None = None
    why: str = ""

    @property
    def scores(self) -> dict[str, float]:
        """Its scores on all rows; empty before they are computed."""
        return self.scored.scores if self.scored else {}

    @property
    def latency(self) -> Measurement:
        """Its time in the last benchmark."""
        assert self.benchmark is not None
        return self.benchmark.latency

    def result(self, outcome: str) -> VariantResult:
        """The result to report."""
        size = bytes_on_disk(self.path)
        latency = self.benchmark.latency if self.benchmark else None
        return VariantResult(variant=self.variant, latency=latency, scores=self.scores, size_bytes=size, outcome=outcome)


@dataclass(frozen=True)
class BestVariant:
    """The best variant of a network, and the results of all others.

    Args:
        winner: The fastest variant that is good enough.
        before: The scores of the network.
        tried: The results of all variants, fastest first, those that could not be run last.
        speedup: Speed relative to the network in PyTorch, from the winner's last benchmark.
    """

    winner: CandidateVariant
    before: dict[str, float]
    tried: tuple[VariantResult, ...]
    speedup: float


def accelerate(source: Source, bench: VariantBench, folder: Path) -> BestVariant:
    """Find the fastest variant of a network whose score is good enough.

    Args:
        source: The network.
        bench: How variants are timed and scored.
        folder: Where to write the files.

    Raises:
        BundleError: No variant gives correct outputs.
        ExtraError: A runtime that the target names is not installed.
    """
    search = _VariantSearch(source, bench, folder)
    variants = []
    for runtime in runtimes_for(bench.deployment.runtimes):
        tried, left_out = float_variants(runtime, source)
        variants += tried
        search.leave_out(left_out)
    search.add(variants)
    search.benchmark_variants(search.running)
    winner = search.simplest(search.fastest())
    winner = search.confirmed(search.fallback_variants(winner))
    winner = search.tuned(winner)
    return BestVariant(winner, search.before.scores, search.results(winner), search.speedup(winner))


class _VariantSearch:
    """The search for the best variant of one network."""

    def __init__(self, source: Source, bench: VariantBench, folder: Path) -> None:
        self.source, self.bench, self.folder = source, bench, folder
        self.all: list[CandidateVariant] = []
        self.failed: list[VariantResult] = []
        self.expected = expected_answers(source.module, source.inputs, alone=bench.alone)
        baseline = torch_session(source.module.eval(), self.bench.deployment.threads)
        self.before = bench.before or bench.score(baseline)
        self.baseline = CandidateVariant(Variant(runtime="torch"), source.model, baseline, scored=self.before, why=BASELINE)

    @property
    def running(self) -> list[CandidateVariant]:
        """The candidates that were not rejected."""
        return [candidate for candidate in self.all if not candidate.why]

    def add(self, variants: Iterable[Variant]) -> list[CandidateVariant]:
        """Export and open variants; failures are recorded with their reason."""
        added = []
        for variant in variants:
            self.bench.progress(f"exporting {variant.name}")
            try:
                added.append(self._open(variant))
            except LeptonError as error:
                self.failed.append(VariantResult(variant=variant, outcome=str(error).splitlines()[0]))
        self.all += added
        return added

    def leave_out(self, variants: Iterable[Variant]) -> None:
        """Record variants that are not tried, with the reason."""
        reason = (
            f"not tried: a network of {len(self.source.programs)} programs is not quantized, as its loop accumulates errors"
        )
        self.failed += [VariantResult(variant=variant, outcome=reason) for variant in variants]

    def _open(self, variant: Variant) -> CandidateVariant:
        deployment, guarded = self.bench.deployment, self.bench.guarded
        path, model = open_variant(variant, self.source, self.folder, deployment, self.expected, guarded=guarded)
        return CandidateVariant(variant, path, model, scored=self.bench.before if variant == Variant() else None)

    def benchmark_variants(self, candidates: list[CandidateVariant]) -> None:
        """Time candidates in one interleaved benchmark."""
        self.bench.progress(f"timing {len(candidates)} variants")
        deployment = self.bench.deployment
        calls = {str(number): self.bench.call(candidate.model) for number, candidate in enumerate(candidates)}
        with self.bench.measurement_lock.held():
            results = interleaved_benchmark(
                calls,
                reference(deployment.threads),
                reference_ms=self.bench.reference_ms,
                seconds=SECONDS,
                threads=deployment.threads,
            )
        for number, candidate in enumerate(candidates):
            candidate.benchmark = results[str(number)]

    def fastest(self) -> CandidateVariant:
        """The fastest candidate that is good enough; faster ones are rejected.

        Raises:
            BundleError: No candidate is good enough, which means that the float32 files failed.
        """
        for candidate in sorted(self.running, key=lambda candidate: candidate.latency.median):
            if self._good(candidate):
                return candidate
        raise BundleError("no exported variant of this network reproduces its outputs", where="accelerate", fix=self._reasons())

    def _good(self, candidate: CandidateVariant) -> bool:
        """Whether a candidate's score drop is allowed; the score is computed once."""
        if candidate.scored is None:
            self.bench.progress(f"scoring {candidate.variant.name}")
            candidate.scored = self.bench.score(candidate.model)
            loss = drop(self.bench.direction, self.before.choosing, candidate.scored.choosing)
            if loss > self.bench.deployment.max_score_drop and candidate.variant.precision != "fp32":
                candidate.why = (
                    f"its {self.bench.metric} drops by {loss:.3g}; at most {self.bench.deployment.max_score_drop:g} is allowed"
                )
        return not candidate.why

    def confirmed(self, winner: CandidateVariant) -> CandidateVariant:
        """The winner if its score drop is also allowed on the rows that did not choose it, else the fastest float32 variant.

        Only one lossy variant is decided on these rows: the best of several could pass by chance.
        """
        if winner.variant.precision == "fp32" or winner.scored is None:
            return winner
        loss = drop(self.bench.direction, self.before.deciding, winner.scored.deciding)
        if loss <= self.bench.deployment.max_score_drop:
            return winner
        for candidate in self.running:
            if candidate.variant.precision != "fp32":
                candidate.why = "not decided: another lossy variant was, and failed"
        winner.why = (
            f"its {self.bench.metric} drops by {loss:.3g} on the rows that did not choose it; "
            f"at most {self.bench.deployment.max_score_drop:g} is allowed"
        )
        return self.simplest(self.fastest())

    def _reasons(self) -> str:
        return " ".join(f"{tried.variant.name}: {tried.outcome}." for tried in self.failed)

    def simplest(self, winner: CandidateVariant) -> CandidateVariant:
        """The candidate with the fewest requirements among those not measurably slower than the winner."""
        for candidate in sorted(self.running, key=lambda candidate: _requirements(candidate.variant)):
            if candidate is winner:
                break
            if _speed_relation(candidate, winner) == "equal" and self._good(candidate):
                return candidate
        return winner

    def fallback_variants(self, winner: CandidateVariant) -> CandidateVariant:
        """A fallback_variants form of a faster candidate whose score dropped too much, if it is still faster; else the winner."""
        lossy = [
            candidate
            for candidate in self.all
            if candidate.why and candidate.variant.precision == "int8" and _speed_relation(candidate, winner) == "faster"
        ]
        for rejected in sorted(lossy, key=lambda candidate: candidate.latency.median)[:1]:
            fallbacks = get_runtime(rejected.variant.runtime).fallback_variants(rejected.variant, self.source)
            good = next(
                (
                    candidate
                    for variant in self.bench.time.within(FALLBACK_SHARE, fallbacks)
                    for candidate in self.add([variant])
                    if self._good(candidate)
                ),
                None,
            )
            if good is not None:
                self.benchmark_variants([winner, good])
                if _speed_relation(good, winner) == "faster":
                    return good
        return winner

    def tuned(self, winner: CandidateVariant) -> CandidateVariant:
        """The winner with its fastest runtime settings."""
        variant = winner.variant
        settings = get_runtime(variant.runtime).settings(variant, self.bench.deployment.threads)
        added = self.add(self.bench.time.within(TUNING_SHARE, settings))
        for candidate in added:
            candidate.scored = winner.scored  # the same file, in the same runtime
        self.benchmark_variants([winner, *added, self.baseline])
        best = min(added, key=lambda candidate: candidate.latency.median, default=winner)
        return best if _speed_relation(best, winner) == "faster" else winner

    def speedup(self, winner: CandidateVariant) -> float:
        """Speed relative to the network in PyTorch, compared by rounds of the last benchmark."""
        assert winner.benchmark is not None and self.baseline.benchmark is not None
        return 1 / compare_times(winner.benchmark.ratios, self.baseline.benchmark.ratios).ratio

    def results(self, winner: CandidateVariant) -> tuple[VariantResult, ...]:
        """The results of all variants, fastest first."""
        ordered = sorted(
            (candidate for candidate in [*self.all, self.baseline] if candidate.benchmark),
            key=lambda candidate: candidate.latency.median,
        )
        ranked = [
            candidate.result("chosen" if candidate is winner else candidate.why or _why_not_chosen(candidate, winner))
            for candidate in ordered
        ]
        untimed = [candidate.result(candidate.why) for candidate in self.all if not candidate.benchmark]
        return (*ranked, *untimed, *self.failed)


def _requirements(variant: Variant) -> tuple[int, int]:
    """A sort key of what a variant requires: an extra runtime, then a precision other than float32."""
    return (not get_runtime(variant.runtime).preferred, ("fp32", "int8", "int8-dynamic", "bf16").index(variant.precision))


def _speed_relation(candidate: CandidateVariant, other: CandidateVariant) -> str:
    """Whether the candidate is `"faster"`, `"slower"` or `"equal"`, compared by rounds of one benchmark."""
    assert candidate.benchmark is not None and other.benchmark is not None
    mine, theirs = candidate.benchmark.ratios, other.benchmark.ratios
    count = min(len(mine), len(theirs))
    return compare_times(mine[:count], theirs[:count]).outcome


def _why_not_chosen(candidate: CandidateVariant, winner: CandidateVariant) -> str:
    ratio = candidate.latency.median / winner.latency.median
    if ratio < 1:
        return f"not measurably faster, and the winner has fewer requirements ({ratio:.2f} times its latency)"
    return f"takes {ratio:.2f} times as long"
