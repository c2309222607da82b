"""Training with joined weights equals training without, and dropout that draws quickly drops as many elements."""

import copy

import pytest
import torch
from schedulefree import AdamWScheduleFree
from torch import nn
from torch.nn.utils import clip_grad_norm_

from lepton_automl.models.layers import Dropout
from lepton_automl.plans import TrainPlan
from lepton_automl.training.averaging import parameter_groups
from lepton_automl.training.joined import JoinedAdamW

PLAN = TrainPlan(lr=0.01, weight_decay=0.1)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    conv = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(conv, nn.Linear(8, 4)).to(memory_format=torch.channels_last)


def steps(model: nn.Module, optimizer: AdamWScheduleFree, count: int = 20) -> None:
    generator = torch.Generator().manual_seed(1)
    optimizer.train()
    for step in range(count):
        rows, targets = torch.randn(16, 3, 8, 8, generator=generator), torch.arange(16) % 4
        nn.functional.cross_entropy(model(rows), targets).backward()
        if isinstance(optimizer, JoinedAdamW):
            optimizer.clip(0.5)
        else:
            clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        if step % 2:
            optimizer.zero_grad()
        else:
            model.zero_grad()  # which removes the gradients


def test_joined_weights_train_as_single_ones():
    single, joined = network(), network()
    one = AdamWScheduleFree(parameter_groups(single, PLAN), lr=PLAN.lr, warmup_steps=5)
    other = JoinedAdamW(parameter_groups(joined, PLAN), lr=PLAN.lr, warmup_steps=5)
    steps(single, one)
    steps(joined, other)
    assert len(other.joined) == 2  # with weight decay and without
    one.eval()
    other.eval()
    other.separate()
    for weight, own in zip(single.parameters(), joined.parameters(), strict=True):
        assert torch.allclose(weight, own, atol=1e-6) and weight.stride() == own.stride()
        assert own.untyped_storage().nbytes() == own.nbytes and own.grad is None


def test_weights_that_are_not_dense_and_of_several_types_are_joined():
    model = nn.ParameterList([torch.randn(4, 6)[:, ::2], torch.randn(3, 5).T, torch.randn(2).double()])
    before = copy.deepcopy(list(model))
    optimizer = JoinedAdamW([{"params": list(model)}], lr=0.1)
    assert len(optimizer.joined) == 2 and all(torch.equal(*pair) for pair in zip(before, model, strict=True))
    optimizer.train()
    sum(weight.sum() for weight in model).backward()
    optimizer.step()
    assert all((old - new).abs().min() > 0 for old, new in zip(before, model, strict=True))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(rate: float):
    torch.manual_seed(0)
    layer, rows = Dropout(rate), torch.ones(251, 401, requires_grad=True)
    dropped = layer(rows)
    assert (dropped == 0).float().mean().item() == pytest.approx(rate, abs=0.01)
    assert dropped.mean().item() == pytest.approx(1, abs=0.03)
    assert dropped.unique().tolist() == pytest.approx([0, 1 / (1 - rate)])
    dropped.sum().backward()
    assert torch.equal(rows.grad, dropped.detach())
    again = (torch.manual_seed(3), layer(rows))[1], (torch.manual_seed(3), layer(rows))[1]
    assert torch.equal(*again) and torch.equal(layer.eval()(rows), rows)
