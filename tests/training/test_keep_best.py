"""A plain Trainer with `KeepBest` ends with exactly the weights of a study's training."""

from __future__ import annotations

import pytest
import pytorch_lightning as pl
import torch

from lepton_automl.data.batches import Batches
from lepton_automl.pipelines.validation import scorer
from lepton_automl.training.averaging import adamw
from lepton_automl.training.fit import fit
from lepton_automl.training.keep_best import KeepBest
from lepton_automl.training.loss import Loss

from .test_training import CONTINUE, PLAN, Rows, net, weights


class Training(pl.LightningModule):
    def __init__(self, network, spec):
        super().__init__()
        self.network, self.loss = network.train(), Loss(spec, PLAN, ensemble=network.ensemble)

    def training_step(self, batch, _):
        return self.loss(self.network(**batch.inputs), batch)

    def configure_gradient_clipping(self, optimizer, **_):
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        torch.nn.utils.clip_grad_norm_(weights, PLAN.clip)

    def configure_optimizers(self):
        return adamw(self.network, PLAN, 5)


@pytest.mark.parametrize("scored", [True, False])
def test_it_ends_with_the_weights_of_a_study(scored):
    data = Rows(PLAN).data if scored else Rows(PLAN).data.unscored()
    network, other = net(), net()
    fit(other, Rows(PLAN), PLAN, spec=data.spec, on_epoch=lambda *_: CONTINUE, score=scored)
    batches = Batches(data, PLAN)
    keep = KeepBest(network, batches, scorer(network, data), seed=PLAN.seed)
    options = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    pl.Trainer(max_epochs=PLAN.epochs, callbacks=[keep], accelerator="cpu", devices=1, **options).fit(
        Training(network, data.spec), batches
    )
    assert torch.equal(weights(network), weights(other))
