"""Label tables next to image folders, and folders that look like splits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lepton_automl.data.prepare import prepare

from .case import case
from .columns import scale
from .images import SPLITS, TABLE, arranged, counts, labels, ready

PETS = ("cat", "dog")


def beside(folder: Path, head: str, cells: Sequence[str], name: str = "labels.csv") -> Path:
    """Twelve images in `images/`, and a table next to it."""
    source = arranged(folder, "images", each=12)
    labels(source / name, [head, *cells])
    return source


@case(TABLE, "a column of splits")
def _(folder: Path) -> None:
    rows = [f"{n}.png,{PETS[n % 2]},{'test' if n > 7 else 'train'}" for n in range(12)]
    spec = ready(beside(folder, "file,label,split", rows), folder)
    assert spec.test == 4 and sum(counts(spec)) == 12, counts(spec)
    assert "'split' assigns rows to test, train" in spec.notes, spec.notes


@case(TABLE, "a column of splits, and one image in two of them", refused="gives 'images/0.png' two splits")
def _(folder: Path) -> None:
    rows = [f"{n}.png,{PETS[n % 2]},{'test' if n > 7 else 'train'}" for n in range(12)]
    ready(beside(folder, "file,label,set", [*rows, "0.png,cat,test"]), folder)


@case(TABLE, "paths from another machine")
def _(folder: Path) -> None:
    for number, above in enumerate(("/home/ann/photos/", "C:\\Users\\ann\\", "../data/", "gs://bucket/")):
        (folder / str(number)).mkdir()
        rows = [f"{above}{n}.png;{PETS[n % 2]}" for n in range(12)]
        spec = ready(beside(folder / str(number), "path;label", rows), folder / str(number))
        assert spec.classes == PETS and sum(counts(spec)) == 12, above


@case(TABLE, "different parent folders mean other images", refused="no column of labels.csv names the images")
def _(folder: Path) -> None:
    rows = [f"old/{('train', 'test')[n % 2]}/{n}.png,{PETS[n % 2]}" for n in range(12)]
    ready(beside(folder, "path,label", rows), folder)


@case(TABLE, "upper-case names, zeros and NA in labels")
def _(folder: Path) -> None:
    for number, two in enumerate((("01", "1"), ("NA", "EU"))):
        (folder / str(number)).mkdir()
        rows = [f"IMAGES/{n}.PNG,{two[n % 2]}" for n in range(12)]
        spec = ready(beside(folder / str(number), "file,label", rows), folder / str(number))
        assert spec.classes == tuple(sorted(two)) and sum(counts(spec)) == 12


@case(TABLE, "no header", refused="labels.csv has no header: its first line names the image '0.png'")
def _(folder: Path) -> None:
    rows = [f"{n}.png,{PETS[n % 2]}" for n in range(12)]
    ready(beside(folder, rows[0], rows[1:]), folder)


@case(TABLE, "other images", refused="no column of labels.csv names the images, such as 'images/0.png'")
def _(folder: Path) -> None:
    ready(beside(folder, "file,label", [f"photo-{n}.png,{PETS[n % 2]}" for n in range(12)]), folder)


@case(TABLE, "no such column", refused="names the images, such as 'images/0.png', next to a column 'breed'")
def _(folder: Path) -> None:
    ready(beside(folder, "file,label", [f"{n}.png,{PETS[n % 2]}" for n in range(12)]), folder, target="breed")


@case(TABLE, "numbers as labels")
def _(folder: Path) -> None:
    spec = ready(beside(folder, "file,age", [f'{n}.png,"{n},5"' for n in range(12)]), folder)
    assert spec.task == "regression" and 4 < scale(spec).mean < 8, scale(spec)


@case(TABLE, "the table is passed without its images: a warning")
def _(folder: Path) -> None:
    source = beside(folder, "path,size,label", [f"images/{n}.png,{n % 5},{PETS[n % 2]}" for n in range(12)])
    spec = prepare(source / "labels.csv", folder / "prepared")
    assert any("'path' names image files, which are not used" in warning for warning in spec.warnings), spec.warnings


@case(SPLITS, "names that are not splits, with the same classes: a warning")
def _(folder: Path) -> None:
    for number, names in enumerate((("eval", "holdout", "train"), ("fold_1", "fold_2"), ("Testdaten", "Trainingsdaten"))):
        source = arranged(folder / str(number), *(f"{name}/{pet}" for name in names for pet in PETS))
        spec = ready(source, folder / str(number))
        message = f"the folders {', '.join(names)} are used as classes, but contain the same folders (cat, dog)"
        assert any(warning.startswith(message) for warning in spec.warnings), spec.warnings
    spec = ready(source, folder, split={"Testdaten": "test", "Trainingsdaten": "train"})
    assert spec.classes == PETS and not spec.warnings


@case(SPLITS, "different folders in each class: no warning")
def _(folder: Path) -> None:
    spec = ready(arranged(folder, "cat/siam", "cat/maine", "dog/pug", "dog/poodle"), folder)
    assert spec.classes == PETS and not spec.warnings, spec.warnings
