"""Image folders as found in practice: split folders, 16-bit pixels, links, labels in a table, and very large photos."""

from __future__ import annotations

import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare
from lepton_automl.example_files import read_examples
from lepton_automl.modalities.image.preprocess.images import ImagePreprocess
from lepton_automl.modalities.image.spec import image_input
from lepton_automl.shipped import load_preprocess
from lepton_automl.specs import DataSpec

from .case import case

SPLITS = "A5 split folders by other names"
LEVELS = "A6 pixel levels"
LINKS = "A10 class folders that are links"
TABLE = "B labels in a table next to the images"
SEALED = "A9 nothing is learned from test images"


def photo(path: Path, seed: int, side: int = 8) -> Path:
    """A small image of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)).save(path)
    return path


def photos(*folders: Path, each: int = 6) -> None:
    """Different images in each folder."""
    for number, folder in enumerate(folders):
        for n in range(each):
            photo(folder / f"{n}.png", 1000 * number + n)


def ready(source: Any, folder: Path, **options: Any) -> DataSpec:
    """Prepare the data next to their source."""
    return prepare(source, folder / "prepared", DataOptions(folds=0, **options))


def counts(spec: DataSpec) -> tuple[int, int, int]:
    """Rows of each split."""
    return spec.train, spec.validation, spec.test


def arranged(folder: Path, *names: str, each: int = 6) -> Path:
    """A source with images in each of these folders."""
    photos(*(folder / "in" / name for name in names), each=each)
    return folder / "in"


@case(SPLITS, "Training and Testing")
def _(folder: Path) -> None:
    spec = ready(arranged(folder, "Training/cat", "Training/dog", "Testing/cat", "Testing/dog"), folder)
    assert spec.classes == ("cat", "dog") and spec.test == 12
    assert "Testing is test, Training is train" in " ".join(spec.notes), spec.notes


@case(SPLITS, "Train, valid and dev of the same classes")
def _(folder: Path) -> None:
    spec = ready(arranged(folder, "Train/cat", "Train/dog", "dev/cat", "dev/dog"), folder)
    assert spec.classes == ("cat", "dog") and spec.validation == 12


@case(SPLITS, "a labelled train folder and a flat test folder")
def _(folder: Path) -> None:
    spec = ready(arranged(folder, "train/cat", "train/dog", "test"), folder)
    assert spec.classes == ("cat", "dog") and sum(counts(spec)) == 12
    assert "6 images of 'test' have no class" in spec.warnings[0]


@case(SPLITS, "a prefix, the name twice, and a folder to predict")
def _(folder: Path) -> None:
    names = [f"seg_{split}/seg_{split}/{label}" for split in ("train", "test") for label in ("sea", "street")]
    spec = ready(arranged(folder, *names, "seg_pred/seg_pred"), folder)
    assert spec.classes == ("sea", "street") and spec.test == 12, (spec.classes, counts(spec))


@case(SPLITS, "bus, car and train are classes")
def _(folder: Path) -> None:
    assert ready(arranged(folder, "bus", "car", "train"), folder).classes == ("bus", "car", "train")


@case(SPLITS, "bullet_train and test_tube are classes")
def _(folder: Path) -> None:
    assert ready(arranged(folder, "bullet_train", "test_tube"), folder).classes == ("bullet_train", "test_tube")


@case(SPLITS, "splits inside class folders")
def _(folder: Path) -> None:
    spec = ready(arranged(folder, "cat/train", "cat/test", "dog/train", "dog/test"), folder)
    assert spec.classes == ("cat", "dog") and spec.test == 12


@case(SPLITS, "train and test without classes", refused="named like splits, but contain no class folders")
def _(folder: Path) -> None:
    ready(arranged(folder, "train", "test"), folder)


@case(SPLITS, "splits that share no class", refused="share no class")
def _(folder: Path) -> None:
    ready(arranged(folder, "train/cat", "train/dog", "test/sea", "test/street"), folder)


@case(SPLITS, "split=False makes them classes")
def _(folder: Path) -> None:
    source = arranged(folder, "train/steam", "test/tube")
    assert ready(source, folder, split=False).classes == ("test", "train")


@case(SPLITS, "split= names them")
def _(folder: Path) -> None:
    source = arranged(folder, "part1/cat", "part1/dog", "part2/cat", "part2/dog")
    spec = ready(source, folder, split={"part1": "train", "part2": "test"})
    assert spec.classes == ("cat", "dog") and spec.test == 12


def deep(folder: Path, values: np.ndarray, ending: str = "png") -> Path:
    """Two classes of images whose pixels are not bytes, [N, H, W]."""
    for number, pixels in enumerate(values):
        path = folder / "in" / ("dark", "light")[number % 2] / f"{number}.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return folder / "in"


def grey(spec: DataSpec) -> int:
    """The number of grey levels in the prepared images."""
    return len(np.unique(np.load(Path(spec.folder) / "rows" / "image.npy")))


def noise(low: float, high: float, dtype: Any, rows: int = 20) -> np.ndarray:
    return np.random.default_rng(0).uniform(low, high, (rows, 8, 8)).astype(dtype)


def same_at_prediction(spec: DataSpec, path: Path) -> None:
    """Assert that prediction reads the file of a training image as training did."""
    preprocess = load_preprocess(json.loads((Path(spec.folder) / "preprocess.json").read_text()))
    pixels = preprocess.arrays(path)["image"][0]
    stored = [np.load(Path(spec.folder) / part / "image.npy") for part in ("rows", "test")]
    assert any((row == pixels).all() for part in stored for row in part)


@case(LEVELS, "float TIFF from 0 to 1")
def _(folder: Path) -> None:
    spec = ready(deep(folder, noise(0, 1, np.float32), "tif"), folder)
    assert grey(spec) > 200, grey(spec)
    same_at_prediction(spec, folder / "in/dark/0.tif")


@case(LEVELS, "16-bit PNG holding 0 to 3500")
def _(folder: Path) -> None:
    spec = ready(deep(folder, noise(0, 3500, np.uint16)), folder)
    assert grey(spec) > 200, grey(spec)
    same_at_prediction(spec, folder / "in/light/1.png")


@case(LEVELS, "float TIFF from -1 to 1 in a zip")
def _(folder: Path) -> None:
    source = deep(folder, noise(-1, 1, np.float32), "tif")
    with zipfile.ZipFile(folder / "in.zip", "w") as archive:
        for path in source.rglob("*.tif"):
            archive.write(path, path.relative_to(source))
    assert grey(ready(folder / "in.zip", folder)) > 200


@case(LEVELS, "32-bit integers of a scanner")
def _(folder: Path) -> None:
    spec = ready(deep(folder, noise(-1000, 3000, np.int32), "tif"), folder)
    assert grey(spec) > 200, grey(spec)


@case(LEVELS, "a file with NaN", refused="not finite")
def _(folder: Path) -> None:
    spec = ready(deep(folder, noise(0, 1, np.float32), "tif"), folder)
    preprocess = load_preprocess(json.loads((Path(spec.folder) / "preprocess.json").read_text()))
    bad = noise(0, 1, np.float32)[0]
    bad[0, 0] = np.nan
    Image.fromarray(bad).save(folder / "bad.tif")
    preprocess.arrays(folder / "bad.tif")


@case(LEVELS, "an image from 0 to 255, for a model of 0 to 1", refused="lie between 0 and 1")
def _(folder: Path) -> None:
    spec = ready((noise(0, 1, np.float32), np.arange(20) % 2), folder)
    preprocess = load_preprocess(json.loads((Path(spec.folder) / "preprocess.json").read_text()))
    preprocess.arrays(noise(0, 255, np.float32)[0])


@case(LEVELS, "an image from 0 to 1, for a model of 0 to 255", refused="lie between 0 and 255")
def _(folder: Path) -> None:
    spec = ready((noise(0, 255, np.float32), np.arange(20) % 2), folder)
    preprocess = load_preprocess(json.loads((Path(spec.folder) / "preprocess.json").read_text()))
    preprocess.arrays(noise(0, 1, np.float32)[0])


@case(LEVELS, "one very bright pixel gives a warning")
def _(folder: Path) -> None:
    values = noise(0, 3500, np.uint16)
    values[:, 0, 0] = 0
    values[::3, 0, 0] = 65535
    spec = ready(deep(folder, values), folder)
    assert any("grey levels" in warning for warning in spec.warnings), spec.warnings


@case(SEALED, "levels of arrays")
def _(folder: Path) -> None:
    train, test = noise(0, 100, np.float32), noise(0, 5000, np.float32)
    spec = prepare((train, np.arange(20) % 2), folder / "a", DataOptions(folds=0), test=(test, np.arange(20) % 2))
    levels = json.loads((folder / "a/preprocess.json").read_text())["input"]["levels"]
    assert spec.test == 20 and levels[1] <= 100, levels


@case(SEALED, "levels of files")
def _(folder: Path) -> None:
    source = deep(folder / "train", noise(0, 300, np.uint16))
    sealed = deep(folder / "test", noise(0, 60_000, np.uint16))
    spec = prepare(source, folder / "a", DataOptions(folds=0), test=sealed)
    assert "20 validation or test images are far brighter" in " ".join(spec.warnings), spec.warnings
    assert json.loads((folder / "a/preprocess.json").read_text())["input"]["levels"][1] <= 300


def halves(dtype: Any, high: float) -> tuple[np.ndarray, np.ndarray]:
    """Images whose left half is black and whose right half is white, with their labels."""
    pixels = np.zeros((20, 8, 8))
    pixels[:, :, 4:] = high
    pixels[::2, :2] = high / 2
    return pixels.astype(dtype), np.arange(20) % 2


def sealed(spec: DataSpec) -> np.ndarray:
    """The prepared pixels of the test split."""
    return np.asarray(np.load(Path(spec.folder) / "test" / "image.npy"))


@case(SEALED, "test arrays from 0 to 1 with training arrays of bytes")
def _(folder: Path) -> None:
    spec = prepare(halves(np.uint8, 255), folder / "a", DataOptions(folds=0), test=halves(np.float32, 1))
    assert sealed(spec).max() == 255 and (sealed(spec)[:, 0, :, 7] == 255).mean() > 0.5


@case(SEALED, "test arrays up to 3500 with training arrays of bytes", refused="trained on pixels from 0 to 255")
def _(folder: Path) -> None:
    prepare(halves(np.uint8, 255), folder / "a", DataOptions(folds=0), test=halves(np.uint16, 3500))


@case(SEALED, "test arrays from 0 to 1 with training arrays from 0 to 255")
def _(folder: Path) -> None:
    spec = prepare(halves(np.float32, 255), folder / "a", DataOptions(folds=0), test=halves(np.float32, 1))
    assert "20 images have no value above 1" in " ".join(spec.warnings), spec.warnings


@case(SEALED, "16-bit test files with 8-bit training files")
def _(folder: Path) -> None:
    test = deep(folder / "test", halves(np.uint16, 65535)[0])
    spec = prepare(arranged(folder, "dark", "light", each=12), folder / "a", DataOptions(folds=0, channels=1), test=test)
    assert set(np.unique(sealed(spec))) == {0, 127, 255}, np.unique(sealed(spec))


@case(SEALED, "the size of images in a test folder")
def _(folder: Path) -> None:
    source = arranged(folder, "train/cat", "train/dog")
    for label in ("cat", "dog"):
        for n in range(30):
            photo(source / "test" / label / f"{n}.png", 50 + n, side=20)
    assert image_input(ready(source, folder)).shape == (3, 8, 8)


@case(SEALED, "colour in the test folder of grey training images")
def _(folder: Path) -> None:
    source = folder / "in"
    for label in ("cat", "dog"):
        for n in range(8):
            photo(source / "test" / label / f"{n}.png", n)
            path = photo(source / "train" / label / f"{n}.png", 50 + n)
            Image.open(path).convert("L").save(path)
    assert image_input(ready(source, folder)).shape == (1, 8, 8)


@case(LINKS, "a link to a class folder")
def _(folder: Path) -> None:
    source = arranged(folder, "cat")
    photos(folder / "elsewhere", folder / "dogs", each=6)
    (source / "dog").symlink_to(folder / "dogs")
    assert ready(source, folder).classes == ("cat", "dog")


@case(LINKS, "a circular link, and a broken one")
def _(folder: Path) -> None:
    source = arranged(folder, "cat", "dog")
    (source / "cat" / "again").symlink_to(source)
    (source / "dog" / "gone.png").symlink_to(folder / "nowhere.png")
    spec = ready(source, folder)
    assert sum(counts(spec)) == 12 and "2 links are broken or lead back" in spec.warnings[0], spec.warnings


@case(LINKS, "a source that is a link, with links to images")
def _(folder: Path) -> None:
    source = arranged(folder, "cat", "dog")
    photo(folder / "one.png", 99)
    (source / "cat" / "one.png").symlink_to(folder / "one.png")
    (folder / "link").symlink_to(source)
    assert sum(counts(ready(folder / "link", folder))) == 13


@case(LINKS, "a link in a tar gives a warning")
def _(folder: Path) -> None:
    source = arranged(folder, "cat", "dog")
    (source / "bird").symlink_to("cat")
    with tarfile.open(folder / "in.tar", "w") as archive:
        archive.add(source, "in")
    spec = ready(folder / "in.tar", folder)
    assert "1 links are not followed in an archive, and are left out, such as 'in/bird'" in spec.warnings[0], spec.warnings


@case(LINKS, "a folder to predict, with a link to a folder and a circular one")
def _(folder: Path) -> None:
    source = arranged(folder, "cat")
    photos(folder / "elsewhere", each=2)
    (source / "more").symlink_to(folder / "elsewhere")
    (source / "again").symlink_to(source)
    assert len(read_examples(str(source), ImagePreprocess((3, 8, 8), {}))) == 8


def labels(path: Path, rows: list[str]) -> None:
    path.write_text("\n".join(rows) + "\n")


@case(TABLE, "images and labels.csv")
def _(folder: Path) -> None:
    source = arranged(folder, "images", each=12)
    labels(source / "labels.csv", ["file,label", *(f"{n}.png,{('cat', 'dog')[n % 2]}" for n in range(12))])
    spec = ready(source, folder)
    assert spec.classes == ("cat", "dog") and sum(counts(spec)) == 12
    assert "the column 'label' of labels.csv" in " ".join(spec.notes)


@case(TABLE, "names without endings, and two columns")
def _(folder: Path) -> None:
    source = arranged(folder, "images", each=12)
    labels(source / "data.csv", ["id,price,breed", *(f"{n},{n * 10}.5,{('cat', 'dog')[n % 2]}" for n in range(12))])
    assert ready(source, folder, target="breed").classes == ("cat", "dog")


@case(TABLE, "two columns that could be the label", refused="several columns that could be the label")
def _(folder: Path) -> None:
    source = arranged(folder, "images", each=12)
    labels(source / "data.csv", ["id,price,breed", *(f"{n},{n * 10}.5,{('cat', 'dog')[n % 2]}" for n in range(12))])
    ready(source, folder)


@case(TABLE, "train and test flat, with train.csv")
def _(folder: Path) -> None:
    source = arranged(folder, "train", "test", each=12)
    labels(source / "train.csv", ["id,label", *(f"{n}.png,{('cat', 'dog')[n % 2]}" for n in range(12))])
    spec = ready(source, folder)
    assert spec.classes == ("cat", "dog") and sum(counts(spec)) == 12
    assert any("12 images have no label" in warning for warning in spec.warnings), spec.warnings


@case(TABLE, "rows of a missing image")
def _(folder: Path) -> None:
    source = arranged(folder, "images", each=12)
    labels(source / "labels.csv", ["file,label", *(f"{n}.png,{('cat', 'dog')[n % 2]}" for n in range(14))])
    assert any("2 rows of labels.csv have no image" in warning for warning in ready(source, folder).warnings)
