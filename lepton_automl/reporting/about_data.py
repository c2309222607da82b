"""What was inferred about a study's data and why, what looks wrong, and how the rows were split."""

from __future__ import annotations

from lepton_automl.specs import DataSpec
from lepton_automl.texts import many

from .labels import clean, html_text
from .narrative import join_words
from .page import bullet_list
from .page import facts as listed_facts

SAID = 400  # characters of a sentence at most
KINDS = {"number": "numeric", "time": "time", "category": "categorical"}


class DataReport(DataSpec):
    """A `DataSpec` that can be read: printed, and in a notebook."""

    def __str__(self) -> str:
        lines = [title(self), *(f"{name}: {said}" for name, said in facts(self).items())]
        notes = [f"inferred: {clean(said, SAID)}" for said in self.notes]
        return "\n".join([*lines, *notes, *(f"problem: {clean(said, SAID)}" for said in self.warnings)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """For a notebook, without scripts."""
        inferred = f"<b>Inferred</b>{bullet_list(self.notes)}" if self.notes else ""
        problems = f"<b>What looks wrong</b>{bullet_list(self.warnings)}" if self.warnings else ""
        return f"<div><b>{html_text(title(self))}</b>{listed_facts(facts(self).items())}{inferred}{problems}</div>"


def title(spec: DataSpec) -> str:
    """What is to be learnt."""
    if spec.task == "regression":
        return f"regression of {clean(spec.target, 40)}"
    return f"{spec.task} classification of {clean(spec.target, 40)}"


def facts(spec: DataSpec) -> dict[str, str]:
    """Its size and its rows, by name."""
    if spec.modality == "image":
        channels, height, width = spec.shape
        what = f"images of {height} x {width}, {'grey' if channels == 1 else 'RGB'}"
    else:
        kinds = [kind for _, kind in spec.columns]
        counted = [many(kinds.count(kind), f"{name} column") for kind, name in KINDS.items() if kind in kinds]
        what = f"a table with {join_words(counted)}" if counted else "a table"
    held = f"{spec.folds} folds to choose by" if spec.folds else f"{spec.validation:,} to choose by"
    rows = f"{spec.train:,} rows to learn from, {held}, {spec.test:,} sealed"
    return {"data": what, "rows": rows} | ({"classes": f"{len(spec.classes)} classes"} if spec.classes else {})
