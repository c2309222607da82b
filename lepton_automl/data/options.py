"""The user's options for their data; whatever is not set is inferred."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from lepton_automl import plugins
from lepton_automl._json import Value
from lepton_automl.errors import Complaints, ConfigError, LeptonError, one_of
from lepton_automl.modality import Modality, modality_named
from lepton_automl.plugins import names

# Scores that gain from a logarithm of skewed targets; the squared error loses, as the mean of a logarithm is not that of the target.
RELATIVE_METRICS = ("mae", "mape", "rmsle")


@dataclass(frozen=True, kw_only=True, init=False)
class DataOptions(Value):
    """Options that override what is inferred about a source of data.

    Options are keyword arguments, also those of modalities and tasks: `DataOptions(target="price", image_size=64)`.

    Args:
        name: A short display name; by default taken from the source.
        modality: The kind of data, such as `"image"`; by default recognised.
        target: The column to predict, or several columns of zeros and ones, one per label; by default the column named target,
            label, class or y, else the last one.
        file_column: The column of a table that names the file of each example; by default a column of names of existing files, if
            there are besides it only labels and splits.
        file_folder: The folder that these names are relative to; by default the table's own, or the current folder.
        task: The task, such as `"binary"`, `"multiclass"` or `"regression"`.
        missing: Texts that mean "no value" besides blank cells, such as `["NA", "?"]`: for every column, or `{column: texts}`.
            Without it, NA, null, ? and the like are missing values in numbers and dates, and are kept in categories and labels.
        decimal: The decimal sign, `"."` or `","`, for columns whose numbers can be read either way, such as 1,234.
        dayfirst: Whether dates that can be read either way, such as 1/2/2024, have the day first.
        test: A path to separate test data.
        test_share: Share of the rows for the test split, if no test data are given.
        validation_share: Share of the other rows for the validation split, at most 10,000 rows.
        folds: Folds to cross-validate over; 0 for a validation split; None for 5 folds below 1,000 rows.
        target_transform: Whether networks learn a number itself (`"none"`), its logarithm (`"log"`), its square root (`"sqrt"`), or
            what the training rows suggest (`"auto"`). Scores and answers are in the target's own unit in any case.
        class_weight: `"balanced"`, a weight for each label (1 for those not named), or None.
        seed: Seeds the random splits.
        pretrained: Published weights to keep with the data, for networks to start from: see `AutoML`.
        particular: The options of each modality and task, one object each.

    Raises:
        ConfigError: An option is out of range; all such options are listed.
    """

    name: str = ""
    modality: str | None = None
    target: str | tuple[str, ...] | None = None
    file_column: str | None = None
    file_folder: str | None = None
    task: str | None = None
    missing: Any = ()
    decimal: Literal[".", ","] | None = None
    dayfirst: bool | None = None
    test: str | None = None
    test_share: float = 0.2
    validation_share: float = 0.2
    folds: int | None = None
    target_transform: Literal["auto", "none", "log", "sqrt"] = "none"
    class_weight: Any = None
    seed: int = 0
    pretrained: str = "none"
    particular: dict[str, Any] = field(default_factory=dict)

    def __init__(self, **settings: Any) -> None:
        complaints = Complaints("DataOptions")
        common = {item.name: item for item in dataclasses.fields(DataOptions)}
        unknown = [name for name in settings if name not in option_names()]
        if unknown:
            raise TypeError(f"DataOptions got an unexpected keyword argument {unknown[0]!r}")
        for name, item in common.items():
            default = item.default if item.default is not dataclasses.MISSING else {}
            object.__setattr__(self, name, settings.get(name, default))
        particular = {
            f"{group}.{plugin}": options(**{name: settings[name] for name in _fields(options) if name in settings})
            for group, plugin, options in _particular()
        }
        object.__setattr__(self, "particular", particular)
        self._tidy()
        self._check(complaints)
        for options in particular.values():
            options.check(complaints)
        complaints.raise_any()

    def _tidy(self) -> None:
        """Convert column names, and texts that stand for missing values, to strings."""
        target: Any = self.target
        if isinstance(target, list | tuple):
            object.__setattr__(self, "target", tuple(map(str, target)))
        elif target is not None:
            object.__setattr__(self, "target", str(target))
        for name in ("file_column", "file_folder"):
            value: Any = getattr(self, name)
            object.__setattr__(self, name, None if value is None else str(value))
        missing = self.missing
        texts = {column: _texts(part) for column, part in missing.items()} if isinstance(missing, dict) else _texts(missing)
        object.__setattr__(self, "missing", texts)

    def _check(self, complaints: Complaints) -> None:
        for kind, group in (("task", "tasks"), ("modality", "modalities")):
            value, known = getattr(self, kind), names(group)
            complaints.check(value is None or value in known, f"there is no {kind} {value!r}", one_of(str(value), known))
        for name in ("test_share", "validation_share"):
            share = getattr(self, name)
            valid = isinstance(share, int | float) and not isinstance(share, bool) and 0 < share < 1
            complaints.check(valid, f"{name} is {share!r}; it must lie between 0 and 1")
        folds = self.folds
        valid = folds is None or (isinstance(folds, int) and not isinstance(folds, bool) and (folds == 0 or 2 <= folds <= 20))
        complaints.check(valid, f"folds is {folds!r}; it must be 0, or from 2 to 20")
        complaints.check(self.decimal in (None, ".", ","), f"decimal is {self.decimal!r}; it must be '.' or ','")
        valid = isinstance(self.pretrained, str)
        complaints.check(valid, f"pretrained is {self.pretrained!r}; it must be 'auto', 'none', names or a path")
        complaints.check(self.dayfirst in (None, True, False), f"dayfirst is {self.dayfirst!r}; it must be True or False")
        transforms = ("auto", "none", "log", "sqrt")
        complaints.check(
            self.target_transform in transforms,
            f"target_transform is {self.target_transform!r}",
            one_of(str(self.target_transform), transforms),
        )
        weight = self.class_weight
        complaints.check(
            weight is None or weight == "balanced" or (isinstance(weight, dict) and all(w > 0 for w in weight.values())),
            f"class_weight is {weight!r}; it must be None, 'balanced', or a weight above 0 for each label",
        )

    def of(self, group: str, plugin: str) -> Any:
        """The options of one plug-in, such as `of("modalities", "image")`."""
        return self.particular[f"{group}.{plugin}"]

    def implied_task(self) -> str | None:
        """The task whose own options are set; None if none are.

        Raises:
            ConfigError: Options of a task other than the requested one are set, or options of two tasks.
        """
        options_of = {
            plugin: [name for name in _fields(options) if getattr(self.of(group, plugin), name) != getattr(options(), name)]
            for group, plugin, options in _particular()
            if group == "tasks"
        }
        implied = [plugin for plugin, named in options_of.items() if named]
        conflicting = [plugin for plugin in implied if self.task not in (None, plugin)] or implied[1:]
        if conflicting:
            what = f"{', '.join(options_of[conflicting[0]])} is for the task {conflicting[0]!r}"
            raise ConfigError(what, where="DataOptions", fix="Leave it out, or set task to this one.")
        return implied[0] if implied else None

    def check_modality(self, modality: Modality) -> None:
        """Check that no option of another modality is set.

        Raises:
            ConfigError: An option of another modality is set; all such options are listed.
        """
        complaints = Complaints("DataOptions")
        if self.pretrained not in {"auto", "none"} and not getattr(modality, "pretrained", False):
            what = f"pretrained is {self.pretrained!r}; there are no published networks for {modality.usage.plural}"
            complaints.add(what, "Leave pretrained out.")
        for group, plugin, options in _particular():
            if group == "modalities" and plugin != modality.name:
                chosen, default = self.particular[f"{group}.{plugin}"], options()
                for name in _fields(options):
                    if getattr(chosen, name) != getattr(default, name):
                        what = f"{name} is for {modality_named(plugin).usage.plural}; these are {modality.usage.plural}"
                        complaints.add(what, f"Leave {name} out.")
        complaints.raise_any()

    def replace(self, **changes: Any) -> Self:
        """A copy with some options changed, also those of modalities and tasks."""
        return type(self)(**{**self.settings, **changes})

    @property
    def settings(self) -> dict[str, Any]:
        """All options by name."""
        own = {item.name: getattr(self, item.name) for item in dataclasses.fields(self) if item.name != "particular"}
        for group, plugin, options in _particular():
            own |= {name: getattr(self.particular[f"{group}.{plugin}"], name) for name in _fields(options)}
        return own

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The options back from `to_json`."""
        common = {name: item for name, item in data.items() if name != "particular"}
        for group, plugin, options in _particular():
            own = options.from_json(data.get("particular", {}).get(f"{group}.{plugin}", {}))
            common |= {name: getattr(own, name) for name in _fields(options)}
        return cls(**common)

    def missing_in(self, column: str) -> frozenset[str]:
        """Texts that the user declared as missing values in a column."""
        return frozenset(self.missing.get(column, ()) if isinstance(self.missing, dict) else self.missing)


def _particular() -> Iterator[tuple[str, str, type[Any]]]:
    """Each plug-in that has options of its own: its group, its name, the class of its options."""
    for group in ("modalities", "tasks"):
        for plugin in names(group):
            try:
                options = getattr(plugins.load(group, plugin), "Options", None)
            except LeptonError:  # a plug-in that cannot be loaded is reported where it is needed
                continue
            if options is not None:
                yield group, plugin, options


def _fields(options: type[Any]) -> list[str]:
    return [item.name for item in dataclasses.fields(options)]


@functools.cache
def option_names() -> tuple[str, ...]:
    """The names of all options."""
    own = [item.name for item in dataclasses.fields(DataOptions) if item.name != "particular"]
    return (*own, *(name for _, _, options in _particular() for name in _fields(options)))


def options_for_metric(metric: Any) -> dict[str, Any]:
    """The options that a metric suggests, unless the user sets them."""
    return {"target_transform": "auto"} if metric in RELATIVE_METRICS else {}


def _texts(words: Any) -> tuple[str, ...]:
    return (words.strip(),) if isinstance(words, str) else tuple(str(text).strip() for text in words or ())
