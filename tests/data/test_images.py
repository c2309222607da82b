"""Image folders, zips, idx files and arrays become pixels, or an error that explains what is wrong."""

import base64
import gzip
import json
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lepton_automl.data.demo import digits
from lepton_automl.data.open import open_data
from lepton_automl.data.options import DataOptions
from lepton_automl.data.prepare import prepare
from lepton_automl.errors import ConfigError, DataError, LeptonError
from lepton_automl.modalities.image.preprocess.images import ImagePreprocess
from lepton_automl.modalities.image.spec import image_input
from lepton_automl.specs import DataSpec


def picture(path: Path, seed: int, size: tuple[int, int] = (12, 10), mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)


def photos(folder: Path, each: int = 12, splits: tuple[str, ...] = (".",), **how: object) -> Path:
    for s, split in enumerate(splits):
        for c, label in enumerate(("cat", "dog")):
            for n in range(each):
                ending = ("png", "jpg", "bmp", "gif", "webp")[n % 5] if not how else "png"
                picture(folder / split / label / f"{n}.{ending}", seed=s * 1000 + c * 100 + n, **how)
    return folder


def pixels(spec: DataSpec, part: str = "rows") -> np.ndarray:
    return np.load(Path(spec.folder) / part / "image.npy")


def zipped(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*.*"):
            archive.write(file, f"pets/{file.relative_to(folder)}")
        archive.writestr("__MACOSX/pets/._0.png", b"junk")
    return path


def test_a_folder_and_its_zip_give_the_same_data(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    folder = photos(tmp_path / "pets")
    (folder / "cat" / "readme.txt").write_text("miau")
    spec = prepare(folder, tmp_path / "a", DataOptions(folds=0), progress=lambda done, of: told.append((done, of)))
    assert (spec.modality, spec.task, spec.classes, spec.input.shape, spec.name) == (
        "image",
        "binary",
        ("cat", "dog"),
        (3, 10, 12),
        "pets",
    )
    assert (spec.train, spec.validation, spec.test) == (15, 4, 5)
    assert pixels(spec).shape == (19, 3, 10, 12) and pixels(spec, "test").shape == (5, 3, 10, 12)
    assert told[-1] == (24, 24) and "1 files that are not images" in "".join(spec.notes)
    assert spec.digest == prepare(zipped(folder, tmp_path / "pets.zip"), tmp_path / "b", DataOptions(folds=0)).digest
    with tarfile.open(tmp_path / "pets.tar.xz", "w:xz") as archive:
        archive.add(folder, "pets")
    assert spec.digest == prepare(tmp_path / "pets.tar.xz", tmp_path / "c", DataOptions(folds=0)).digest
    assert np.load(tmp_path / "a/example.npy").shape == (3, 10, 12, 3)


def test_folders_of_splits(tmp_path: Path) -> None:
    spec = prepare(photos(tmp_path / "in", splits=("train", "valid", "test")), tmp_path / "out")
    assert (spec.train, spec.validation, spec.test, spec.folds) == (24, 24, 24, 0)
    spec = prepare(tmp_path / "in/train", tmp_path / "out", test=tmp_path / "in/test")
    assert (spec.train, spec.test, spec.folds) == (24, 24, 5)


def test_user_folders_are_never_cleared(tmp_path: Path) -> None:
    folder = photos(tmp_path / "in", splits=("train", "test"))
    with pytest.raises(DataError, match="the folder holds other files"):
        prepare(folder, folder)
    assert len(list(folder.rglob("*.*"))) == 48
    spec = prepare(folder, tmp_path / "out")
    assert prepare(folder, tmp_path / "out") == spec and not (tmp_path / "out/.preparing").exists()


def test_sizes_and_colours(tmp_path: Path) -> None:
    grey = photos(tmp_path / "grey", mode="L")
    assert prepare(grey, tmp_path / "a").input.shape == (1, 10, 12)
    picture(grey / "cat" / "odd.png", 7, size=(40, 40))
    spec = prepare(grey, tmp_path / "b")
    assert spec.input.shape == (3, 10, 12)
    assert "24 images are grey and 1 in colour" in spec.notes[0] and "1 of another size are resized" in spec.notes[1]
    assert prepare(grey, tmp_path / "c", DataOptions(image_size=16, channels=1)).input.shape == (1, 16, 16)
    assert prepare(photos(tmp_path / "large", 3, size=(600, 300)), tmp_path / "d").input.shape == (3, 64, 128)


def test_few_damaged_images_are_skipped_and_many_are_an_error(tmp_path: Path) -> None:
    folder = photos(tmp_path / "in", each=30)
    whole = (folder / "cat/0.png").read_bytes()
    (folder / "cat/torn.png").write_bytes(whole[: len(whole) // 2])
    (folder / "dog/no.jpg").write_bytes(b"this is text")
    spec = prepare(folder, tmp_path / "out")
    assert spec.train + spec.test == 60
    assert spec.warnings[0] == "2 images cannot be read and are left out: 'cat/torn.png', 'dog/no.jpg'"
    for n in range(5):
        (folder / f"dog/no{n}.jpg").write_bytes(b"")
    with pytest.raises(DataError, match="7 of 67 images cannot be read: 'cat/torn"):
        prepare(folder, tmp_path / "out")


def test_a_possible_decompression_bomb_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = photos(tmp_path / "in", each=30, mode="L")
    picture(folder / "cat/bomb.png", 1, size=(500, 500))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100_000)
    assert "'cat/bomb.png'" in prepare(folder, tmp_path / "out").warnings[0]


def test_bad_folders_are_errors(tmp_path: Path) -> None:
    empty, loose, one, alone = (tmp_path / name for name in ("empty", "loose", "one", "alone"))
    empty.mkdir()
    picture(loose / "a.png", 0)
    for n in range(5):
        picture(one / f"cat/{n}.png", n)
    photos(alone)
    picture(alone / "eel/a.png", 0)
    for folder, said in [
        (empty, "no images: it is empty"),
        (loose, "1 images are in no class folder"),
        (one, "one class only, 'cat'"),
        (alone, "too few of: 'eel'"),
    ]:
        with pytest.raises(DataError, match=said):
            prepare(folder, tmp_path / "out")
    with pytest.raises(ConfigError, match="group_column is for tables"):
        prepare(alone, tmp_path / "out", DataOptions(group_column="a"))


def test_bad_zips_are_errors(tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(b"no zip")
    (tmp_path / "bad.tar.gz").write_bytes(b"\x1f\x8bno tar")
    with pytest.raises(DataError, match="the tar cannot be read"):
        prepare(tmp_path / "bad.tar.gz", tmp_path / "out")
    for name, member in (("out.zip", "../../cat/a.png"), ("text.zip", "notes.txt")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr(member, b"x")
    for name, said in [("bad", "cannot be read"), ("out", "leads out of it: '../../cat/a.png'"), ("text", "1 other files")]:
        with pytest.raises(DataError, match=said):
            prepare(tmp_path / f"{name}.zip", tmp_path / "out")


def test_the_digits_of_the_demo(tmp_path: Path) -> None:
    images, labels = digits()
    spec = prepare((images, labels), tmp_path / "a")
    assert (spec.input.shape, spec.classes, spec.train, spec.validation, spec.test) == (
        (1, 8, 8),
        tuple(range(10)),
        1150,
        288,
        359,
    )
    assert pixels(spec).max() == 255 and spec.input.pixel_mean[0] == pytest.approx(images.mean() / 16 * 255, rel=0.02)


@pytest.mark.parametrize(
    "make", [lambda x: x / 255, lambda x: x.astype(np.float32), lambda x: x.transpose(0, 3, 1, 2), lambda x: x.astype(np.int64)]
)
def test_arrays_of_any_layout_and_range(make, tmp_path: Path) -> None:
    X = np.random.default_rng(0).integers(0, 256, (40, 6, 7, 3), np.uint8)
    y = np.arange(40) % 2
    assert prepare((make(X), y), tmp_path / "a").digest != ""
    assert np.array_equal(pixels(prepare((make(X), y), tmp_path / "a")), pixels(prepare((X, y), tmp_path / "b")))
    sealed = prepare((make(X), y), tmp_path / "c", test=(make(X), y))
    assert sealed.test == 40 and "40 of 40 test examples are training examples too" in sealed.warnings[0]


@pytest.mark.parametrize(
    ("X", "said"),
    [
        (np.full((20, 4, 4), np.nan), "not finite"),
        (np.zeros((20, 4, 4)), "every pixel is 0"),
        (np.zeros((20, 5, 4, 4, 3), np.uint8), "X has shape"),
        (np.zeros((19, 4, 4), np.uint8), "19 images and targets of shape"),
        (np.full((20, 4, 4), "a"), "Give numbers"),
    ],
)
def test_bad_arrays_are_errors(X: np.ndarray, said: str, tmp_path: Path) -> None:
    with pytest.raises(LeptonError, match=said):
        prepare((X, np.arange(20) % 2), tmp_path)


def idx(path: Path, array: np.ndarray) -> None:
    head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(head + array.tobytes()) if path.suffix == ".gz" else head + array.tobytes())


def test_idx_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    source = tmp_path / "in"
    source.mkdir()
    for stem, end, rows in (("train", "", 60), ("t10k", ".gz", 20)):
        idx(source / f"{stem}-images-idx3-ubyte{end}", rng.integers(0, 256, (rows, 9, 8), np.uint8))
        idx(source / f"{stem}-labels-idx1-ubyte{end}", (np.arange(rows) % 3).astype(np.uint8))
    spec = prepare(source, tmp_path / "out")
    assert (spec.input.shape, spec.train, spec.test, spec.classes) == ((1, 9, 8), 60, 20, (0, 1, 2))
    torn = source / "train-images-idx3-ubyte"
    torn.write_bytes(torn.read_bytes()[:-5])
    with pytest.raises(DataError, match="not a complete idx file"):
        prepare(source, tmp_path / "out")
    (source / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match="no labels beside it"):
        prepare(source, tmp_path / "out")


def test_real_images(shared_data: Path, tmp_path: Path) -> None:
    spec = prepare(shared_data / "mnist", tmp_path / "a")
    assert (spec.train, spec.validation, spec.test, spec.input.shape) == (50_000, 10_000, 10_000, (1, 28, 28))
    spec = prepare(shared_data / "images/sign_language_digits_100.zip", tmp_path / "b", DataOptions(image_size=32))
    assert (spec.train + spec.validation + spec.test, spec.input.shape, len(spec.classes)) == (2062, (3, 32, 32), 10)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_smaller_network_predicts_from_what_it_is_trained_on(mode: str, tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos", size=(150, 200), mode=mode)
    spec = prepare(str(folder), tmp_path / "data", DataOptions(pretrained="none"))
    small = spec.replace(input=image_input(spec).replace(shape=(spec.input.shape[0], 64, 48)))
    stored, data = open_data(spec).train.inputs["image"], open_data(small)
    preprocess = ImagePreprocess.from_json(json.loads(json.dumps(data.preprocess.to_json())))
    trained = {row.tobytes() for row in data.train.inputs["image"].numpy()}
    files = sorted(folder.rglob("*.png"))
    from_files = {preprocess.arrays(file)["image"][0].tobytes() for file in files}
    requests = [{"image": base64.b64encode(file.read_bytes()).decode()} for file in files]
    sent = preprocess.from_request(requests, {"max_pixels": 10**8})
    assert trained < from_files == {preprocess.arrays(image)["image"][0].tobytes() for image in sent}
    arrays = stored.numpy().transpose(0, 2, 3, 1)
    assert {preprocess.arrays(image)["image"][0].tobytes() for image in arrays} == trained
    assert len(data.examples) and all(image.shape[:2] == (64, 48) for image in data.examples)
