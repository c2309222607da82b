"""What was inferred about a study's data and why, possible problems, and the split of the rows."""

from __future__ import annotations

from lepton_automl.modality import modality_of
from lepton_automl.specs import DataSpec
from lepton_automl.task import task_of

from .labels import clean, html_text
from .page import bullet_list
from .page import facts as listed_facts

MOST_CHARACTERS = 400  # characters of a note at most


class DataReport(DataSpec):
    """A `DataSpec` with a readable form, as text and in a notebook."""

    def __str__(self) -> str:
        lines = [title(self), *(f"{name}: {detail}" for name, detail in facts(self).items())]
        notes = [f"inferred: {clean(note, MOST_CHARACTERS)}" for note in self.notes]
        return "\n".join([*lines, *notes, *(f"problem: {clean(warning, MOST_CHARACTERS)}" for warning in self.warnings)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The report as HTML without scripts, for a notebook."""
        inferred = f"<b>Inferred</b>{bullet_list(self.notes)}" if self.notes else ""
        problems = f"<b>Possible problems</b>{bullet_list(self.warnings)}" if self.warnings else ""
        return f"<div><b>{html_text(title(self))}</b>{listed_facts(facts(self).items())}{inferred}{problems}</div>"


def title(spec: DataSpec) -> str:
    """The task and the target."""
    return f"{task_of(spec).title(spec)} of {clean(spec.target, 40)}"


def facts(spec: DataSpec) -> dict[str, str]:
    """The size of the data and the split of the rows, by name."""
    what = modality_of(spec).describe(spec)
    validation = f"{spec.folds}-fold cross-validation" if spec.folds else f"{spec.validation:,} validation"
    rows = f"{spec.train:,} training, {validation}, {spec.test:,} held-out test"
    return {"data": what, "rows": rows} | ({"classes": f"{len(spec.classes)} classes"} if spec.classes else {})
