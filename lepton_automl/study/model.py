"""A finished model: predicts, reports on itself, is exported and registered."""

from __future__ import annotations

import shutil
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from lepton_automl.deployment.bundle import check_bundle
from lepton_automl.deployment.first_run import try_bundle
from lepton_automl.deployment.predictor import Predictor, Stream
from lepton_automl.deployment.signing import private_key, sign_bundle
from lepton_automl.errors import ConfigError

if TYPE_CHECKING:
    from lepton_automl.error_analysis import AnalysisSplit, ErrorAnalysis
    from lepton_automl.permutation_importance import ImportanceSplit
    from lepton_automl.profile import ResourceProfile
    from lepton_automl.refit import RefitRows
    from lepton_automl.reporting.bottleneck import BottleneckReport
    from lepton_automl.reporting.explanation import ExplanationReport
    from lepton_automl.reporting.permutation_importance import ImportanceReport

    from .client import StudyClient


class StudyModel:
    """One model of a study's front: the exported artifact, ready to run. Needs no torch.

    Args:
        study: The study it comes from.
        trial: The trial's number.
    """

    def __init__(self, study: StudyClient, trial: int) -> None:
        self.study = study
        self.number = trial
        self._predictor: Predictor | None = None

    def __repr__(self) -> str:
        size = self.size_bytes / 1e3
        metric = self.study.state.settings.metric
        return (
            f"<StudyModel {self.study.name}/{self.number}: {metric} {self.score:.4g}, {self.latency_ms:.3g} ms, {size:.0f} kB>"
        )

    @property
    def path(self) -> Path:
        """The bundle's folder."""
        return self.study.bundle(self.number)

    @property
    def score(self) -> float:
        """The study's metric on the validation split, of this exported artifact."""
        return self.study.state.score(self.study.state.trial(self.number))

    @property
    def score_interval(self) -> tuple[float, float] | None:
        """The 95 % interval of `score`, by a bootstrap of the validation rows; None if it is not known."""
        resampled = self.study.state.trial(self.number).resampled
        return resampled.intervals.get(self.study.state.settings.metric) if resampled else None

    @property
    def latency_ms(self) -> float:
        """Latency of one call on the deployment device, in milliseconds."""
        profile = self.study.state.trial(self.number).profile
        assert profile is not None
        return profile.latency_ms

    @property
    def size_bytes(self) -> int:
        """Bytes of the exported model file."""
        profile = self.study.state.trial(self.number).profile
        assert profile is not None
        return profile.size_bytes

    @property
    def test_scores(self) -> dict[str, float] | None:
        """Scores on the sealed test split, once `evaluate_test` has opened it; None before, and for unscored models.

        A model that was refitted after that has none: the scores are those of its twin.
        """
        tested, refitted = self.study.state.tested, self.study.state.trial(self.number).refitted
        if tested is None or (refitted and refitted.at > tested.at):
            return None
        return tested.scores.get(self.number)

    @property
    def refitted(self) -> bool:
        """Whether it was trained again on more rows after it was chosen; `score` is then that of its twin before."""
        return self.study.state.trial(self.number).refitted is not None

    def refit(self, *, rows: RefitRows = "validation", progress: bool = True) -> Self:
        """Train the model again, with the same settings and for as many epochs, on more rows; this model then has the new weights.

        Nothing is decided on these rows: runtime, precision, temperature and the quantiles of intervals stay as they are, and so
        does `score`, which is that of the twin before. `fit` does it for the chosen model where the budget allows.

        Args:
            rows: `"validation"` to learn from training and validation rows, `"all"` also from the test rows, once
                `evaluate_test` has opened them; such a model has no test score of its own.
            progress: Whether to show progress in a terminal.

        Returns:
            This model.

        Raises:
            StudyError: There are no further rows, the test split has not been opened, or the new model is worse than its twin
                even on rows that only it has learned from; the model then stays as it is.
        """
        from .refit import refit

        refit(self.study, self.number, rows=rows, progress=progress)
        self._predictor = None
        return self

    @property
    def predictor(self) -> Predictor:
        """The opened artifact."""
        if self._predictor is None:
            self._predictor = Predictor(self.path)
        return self._predictor

    def predict(self, raw: Any, *, coverage: float | None = None) -> Any:
        """Labels, or numbers in the target's own unit; with a coverage, sets of labels or intervals.

        Args:
            raw: One example or many. For a table: a dict, a Series, a DataFrame, or cells in the order of the columns. For
                images: a path, a Pillow image, or an array. For either: any source that `fit` takes, such as a file, a Dataset
                or a URL; labels in it are left out.
            coverage: The share of rows whose set or interval holds the truth, such as 0.9; None for single labels or numbers. See
                `Predictor.predict`.

        Returns:
            One prediction for one example, an array for many.

        Raises:
            ConfigError: The model was not calibrated for this coverage.
            InputError: The input does not fit the model.
            DataError: A source of many examples cannot be read.
        """
        with self._examples(raw) as examples:
            return self.predictor.predict(examples, coverage=coverage)

    def _examples(self, raw: Any) -> AbstractContextManager[Any]:
        from lepton_automl.data.sources import opened_examples

        return opened_examples(raw, self.predictor.modality, self.predictor.preprocess)

    def stream(self) -> Stream:
        """Open a stream for an example that arrives in pieces; the model's state is kept between them.

        Raises:
            ConfigError: The model keeps no state between calls.
        """
        return self.predictor.stream()

    def predict_proba(self, raw: Any) -> Any:
        """Probabilities of the classes, calibrated on the validation rows, in the order of `classes`."""
        with self._examples(raw) as examples:
            return self.predictor.predict_proba(examples)

    @property
    def classes(self) -> list[Any]:
        """Labels in the order of `predict_proba`; empty for regression."""
        return list(self.study.state.settings.data.classes)

    def bottleneck(self, *, tries: int = 1, progress: bool = True) -> BottleneckReport:
        """Where the time of a call goes, layer by layer, what limits it, and what single changes would gain.

        It takes about ten seconds in a worker process. Layers are timed by the runtime's own profiler and compared
        with the limits of the machine (Williams et al., Roofline, CACM 52(4), 2009).

        Args:
            tries: How many of the most promising changes are built and timed beside the model.
            progress: Whether to show progress in a terminal.

        Returns:
            A report that prints as a few sentences, is displayed with a plot in a notebook, and can be saved.
        """
        from .bottleneck import bottleneck

        return bottleneck(self.study, self.number, tries=tries, progress=progress)

    def profile_resources(self, *, progress: bool = True) -> ResourceProfile:
        """What the model costs besides its latency, measured in a worker process in about ten seconds.

        Args:
            progress: Whether to show progress in a terminal.

        Returns:
            Size on disk, peak memory, cold start (load and first prediction in a fresh process), energy if the machine has a
            meter (else the reason why there is none), and latency and throughput by the number of rows.
        """
        from .bottleneck import portrait

        return portrait(self.study, self.number, progress=progress)

    def analyze_errors(self, *, split: AnalysisSplit | None = None, progress: bool = True) -> ErrorAnalysis:
        """The errors of the model, analyzed once in a worker process in about ten seconds, and cached.

        Args:
            split: `"validation"`, or `"test"` once `evaluate_test` has opened it; by default the validation rows. If scores
                are cross-validated there are none, and the default is usually `"held-out"`: every row, with the prediction of
                the network of this recipe that was trained without its fold. The model itself was trained on all rows. Rows
                that a refitted model has learned from are predicted by its twin.
            progress: Whether to show progress in a terminal.

        Returns:
            For classes, the confusion matrix, precision, recall, and accuracy by confidence; for numbers, true and predicted
            values; the worst examples, with their images or their cells.

        Raises:
            StudyError: The test split has not been evaluated, or there are no rows to analyze.
        """
        from .analyze_errors import analyze_errors

        return analyze_errors(self.study, self.number, split=split, progress=progress)

    def permutation_importance(
        self,
        *,
        split: ImportanceSplit | None = None,
        repeats: int | None = None,
        rows: int | None = None,
        seconds: float | None = None,
        progress: bool = True,
    ) -> ImportanceReport:
        """What matters to the model: how much worse the study's metric becomes without each column, or each region of the image.

        The values of a column are permuted among the rows (Breiman, 2001), and with them whatever is computed from the column;
        a region is covered with the mean pixel of the training images (Zeiler and Fergus, 2014). Columns that tell the same share
        their importance. It is measured with the exported artifact, in a worker process, and cached.

        Args:
            split: `"validation"`, `"test"` once `evaluate_test` has opened it, or `"train"`; by default the validation rows. If
                scores are cross-validated there are none, and the default is the test rows if they are open, else the training rows:
                these show what the model relies on, not what helps on new rows.
            repeats: How often each column is permuted; by default 5 times. Regions are covered once.
            rows: Rows at most, drawn at random; by default 1,000.
            seconds: Time limit, by default 5: where it would be exceeded there are fewer repeats, then fewer rows, then fewer columns.
            progress: Whether to show progress in a terminal.

        Returns:
            The mean drop of the metric and its standard deviation over repeats by column, the most important first (`frame`), with the
            number of rows and what was left out; it prints as a few sentences and is drawn in a notebook.

        Raises:
            StudyError: The test split has not been evaluated, or there are no such rows.
            DataError: Importance is not available for this modality, or the metric is not defined on the rows.
        """
        from .permutation_importance import permutation_importance

        return permutation_importance(
            self.study, self.number, split=split, repeats=repeats, rows=rows, seconds=seconds, progress=progress
        )

    def explain(
        self, raw: Any, *, evaluations: int | None = None, seconds: float | None = None
    ) -> ExplanationReport | list[ExplanationReport]:
        """Why the model answers as it does: what each column, or each region of the image, contributes to the answer.

        The contributions are Shapley values: with the mean answer for some training rows they add up to the answer. Columns that are
        unknown take the values of these rows; regions are covered with the image's mean colour. Few columns are enumerated, many
        are sampled (Štrumbelj and Kononenko, 2014), and then each contribution has a standard error.

        Args:
            raw: One example or many, as for `predict`.
            evaluations: How often the model may be asked for each example, by default 4,096 times; the error falls with the root.
            seconds: Time for each example; by default there is no limit.

        Returns:
            For one example, the contributions by part (`frame`, `parts`), the mean answer (`base`) and the answer; it prints as a
            few sentences and is drawn in a notebook. For many, a list of them.

        Raises:
            InputError: The input does not fit the model.
            ConfigError: Answers of this modality are not explained, or a limit is not positive.
        """
        from .explain import explain_examples

        with self._examples(raw) as examples:
            return explain_examples(self, examples, evaluations=evaluations, seconds=seconds)

    def code(self, out: str | Path | None = None) -> str:
        """A short script that trains this model's network again, with plain Lightning and parts of this package; see `Study.code`.

        Args:
            out: A file to write it to, which ends in `.py` or `.ipynb` (a notebook); None to write none.

        Returns:
            The script.

        Raises:
            ConfigError: The file has another ending, has other content already, or cannot be written.
        """
        from .code import trial_code

        return trial_code(self.study, self.number, out)

    def export(self, out: str | Path, *, key: str | Path | None = None) -> Path:
        """Copy the bundle to a folder of its own; it predicts with only NumPy and its runtime installed.

        Args:
            out: A folder that does not exist yet, or is empty.
            key: A file with the Ed25519 private key to sign it with, in PEM; None to leave it unsigned.

        Returns:
            The folder.

        Raises:
            ConfigError: The folder or the key cannot be used.
            BundleError: The bundle is damaged.
            ExtraError: A key is given, and the package `cryptography` is not installed.
        """
        signer = None if key is None else private_key(key)
        folder = Path(out).expanduser()
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            what = "is not empty" if folder.is_dir() else "is a file"
            raise ConfigError(f"{folder} {what}", where="export", fix="Give a new folder.")
        check_bundle(self.path)
        try:
            shutil.copytree(self.path, folder, dirs_exist_ok=True)
        except (OSError, shutil.Error) as error:
            raise ConfigError(f"{folder} cannot be written: {error}", where="export", fix="Give another folder.") from error
        if signer:
            sign_bundle(folder, signer)
        return folder

    def register(self, name: str | None = None, *, alias: str = "champion") -> str:
        """Register this model as a version in the MLflow registry; a model that is registered already keeps its version.

        Args:
            name: The registered model; by default the study's name.
            alias: The version's alias. It moves from the version that has it, and `Registry.roll_back` moves it back;
                `alias="challenger"` leaves the champion unchanged until `Registry.promote` changes it.

        Returns:
            The version.
        """
        from .tracking import StudyTracking

        return StudyTracking(self.study).register(self.number, name or self.study.name, alias)


def load_bundle(bundle: str | Path, *, public_key: str | Path | None = None) -> Predictor:
    """Open an exported bundle; no code in it is run.

    The model first predicts one row in a separate process, which has a minute and limited memory: a file that never responds,
    or takes all memory, fails there.

    Args:
        bundle: The folder.
        public_key: A file with the Ed25519 key that must have signed it, in PEM; None to require no signature.

    Raises:
        BundleError: It is damaged, was changed, is not signed by that key, or is not a bundle; or its model does not respond.
        ConfigError: The public key cannot be read.
        ExtraError: A public key is given, and the package `cryptography` is not installed.
    """
    try_bundle(Path(bundle), public_key)
    return Predictor(Path(bundle), public_key=public_key)
