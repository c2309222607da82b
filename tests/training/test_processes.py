"""Training in several processes at once: Lightning's strategies around our task."""

from __future__ import annotations

import subprocess
import sys

import pytest

TWO_PROCESSES = """
import sys
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.strategies import DDPStrategy
from torch import nn
from torch.utils.data import DataLoader

from lepton_automl.data.datamodule import Batch
from lepton_automl.modalities.table.spec import TableInput
from lepton_automl.plans import TrainPlan
from lepton_automl.specs import DataSpec
from lepton_automl.tasks.classification import MulticlassOutput
from lepton_automl.training.training_module import TrainingModule


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))

    def forward(self, numeric):
        return self.layers(numeric)


class Keep(pl.Callback):
    def on_train_end(self, trainer, pl_module):
        torch.save(pl_module.model.state_dict(), Path(sys.argv[1]) / f"{trainer.global_rank}.pt")


class Chunks(pl.LightningDataModule):
    def train_dataloader(self):
        draw = torch.Generator().manual_seed(self.trainer.global_rank)  # other rows in each process
        rows = torch.randn(16, 4, generator=draw), torch.randint(0, 3, (16,), generator=draw)
        batch = Batch({"numeric": rows[0]}, rows[1])
        return DataLoader([[batch, batch]] * 8, batch_size=None)


if __name__ == "__main__":
    torch.set_num_threads(1)
    spec = DataSpec(
        name="t", folder="", target="y", digest="", train=16, validation=0, test=0,
        input=TableInput(numeric=4), output=MulticlassOutput(labels=(0, 1, 2)),
    )
    plan = TrainPlan(epochs=2, batch_size=16, lr=5e-2, warmup=2, seed=3)
    torch.manual_seed(0)
    module = TrainingModule(Net(), plan, spec, steps=16, first_epoch=0, wait=lambda: None)
    strategy = DDPStrategy(process_group_backend="gloo", start_method="fork")
    pl.Trainer(
        accelerator="cpu", devices=2, strategy=strategy, max_epochs=2, use_distributed_sampler=False, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, callbacks=[Keep()],
    ).fit(module, datamodule=Chunks())
"""


@pytest.mark.slow
def test_processes_that_train_together_end_with_the_same_weights(tmp_path) -> None:
    import torch

    script = tmp_path / "together.py"
    script.write_text(TWO_PROCESSES)
    ended = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)
    torch.manual_seed(0)
    assert not torch.equal(first["layers.0.weight"], torch.nn.Linear(4, 16).weight)  # and they did learn
