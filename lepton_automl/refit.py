"""The request to train a finished model again on more rows, and its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .jobs import TrialJob
from .profile import Profile
from .request import Request, Response
from .resampled import ResampledScores
from .variant import Variant

RefitRows = Literal["validation", "all"]  # added to the training rows: those for validation, or also the opened test rows


@dataclass(frozen=True, kw_only=True)
class RetrainJob(Request):
    """A request to train the network of a finished trial again, and to save it in the trial's folder: a member of an ensemble.

    Args:
        job: The trial.
        epochs: Epochs of its plan to train.
        trials: The trials that it inherited weights from, the first one first: they are trained again before.
        trial_epochs: Epochs of each of them.
        rows: The rows to learn from besides the training rows.
    """

    job: TrialJob
    epochs: int
    trials: tuple[TrialJob, ...] = ()
    trial_epochs: tuple[int, ...] = ()
    rows: RefitRows = "validation"


@dataclass(frozen=True, kw_only=True)
class RetrainResult(Response):
    """The answer to a `RetrainJob`.

    Args:
        trial: The trial's number.
    """

    trial: int


@dataclass(frozen=True, kw_only=True)
class RefitJob(Request):
    """A request after the search: train a finished model again, on training and validation rows, with the same plan.

    Nothing is decided on these rows: the epochs, the variant, the temperature and the quantiles are those of the twin, the model
    that the search chose.

    Args:
        job: The trial of the twin.
        epochs: Epochs of its plan to train, up to the one whose weights the twin has.
        trials: The trials that it inherited weights from, the first one first: they are trained again before.
        trial_epochs: Epochs of each of them.
        bundles: Of an ensemble, the folders of its retrained networks, in the order of its members; it is only put together.
        retrained: Of an ensemble, the trials whose networks were trained again; the others are as they were.
        rows: The rows to learn from besides the training rows.
        variant: The runtime and precision that were chosen for the twin.
        scores: The scores of the twin's artifact.
        profile: Its costs.
        resampled: Its scores on the study's resamples.
    """

    job: TrialJob
    epochs: int
    trials: tuple[TrialJob, ...] = ()
    trial_epochs: tuple[int, ...] = ()
    bundles: tuple[str, ...] = ()
    retrained: tuple[int, ...] = ()
    rows: RefitRows = "validation"
    variant: Variant
    scores: dict[str, float]
    profile: Profile
    resampled: ResampledScores | None = None


@dataclass(frozen=True, kw_only=True)
class RefitResult(Response):
    """The answer to a `RefitJob`.

    Args:
        trial: The trial's number.
        rows: The rows that the model learned from besides the training rows.
        learned: How many rows it learned from.
        epochs: Epochs that it was trained for.
        seconds: Seconds that all of it took.
        retrained: Of an ensemble, the trials whose networks were trained again.
    """

    trial: int
    rows: RefitRows
    learned: int
    epochs: int
    seconds: float
    retrained: tuple[int, ...] = ()
