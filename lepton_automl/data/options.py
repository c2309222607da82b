"""What a person may say about their data; all of it is inferred where they say nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from lepton_automl._json import Value
from lepton_automl.errors import Complaints, one_of
from lepton_automl.task import Task

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, kw_only=True)
class DataOptions(Value):
    """What overrides an inference about a source of data.

    Args:
        name: A short name for people; else taken from the source.
        target: The column to predict; else one called target, label, class or y, else the last one.
        task: `"binary"`, `"multiclass"` or `"regression"`.
        split_column: The column that says train, validation or test; `""` to use none.
        split: Which folders of pictures are splits: None to decide by their names, False where every folder is a class, or the
            split of each by its name, such as `{"Part1": "train", "Part2": "test"}`.
        group_column: Rows that share a value here stay on one side of every split.
        time_column: Later rows become validation, the latest test.
        ignore: Columns to leave out.
        categorical: Columns to treat as categories.
        numeric: Columns to treat as numbers.
        missing: Texts that mean "no value" besides blank cells, such as `["NA", "?"]`: for every column, or `{column: texts}`.
            Without it, NA, null, ? and the like mean it among numbers and dates, and are kept among categories and labels.
        decimal: The decimal sign, `"."` or `","`, of columns whose numbers can be read with either, as 1,234.
        dayfirst: Whether dates that can be read either way, as 1/2/2024, have the day first.
        test: A path to test data kept apart.
        test_share: Share of the rows to seal as the test split, where none is given.
        validation_share: Share of the other rows to choose by, at most 10,000 rows.
        folds: Folds to cross-validate over; 0 for a validation split; None for 5 folds below 1,000 rows.
        image_size: (height, width), or one number for both.
        channels: 1 for grey, 3 for RGB.
        class_weight: `"balanced"`, a weight for each label (one that is not named has 1), or None.
        infinite: What to do with infinite numbers: `"error"`, or treat them as `"missing"`.
        seed: Of the random splits.

    Raises:
        ConfigError: Something is out of range; all of it is listed.
    """

    name: str = ""
    target: str | None = None
    task: Task | None = None
    split_column: str | None = None
    split: Any = None
    group_column: str | None = None
    time_column: str | None = None
    ignore: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    missing: Any = ()
    decimal: Literal[".", ","] | None = None
    dayfirst: bool | None = None
    test: str | None = None
    test_share: float = 0.2
    validation_share: float = 0.2
    folds: int | None = None
    image_size: tuple[int, int] | None = None
    channels: Literal[1, 3] | None = None
    class_weight: Any = None
    infinite: Literal["error", "missing"] = "error"
    seed: int = 0

    def __post_init__(self) -> None:
        self._tidy()
        complaints = Complaints("DataOptions")
        tasks = get_args(Task)
        complaints.check(
            self.task is None or self.task in tasks, f"there is no task {self.task!r}", one_of(str(self.task), tasks)
        )
        for name in ("test_share", "validation_share"):
            share = getattr(self, name)
            good = isinstance(share, int | float) and not isinstance(share, bool) and 0 < share < 1
            complaints.check(good, f"{name} is {share!r}; it must lie between 0 and 1")
        split = self.split
        known = isinstance(split, dict) and split and all(role in SPLITS for role in split.values())
        complaints.check(
            split is None or split is False or known,
            f"split is {split!r}; it must be False, or name a split for each folder: {', '.join(SPLITS)}",
        )
        folds = self.folds
        whole = folds is None or (isinstance(folds, int) and not isinstance(folds, bool) and (folds == 0 or 2 <= folds <= 20))
        complaints.check(whole, f"folds is {folds!r}; it must be 0, or from 2 to 20")
        size = self.image_size
        sides = size is None or (len(size) == 2 and all(isinstance(side, int) and 4 <= side <= 1024 for side in size))
        complaints.check(sides, f"image_size is {size!r}; each side must be a whole number from 4 to 1024")
        complaints.check(self.channels in (None, 1, 3), f"channels is {self.channels!r}; it must be 1 or 3")
        complaints.check(
            self.infinite in ("error", "missing"), f"infinite is {self.infinite!r}; it must be 'error' or 'missing'"
        )
        complaints.check(self.decimal in (None, ".", ","), f"decimal is {self.decimal!r}; it must be '.' or ','")
        complaints.check(self.dayfirst in (None, True, False), f"dayfirst is {self.dayfirst!r}; it must be True or False")
        weight = self.class_weight
        complaints.check(
            weight is None or weight == "balanced" or (isinstance(weight, dict) and all(w > 0 for w in weight.values())),
            f"class_weight is {weight!r}; it must be None, 'balanced', or a weight above 0 for each label",
        )
        both = sorted(set(self.categorical) & set(self.numeric))
        complaints.check(not both, f"{', '.join(both)} cannot be both categorical and numeric")
        complaints.raise_any()

    def _tidy(self) -> None:
        """Accept one name for many, lists for tuples, one side for a square; column names are text everywhere."""
        for name in ("target", "split_column", "group_column", "time_column"):
            given = getattr(self, name)
            object.__setattr__(self, name, None if given is None else str(given))
        for name in ("ignore", "categorical", "numeric"):
            given = getattr(self, name)
            object.__setattr__(self, name, (given,) if isinstance(given, str) else tuple(map(str, given)))
        given = self.missing
        texts = {column: _texts(part) for column, part in given.items()} if isinstance(given, dict) else _texts(given)
        object.__setattr__(self, "missing", texts)
        size: Any = self.image_size
        if size is not None:
            object.__setattr__(self, "image_size", (size, size) if isinstance(size, int) else tuple(size))

    def missing_in(self, column: str) -> frozenset[str]:
        """Texts that a person said to mean "no value" in a column."""
        return frozenset(self.missing.get(column, ()) if isinstance(self.missing, dict) else self.missing)


def _texts(given: Any) -> tuple[str, ...]:
    return (given.strip(),) if isinstance(given, str) else tuple(str(text).strip() for text in given or ())
