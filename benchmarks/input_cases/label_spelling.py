"""Labels that differ only in their spelling, or begin with a zero."""

from __future__ import annotations

from pathlib import Path

from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare

from .case import case
from .columns import SPELLING, ZEROS, has_note, prepared, table, text_rows, warned, written

ALIKE = {
    "yes, YES and Yes": ["yes", "YES", "Yes", "no"],
    "an underscore": ["not spam", "not_spam", "spam"],
    "a full stop": ["<=50K", "<=50K.", ">50K", ">50K."],
    "two forms of é": ["caf\u00e9", "cafe\u0301", "bar"],
}


def _spell(name: str, labels: list[str]) -> None:
    @case(SPELLING, name)
    def alike(folder: Path) -> None:
        spec, _ = prepared(table([1.5, 2.5, 3.5], labels), folder)
        assert set(spec.classes) == set(labels)
        warned(spec, "labels of 'y' differ only in their spelling")


for _name, _labels in ALIKE.items():
    _spell(_name, _labels)


def _zero(name: str, labels: list[str]) -> None:
    @case(ZEROS, name)
    def kept(folder: Path) -> None:
        spec, _ = prepared(table([1.5, 2.5, 3.5], labels), folder)
        assert spec.classes == tuple(sorted(labels))
        has_note(spec, "begins with a zero")


_zero("01234", ["01234", "98052", "10001"])
_zero("all with zeros", ["001", "002", "003"])
_zero("two labels", ["00", "01"])
_zero("more labels than are guessed", [f"{code:04}" for code in range(30)])


@case(ZEROS, "in a file")
def _(folder: Path) -> None:
    path = written(folder / "file", text_rows(["1.5", "2.5"], ["01234", "98052"]))
    assert prepare(path, folder / "data", DataOptions(target="y")).classes == ("01234", "98052")
