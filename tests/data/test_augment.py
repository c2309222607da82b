"""Augmentation of batches of images: what it may change, its limits, and the cases at the edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lepton_automl import families
from lepton_automl.errors import ConfigError
from lepton_automl.modalities.image.augment import ImageAugment
from lepton_automl.modalities.image.augment.blank import cutout_, erase_
from lepton_automl.modalities.image.augment.colour import CHANGES, Shades, draw_shades, mapped, recolour, sharpened, smooth
from lepton_automl.modalities.image.augment.geometry import flip, halved, resample, shift, views
from lepton_automl.modalities.image.augment.mixing import cutmix, mix
from lepton_automl.modalities.image.augment.operations import COLOURS, GEOMETRY, draw_operations
from lepton_automl.modalities.image.spec import INPUT, ImageAugmentation
from lepton_automl.plans import TrainPlan
from tests.samples import image_spec

ALL = ImageAugmentation(
    crop=0.5, flip=True, shift=0.1, operation=1.0, colour=0.5, cutout=0.3, erase=1.0, mixup=0.4, cutmix=1.0
)  # everything at once


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def pictures(rows: int, channels: int, height: int, width: int) -> Tensor:
    return torch.randint(0, 256, (rows, channels, height, width), generator=chance(9), dtype=torch.uint8)


def augment(plan: ImageAugmentation, channels: int = 3, height: int = 8, width: int = 8) -> ImageAugment:
    return ImageAugment(plan, image_spec(channels=channels, shape=(channels, height, width)))


def test_pixels_move_and_none_are_invented() -> None:
    drawn = rng()
    pixels = torch.arange(64, dtype=torch.uint8).view(1, 1, 8, 8).repeat(200, 1, 1, 1)
    mirrored = flip(pixels, drawn)
    kinds = {bytes(image.flatten().tolist()) for image in mirrored}
    assert kinds == {bytes(pixels[0].flatten().tolist()), bytes(pixels[0].flip(-1).flatten().tolist())}
    moved = shift(pixels, 2, drawn)
    assert len({int(image[0, 4, 4]) for image in moved}) == 25  # every shift of -2 to 2 each way
    assert all(image[0, 3, 3] - image[0, 3, 4] == torch.tensor(255, dtype=torch.uint8) for image in moved)  # neighbours stay
    blanked = pixels.clone()
    cutout_(blanked.numpy(), 4, np.full((1, 1, 1), 200), drawn)
    holes = (blanked == 200).sum((1, 2, 3))
    assert holes.max() == 16 and holes.min() >= 4 and torch.equal(blanked[blanked != 200], pixels[blanked != 200])
    mixed, partner, share = mix(torch.stack([torch.zeros(1, 2, 2), torch.full((1, 2, 2), 100)]).byte(), 1.0, drawn)
    assert mixed[1].mean() == pytest.approx(100 * share) and partner.tolist() == [1, 0]


def test_the_gap_of_a_shift_is_reflected() -> None:
    images = pictures(300, 3, 5, 9)
    padded = functional.pad(images.float(), (3, 3, 3, 3), mode="reflect").byte()
    windows = {bytes(padded[7, :, d : d + 5, r : r + 9].flatten().tolist()) for d in range(7) for r in range(7)}
    moved = shift(images[7:8].expand(300, -1, -1, -1), 3, rng())
    assert {bytes(image.flatten().tolist()) for image in moved} == windows


def test_a_plan_without_augmentation_changes_nothing() -> None:
    rows = pictures(5, 3, 8, 8)
    assert augment(ImageAugmentation()).changed(rows, rng()) is rows


@pytest.mark.parametrize("rows", [1, 7])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(4, 4), (4, 9), (17, 6)])
def test_everything_at_once_on_all_kinds_of_images(rows: int, channels: int, size: tuple[int, int]) -> None:
    images = pictures(rows, channels, *size)
    before = images.clone()
    results = [augment(ALL, channels, *size)({INPUT: images}, chance(seed)) for seed in (1, 1, 2)]
    for inputs, partner, share in results:
        assert inputs[INPUT].shape == images.shape and inputs[INPUT].min() >= 0 and inputs[INPUT].max() <= 255
        assert partner is not None and partner.shape == (rows,) and 0.5 <= share <= 1
    (first, again, other) = (inputs[INPUT] for inputs, _, _ in results)
    assert torch.equal(images, before)  # stored rows are never written to
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize("setting", ["crop", "operation", "colour", "cutout", "erase"])
def test_stored_float_images_are_not_written_to(setting: str) -> None:
    images = pictures(9, 3, 8, 8).float()
    before = images.clone()
    changed = augment(ImageAugmentation(**{setting: 0.9})).changed(images, rng())
    assert torch.equal(images, before) and not torch.equal(changed, before)


def test_views_that_change_nothing_mirror_or_shift() -> None:
    images = pictures(40, 3, 6, 9)
    still = views(40, ImageAugmentation(), 6 / 9, {}, rng())
    assert torch.allclose(resample(images, still, (6, 9)), images.float(), atol=1e-3)
    mirrored = resample(images, views(40, ImageAugmentation(flip=True), 6 / 9, {}, rng()), (6, 9))
    changed = (mirrored - images.float()).abs().amax((1, 2, 3)) > 1
    assert torch.allclose(mirrored[changed], images[changed].flip(-1).float(), atol=1e-3) and 8 < changed.sum() < 32
    moved = views(4000, ImageAugmentation(shift=0.2), 6 / 9, {}, rng())[:, :, 2] * torch.tensor([9 / 2, 6 / 2])
    assert moved.abs().amax(0).tolist() == pytest.approx([1.8, 1.8], rel=0.01)  # pixels: 0.2 of the longer side


def test_a_crop_stays_inside_and_keeps_the_promised_area() -> None:
    seen = views(4000, ImageAugmentation(crop=0.6), 1.0, {}, rng())
    wide, high, x, y = seen[:, 0, 0], seen[:, 1, 1], seen[:, 0, 2], seen[:, 1, 2]
    assert (x.abs() + wide).max() <= 1 + 1e-6 and (y.abs() + high).max() <= 1 + 1e-6
    area, aspect = wide * high, wide / high
    assert 0.4 - 1e-6 <= area.min() < 0.42 and area.max() <= 1
    assert aspect.min() < 0.8 and 1.25 < aspect.max() <= 4 / 3 + 1e-5
    slight = views(100, ImageAugmentation(crop=0.01), 1.0, {}, rng())
    assert (slight - torch.tensor([[1.0, 0, 0], [0, 1, 0]])).abs().max() < 0.02
    images = pictures(40, 3, 9, 7)
    crops = views(40, ImageAugmentation(crop=0.9), 9 / 7, {}, rng())
    assert torch.allclose(resample(images, crops, (9, 7)), resample(images, crops, (9, 7), inside=True), atol=1e-2)


def test_angles_are_those_between_pixels() -> None:
    """A square turned by 45 degrees in an image that is not square is a square turned by 45 degrees."""
    image = torch.zeros(1, 1, 60, 100)
    image[:, :, 22:38, 42:58] = 255
    operations = dict.fromkeys(GEOMETRY, np.zeros(1)) | {"rotate": np.ones(1)}
    turned = resample(image, views(1, ImageAugmentation(), 0.6, operations, rng()), (60, 100))[0, 0] > 127
    down, right = turned.nonzero().T
    diagonal = 16 * math.sqrt(2)
    assert down.max() - down.min() == pytest.approx(diagonal, abs=2)
    assert right.max() - right.min() == pytest.approx(diagonal, abs=2)
    assert turned.sum() == pytest.approx(256, rel=0.05)


def test_stored_images_of_another_size_are_resized() -> None:
    images = pictures(16, 3, 40, 60)
    changed = augment(ImageAugmentation(), 3, 10, 15).changed(images, rng())
    assert changed.shape == (16, 3, 10, 15) and changed.dtype == torch.float32
    assert torch.allclose(changed, functional.avg_pool2d(images.float(), 4), atol=1e-2)  # no pixel is skipped
    places = torch.tensor([[[0.2, 0, 0.5], [0, 0.2, -0.5]], [[1, 0, 0], [0, 1, 0]]])  # a small part, and the whole
    part, whole = resample(images[:2], places, (10, 15))
    exact = resample(images[:1], places[:1], (40, 60))
    assert torch.allclose(part, functional.avg_pool2d(exact, 4)[0], atol=40)  # not from the coarse copy
    assert part.std() > 1.5 * whole.std() and torch.allclose(whole, changed[1], atol=1e-2)
    assert augment(ALL, 3, 50, 70).changed(images, rng()).shape == (16, 3, 50, 70)
    assert halved(torch.arange(5.0).view(1, 1, 1, 5)).flatten().tolist() == [0.5, 2.5]


def test_an_operation_an_image() -> None:
    names = GEOMETRY + COLOURS
    operations = draw_operations(5000, 0.5, names, rng())
    table = np.stack(list(operations.values()))
    assert list(operations) == list(names) and (table != 0).sum(0).max() == 1
    assert np.abs((table != 0).mean(1) - 1 / 13).max() < 0.02 and 0.49 < np.abs(table).max() <= 0.5
    assert table.min() < -0.45  # signed


def test_colours_change_by_the_drawn_factors() -> None:
    images = pictures(4, 3, 5, 5)
    pixels, same = images.float(), np.ones(4, np.float32)
    unchanged = Shades(same, same, same)
    assert torch.allclose(mapped(pixels, unchanged), pixels, atol=1e-3)
    assert torch.allclose(mapped(pixels, unchanged._replace(brightness=same / 2)), pixels / 2, atol=1e-3)
    grey = mapped(pixels, unchanged._replace(saturation=same * 0))
    assert grey.std(1).max() < 1e-3
    flat = mapped(pixels, unchanged._replace(contrast=same * 0))
    assert flat.flatten(1).std(1).max() < 1e-3 and torch.allclose(flat[:, 0, 0, 0], grey.mean((1, 2, 3)), atol=1e-3)
    shades = draw_shades(2000, 0.3, {}, rng())
    assert 0.7 <= shades.contrast.min() < 0.71 and 1.29 < shades.contrast.max() <= 1.3
    one = unchanged._replace(brightness=np.array([1, 0.5, 1, 1], np.float32))
    assert torch.equal(recolour(pixels.clone(), one, {})[[0, 2, 3]], pixels[[0, 2, 3]])
    assert torch.equal(recolour(pixels.clone(), unchanged, dict.fromkeys(COLOURS, same * 0)), pixels)


def after(name: str, image: np.ndarray, strength: float) -> np.ndarray:
    changed = image.copy()
    CHANGES[name](changed, strength)
    return changed


def test_colour_operations_by_strength() -> None:
    image = np.tile(np.float32([[10, 100], [200, 128]]), (3, 1, 1))
    noise = pictures(1, 3, 6, 7).float()
    for name in CHANGES:
        assert np.allclose(after(name, noise[0].numpy(), 0.0), noise[0].numpy(), atol=1e-3), name
    assert after("posterize", image, 1.0)[0].flatten().tolist() == [0, 64, 192, 128]
    assert after("solarize", image, 1.0)[0].flatten().tolist() == [245, 155, 55, 127]
    stretched = after("autocontrast", image, -1.0)
    assert stretched.min() == 0 and stretched.max() == 255
    none, full = torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1)
    assert torch.allclose(smooth(noise)[..., 1:-1, 1:-1], functional.avg_pool2d(noise, 3, 1), atol=1e-3)
    assert sharpened(noise, full).std() > noise.std() > sharpened(noise, -full).std()
    assert torch.allclose(sharpened(noise, none), noise, atol=1e-3)


def test_grey_images_keep_their_shades() -> None:
    images = torch.full((50, 1, 8, 8), 90, dtype=torch.uint8)
    changed = augment(ImageAugmentation(operation=1.0, colour=0.5, crop=0.5), 1).changed(images, rng())
    assert torch.allclose(changed, images.float(), atol=1e-3)
    assert augment(ImageAugmentation(colour=0.5), 1).changed(images, rng()) is images
    assert "train.colour" in families.space_for(image_spec(channels=3))
    assert "train.colour" not in families.space_for(image_spec(channels=1))


def test_rectangles_are_filled_with_the_mean() -> None:
    erased = np.zeros((3000, 3, 20, 30), np.uint8)
    erase_(erased, 0.5, np.array([10.0, 20.0, 30.0]).reshape(3, 1, 1), rng())
    assert set(np.unique(erased[:, 1])) == {0, 20} and np.array_equal(erased[:, 2], erased[:, 0] * 3)
    blank = erased[:, 0] == 10
    share = blank.mean((1, 2))
    assert (share > 0).mean() == pytest.approx(0.5, abs=0.05) and 0.3 < share.max() < 0.37
    assert np.array_equal(blank.any(2).sum(1) * blank.any(1).sum(1), blank.sum((1, 2)))  # one whole rectangle, inside the image
    spec = image_spec(channels=3, pixel_mean=(10.0, 19.6, 30.2))
    filled = ImageAugment(ImageAugmentation(erase=1.0), spec).changed(torch.zeros(50, 3, 8, 8, dtype=torch.uint8), rng())
    assert [set(filled[:, channel].unique().tolist()) for channel in range(3)] == [{0, 10}, {0, 20}, {0, 30}]


def test_a_rectangle_of_another_image() -> None:
    images = torch.arange(16, dtype=torch.uint8).view(16, 1, 1, 1).repeat(1, 3, 9, 12)
    shares = set()
    for seed in range(30):
        mixed, partner, share = cutmix(images, 1.0, rng(seed))
        own = mixed == images
        assert mixed.dtype == torch.uint8 and torch.equal(mixed[~own], images[partner][~own])
        assert (partner != torch.arange(16)).all() and partner.unique().numel() == 16
        assert torch.allclose(own.float().mean((1, 2, 3)), torch.tensor(share))
        shares.add(share)
    assert min(shares) >= 0.5 and max(shares) > 0.9 and len(shares) > 10


def test_mixtures_are_those_of_the_partners() -> None:
    images = pictures(7, 3, 4, 6)
    mixed, partner, share = mix(images, 0.4, rng())
    assert torch.allclose(mixed, share * images + (1 - share) * images[partner], atol=1e-3)
    assert (partner != torch.arange(7)).all() and partner.unique().numel() == 7


def test_one_kind_of_mixture_a_batch() -> None:
    images = pictures(16, 3, 8, 8)
    both = augment(ImageAugmentation(mixup=0.4, cutmix=1.0))
    kinds = [both({INPUT: images}, chance(seed))[0][INPUT].dtype for seed in range(40)]
    assert 10 < kinds.count(torch.uint8) < 30  # mixup makes float32
    assert ALL.unmixed().replace(mixup=0.4, cutmix=1.0) == ALL
    assert augment(ALL.unmixed())({INPUT: images}, chance())[1] is None


def test_settings_out_of_range() -> None:
    with pytest.raises(ConfigError, match=r"crop is 1\.0; it must be at least 0 and below 1"):
        ImageAugmentation(crop=1.0)
    with pytest.raises(ConfigError, match="2 things are wrong"):
        ImageAugmentation(operation=2.0, colour=-0.1)
    spec = image_spec()
    with pytest.raises(ConfigError, match=r"operation is 3; it must be from 0 to 1"):
        families.add_hyperparameters(families.space_for(spec), spec, {"train.operation": 3})


def test_a_plan_sets_every_knob() -> None:
    spec = image_spec(32, channels=3)
    knobs = {name.removeprefix("train.") for name in families.space_for(spec) if name.startswith("train.")}
    settings = {name: setting for name, setting in ALL.to_json().items() if name != "kind"}
    assert settings.keys() <= knobs
    plan = families.plan_of({f"train.{name}": setting for name, setting in settings.items()}, TrainPlan(), spec)
    assert plan.augment == ALL
