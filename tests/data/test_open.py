"""Prepared data as tensors and batches; test rows are opened separately."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lepton_automl.data.datamodule import DataModule, epoch_order
from lepton_automl.data.open import Data, Split, open_data, open_test
from lepton_automl.data.options import DataOptions
from lepton_automl.errors import ConfigError, DataError
from lepton_automl.modalities.image.spec import ImageAugmentation
from lepton_automl.plans import TrainPlan

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Data:
    X = np.random.default_rng(0).integers(0, 256, (1500, 8, 8, 3), np.uint8)
    return open_data((X, np.arange(1500) % 3), tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Data:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    return open_data((X, X[:, 0] + 0.1 * rng.normal(size=200)), tmp_path_factory.mktemp("table"))


def test_images_as_tensors(images: Data) -> None:
    rows = images.train.inputs["image"]
    assert rows.dtype == torch.uint8 and rows.shape == (960, 3, 8, 8) and images.train.targets.dtype == torch.int64
    assert len(images.validation) == 240 and len(images.whole().train) == 1200 and len(images.whole().validation) == 0
    again = images.preprocess.arrays(images.examples)["image"]
    assert np.array_equal(again, rows[:3].numpy())


def test_a_table_as_tensors(table: Data) -> None:
    assert table.spec.folds == 5 and list(table.train.inputs) == ["numeric"]
    assert table.train.targets.dtype == torch.float32 and len(table.train) == 160 and len(table.validation) == 0
    assert np.array_equal(table.preprocess.arrays(table.examples)["numeric"], table.train.inputs["numeric"][:3].numpy())


def test_every_row_is_held_out_by_one_fold(table: Data) -> None:
    folds = [table.fold(k) for k in range(5)]
    assert all(len(fold.train) + len(fold.validation) == 160 for fold in folds)
    held = torch.cat([fold.validation.inputs["numeric"] for fold in folds])
    assert torch.equal(held.sort(0).values, table.train.inputs["numeric"].sort(0).values)
    with pytest.raises(ConfigError, match="no fold 5"):
        table.fold(5)


def test_test_rows_are_stored_separately(images: Data, tmp_path: Path) -> None:
    sealed = open_test(images.spec)
    seen = {row.numpy().tobytes() for row in images.whole().train.inputs["image"]}
    assert len(sealed) == 300 and not any(row.numpy().tobytes() in seen for row in sealed.inputs["image"])
    X = np.random.default_rng(0).normal(size=(50, 2))
    spec = open_data((X, np.arange(50) % 2), tmp_path).spec
    for file in (tmp_path / "test").iterdir():
        file.unlink()
    assert len(open_data(spec).train) == 40 and len(open_data(tmp_path).train) == 40
    with pytest.raises(DataError, match="there is no prepared dataset in this folder"):
        open_test(spec)


def test_large_arrays_are_mapped(images: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lepton_automl.data.open.IN_MEMORY", 1000)
    mapped = open_data(images.spec)
    assert torch.equal(mapped.train.inputs["image"], images.train.inputs["image"])


def batches(data: Data, plan: TrainPlan, epoch: int = 0) -> list:
    module = DataModule(data, plan, chunk=4)
    module.set_epoch(epoch)
    return [batch for chunk in module.train_dataloader() for batch in chunk]


def test_an_epoch_is_a_function_of_seed_and_number(images: Data) -> None:
    plan = TrainPlan(batch_size=100, augment=ImageAugmentation(flip=True, shift=0.2, cutout=0.3, mixup=0.4), seed=3)
    first, again, later = batches(images, plan, 1), batches(images, plan, 1), batches(images, plan, 2)
    assert len(first) == 9  # the tenth would not be full
    assert all(
        torch.equal(a.inputs["image"], b.inputs["image"]) and a.share == b.share for a, b in zip(first, again, strict=True)
    )
    assert not torch.equal(first[0].targets, later[0].targets)
    assert not torch.equal(first[0].targets, batches(images, plan.replace(seed=4), 1)[0].targets)
    assert torch.equal(epoch_order(960, 3, 1).sort().values, torch.arange(960))
    assert torch.equal(epoch_order(9, (2**31 - 1) * 100_003, 7).sort().values, torch.arange(9))  # the seed of a trial is large


def test_chunks_hold_every_batch(images: Data) -> None:
    module = DataModule(images, TrainPlan(batch_size=64), chunk=4)
    loader = module.train_dataloader()
    assert [len(chunk) for chunk in loader] == [4, 4, 4, 3] and len(loader) == 4
    scored = [batch for chunk in module.val_dataloader() for batch in chunk]
    assert torch.equal(torch.cat([batch.targets for batch in scored]), images.validation.targets)
    assert sum(len(batch.targets) for batch in batches(images, TrainPlan(batch_size=5000))) == 960


def test_tables_are_not_augmented(table: Data) -> None:
    (batch, *_) = batches(table.fold(0), TrainPlan(augment=ImageAugmentation(mixup=0.5, flip=True), batch_size=32))
    assert batch.other is None and batch.inputs["numeric"].shape == (32, 8)


def test_mixed_batches_carry_both_targets(images: Data) -> None:
    batch = batches(images, TrainPlan(augment=ImageAugmentation(mixup=0.4)))[0]
    assert batch.inputs["image"].dtype == torch.float32 and batch.other is not None and 0.5 <= batch.share <= 1


def test_a_damaged_folder_is_an_error(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(50, 2))
    spec = open_data((X, np.arange(50) % 2), tmp_path, DataOptions(folds=0)).spec
    path = tmp_path / "rows" / "numeric.npy"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match="cannot be read"):
        open_data(spec)


def test_a_split_of_nothing() -> None:
    assert len(Split({}, torch.empty(0))) == 0
