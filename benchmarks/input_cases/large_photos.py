"""Very large photos, and files whose header claims a very large size."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lepton_automl.shipped import load_preprocess

from .case import case
from .images import arranged, counts, ready

LARGE = "B very large photos"


def white(path: Path, width: int, height: int, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (width, height), 200).save(path, **options)
    return path


@case(LARGE, "a JPEG of 12,000 x 9,000", slow=True)
def _(folder: Path) -> None:
    source = arranged(folder, "cat", "dog")
    white(source / "cat/large.jpg", 12_000, 9_000)
    assert sum(counts(ready(source, folder))) == 13


@case(LARGE, "a PNG of 12,000 x 9,000", refused="12,000 x 9,000 pixels is too large", slow=True)
def _(folder: Path) -> None:
    source = arranged(folder, "cat", "dog", each=4)
    white(source / "cat/large.png", 12_000, 9_000, compress_level=1)
    ready(source, folder)


def headed(path: Path, width: int, height: int, **options: Any) -> Path:
    """A JPEG whose header gives a wrong size."""
    data = bytearray(white(path, 64, 64, **options).read_bytes())
    at = data.index(b"\xff\xc2" if options.get("progressive") else b"\xff\xc0") + 5
    data[at : at + 4] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    path.write_bytes(bytes(data))
    return path


@case(LARGE, "a JPEG whose header claims 60,000 x 60,000", refused="60,000 x 60,000 pixels is too large")
def _(folder: Path) -> None:
    source = arranged(folder, "cat", "dog", each=4)
    headed(source / "cat/bomb.jpg", 60_000, 60_000)
    ready(source, folder)


@case(LARGE, "a PNG whose header claims 60,000 x 60,000", refused="an image of 3,600,000,000 pixels is too large")
def _(folder: Path) -> None:
    source = arranged(folder, "cat", "dog", each=4)
    ready(bomb(source / "cat/bomb.png").parents[1], folder)


def bomb(path: Path, side: int = 60_000) -> Path:
    """A PNG of a few bytes that decodes to a very large image."""
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(64))),
        (b"IEND", b""),
    )
    content = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    return path


@case(LARGE, "such a PNG, for a prediction", refused="an image of 3,600,000,000 pixels is too large")
def _(folder: Path) -> None:
    spec = ready(arranged(folder, "cat", "dog"), folder)
    preprocess = load_preprocess(json.loads((Path(spec.folder) / "preprocess.json").read_text()))
    preprocess.arrays(bomb(folder / "bomb.png"))


@case(
    LARGE,
    "a progressive JPEG, which is decoded at full size, whose header claims 20,000 x 16,000",
    refused="20,000 x 16,000 pixels is too large",
)
def _(folder: Path) -> None:
    source = arranged(folder, "cat", "dog", each=4)
    headed(source / "cat/large.jpg", 20_000, 16_000, progressive=True)
    ready(source, folder)


@case(LARGE, "a rotated JPEG of 4,000 x 3,000 in a zip is read like a small one")
def _(folder: Path) -> None:
    source = arranged(folder, "cat", "dog")
    pixels = np.zeros((3000, 4000), np.uint8)
    pixels[:1500] = 255  # the top half; after rotation, the right half
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(source / "cat/large.jpg", exif=exif)
    with zipfile.ZipFile(folder / "in.zip", "w") as archive:
        for path in source.rglob("*.*"):
            archive.write(path, path.relative_to(source))
    spec = ready(folder / "in.zip", folder, image_size=8, channels=1)
    assert sum(counts(spec)) == 13
    preprocess = load_preprocess(json.loads((Path(spec.folder) / "preprocess.json").read_text()))
    channel = preprocess.arrays(source / "cat/large.jpg")["image"][0, 0]
    assert (channel[:, :3] < 8).all() and (channel[:, 5:] > 247).all(), channel
