"""A user's trained network becomes smaller, predicts as it must, and lists what could not be pruned."""

from __future__ import annotations

import copy
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lepton_automl import Deployment, lean
from lepton_automl.compression import shrink
from lepton_automl.compression.anynet import groups_of, trace
from lepton_automl.compression.blocks import drop_blocks
from lepton_automl.compression.group import zero_channels
from lepton_automl.compression.importance import criterion_of
from lepton_automl.compression.prune import PruneOptions, prune
from lepton_automl.compression.ranking import RANKINGS, choose
from lepton_automl.data.datamodule import Batch
from lepton_automl.errors import BundleError, ConfigError, LimitError
from lepton_automl.modalities.image.recipe import Block, ConvRecipe, Stage
from lepton_automl.models import build
from lepton_automl.models.plain import Plain
from lepton_automl.pipelines.cost import LatencyProfiler
from lepton_automl.plans import TrainPlan
from lepton_automl.tasks.classification import MulticlassOutput
from lepton_automl.tasks.regression import NumberOutput
from lepton_automl.training.distill import Distillation, DistillationLoss
from lepton_automl.training.loss import Loss
from lepton_automl.training.sensitivity import sensitivity
from tests.samples import image_spec, table_spec

from .trained_networks import NETWORKS, Lit, resnet, trained

ROWS = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
FOUR = MulticlassOutput(labels=(0, 1, 2, 3))
WHOLE = {  # what keeps its width, and why
    "attention by hand": {
        "patches": "shape",
        "blocks.0.attention.qkv": "reshaped for 'blocks.0.attention.out'",
        "blocks.0.attention.out": "shape",
        "blocks.0.mlp.2": "shape",
    },
    "torch's attention": {"enter": "'layer.self_attn' shares this width: its heads are not pruned"},
    "a width baked in": {"baked": "shape"},
}


@pytest.fixture(scope="module")
def learnable() -> tuple[torch.Tensor, torch.Tensor]:
    """Four kinds of noisy images."""
    chance = torch.Generator().manual_seed(1)
    targets = torch.arange(400) % 4
    return torch.randn(4, 1, 8, 8, generator=chance)[targets] + torch.randn(400, 1, 8, 8, generator=chance), targets


@pytest.fixture
def unweighed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is timed, as that takes seconds and is tested separately; multiply-accumulates replace latency."""

    def cannot(*_: object) -> float:
        raise BundleError("nobody times anything")

    monkeypatch.setattr(LatencyProfiler, "fastest_ms", cannot)
    monkeypatch.setattr(LatencyProfiler, "try_measure", lambda *_: None)


@pytest.fixture(scope="module")
def parent(learnable) -> nn.Module:
    """A trained residual network."""
    torch.manual_seed(0)
    model = resnet()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for batch in torch.randperm(400).repeat(2).split(50):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(learnable[0][batch]), learnable[1][batch]).backward()
        optimizer.step()
    return model.eval()


# Pruning


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("ranking", RANKINGS)
def test_every_kind_of_network_is_pruned_and_lists_what_it_kept(name: str, ranking: str) -> None:
    model = trained(NETWORKS[name])
    before, answers = copy.deepcopy(model.state_dict()), model(ROWS)
    pruned = prune(model, PruneOptions(ratio=0.5, ranking=ranking), ROWS)
    small = pruned.model
    assert type(small) is type(model) and small(ROWS).shape == answers.shape
    assert sum(w.numel() for w in small.parameters()) < 0.8 * sum(w.numel() for w in model.parameters())
    assert all(torch.equal(before[key], tensor) for key, tensor in model.state_dict().items())
    expected = WHOLE.get(name, {})
    assert set(expected) <= set(pruned.refused) and (expected or not pruned.refused)
    assert all(why in pruned.refused[layer] for layer, why in expected.items())
    small.train()(ROWS).square().sum().backward()


@pytest.mark.parametrize("name", ["residual", "depthwise, squeeze-excite", "grouped", "layer scale", "concatenated"])
def test_a_pruned_network_predicts_like_the_masked_one(name: str) -> None:
    model = trained(NETWORKS[name])
    small = prune(model, PruneOptions(ratio=0.4, criterion="random", seed=3), ROWS).model
    quiet = copy.deepcopy(model)
    groups = [group for group, why in groups_of(trace(quiet, ROWS[:2])) if not why]
    criterion = criterion_of("random", quiet, seed=3)
    scores = [criterion(group) for group in groups]
    parts = [group.parts for group in groups]
    chosen = choose(scores, [0] * len(groups), parts, 0.4, ranking="layer", multiple=8, most=0.7)
    zero_channels([(group, group.spread(leave)) for group, leave in zip(groups, chosen, strict=True)])
    assert not torch.allclose(small(ROWS), model(ROWS), atol=1e-3)
    torch.testing.assert_close(small(ROWS), quiet(ROWS), rtol=1e-4, atol=1e-5)


def test_pruning_that_mixes_up_channels_is_refused_though_it_runs() -> None:
    class Turned(nn.Module):
        """The second half of the channels is read before the first, wherever that is."""

        def __init__(self) -> None:
            super().__init__()
            self.first, self.last, self.head = nn.Conv2d(1, 32, 3), nn.Conv2d(32, 16, 1), nn.Linear(16, 4)

        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            found = self.first(rows).relu()
            return self.head(self.last(found.roll(found.shape[1] // 2, 1)).relu().mean((2, 3)))

    pruned = prune(trained(Turned), PruneOptions(ratio=0.5), ROWS)
    assert set(pruned.refused) == {"first"} and "outputs differ" in pruned.refused["first"]
    assert (pruned.model.first.out_channels, pruned.model.last.out_channels) == (32, 8)


def test_where_everything_is_refused_there_is_an_error_that_names_it() -> None:
    class Stuck(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.only, self.head = nn.Conv2d(1, 32, 3, padding=1), nn.Linear(32, 4)

        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            return self.head(self.only(rows).view(-1, 32, 64).mean(2))

    with pytest.raises(ConfigError, match="every layer was refused: 'only': RuntimeError"):
        prune(trained(Stuck), PruneOptions(ratio=0.5), ROWS)
    with pytest.raises(ConfigError, match="no layer is wide enough"):
        prune(nn.Sequential(nn.Flatten(), nn.Linear(64, 4)), PruneOptions(ratio=0.5), ROWS)


@given(
    widths=st.lists(st.integers(1, 6).map(lambda n: 2**n) | st.integers(1, 70), min_size=1, max_size=6),
    ratio=st.floats(0, 0.99),
    multiple=st.sampled_from([1, 4, 8, 16]),
    ranking=st.sampled_from(RANKINGS),
    parts=st.sampled_from([1, 2, 4]),
    seed=st.integers(0, 99),
)
def test_no_width_is_emptied_and_all_are_rounded(widths, ratio, multiple, ranking, parts, seed) -> None:
    chance = torch.Generator().manual_seed(seed)
    scores = [torch.rand(width * parts, generator=chance) for width in widths]
    most = (1 + ratio) / 2
    kinds = [n % 2 for n in range(len(widths))]
    chosen = choose(scores, kinds, [parts] * len(widths), ratio, ranking=ranking, multiple=multiple, most=most)
    for width, leave, score in zip(widths, chosen, scores, strict=True):
        step = max(1, min(max(1, multiple // parts), width // 4))
        stays = width - len(leave)
        assert 1 <= stays <= width and (stays % step == 0 or stays == width)
        floor = (1 - ratio if ranking == "layer" else 1 - most) * width
        assert stays >= floor - step / 2 - 1
        folded = score.reshape(parts, -1).double().mean(0)
        kept = [n for n in range(width) if n not in leave]
        assert not leave or folded[leave].max() <= folded[kept].min()


# What a channel is worth


def planted() -> nn.Module:
    """Channel 5 is large, but not used."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(256, 4))
    with torch.no_grad():
        net[0].weight[5] *= 50
        net[2].weight[:, 5] = 0
    return net


def test_taylor_finds_the_useless_channel_and_magnitude_does_not(learnable) -> None:
    net = planted()
    batches = [Batch({"rows": learnable[0][n : n + 16]}, learnable[1][n : n + 16]) for n in range(0, 160, 16)]
    spec = table_spec(output=FOUR)
    found = sensitivity(Plain(net, spec), batches, Loss(spec, TrainPlan(), ensemble=False))
    told = {name.removeprefix("module."): tensor for name, tensor in found.items()}
    group = next(group for group, _ in groups_of(trace(net, ROWS[:2])) if "0" in group.producers)
    assert criterion_of("taylor", net, sensitivity=told)(group).argmin() == 5
    assert criterion_of("l2", net)(group).argmax() == 5 and criterion_of("l1", net)(group).argmax() == 5
    assert not torch.equal(criterion_of("random", net)(group), criterion_of("random", net, seed=1)(group))
    with pytest.raises(ConfigError, match="no gradients to use"):
        criterion_of("taylor", net)


def test_a_searched_network_is_pruned_by_the_same_criteria() -> None:
    recipe = ConvRecipe(outputs=4, image=(1, 8, 8), stem=8, stages=(Stage(width=16, stride=1, blocks=(Block(kind="plain"),)),))
    model, spec = build(recipe), image_spec(output=FOUR)
    images = torch.randint(256, (64, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    batches = [Batch({"image": images[n : n + 8]}, torch.arange(8) % 4) for n in range(0, 64, 8)]
    found = sensitivity(model, batches, Loss(spec, TrainPlan(), ensemble=False))
    smaller, sample = recipe.scale(0.5, multiple=4), {"image": images}
    kept = {
        name: shrink(model, smaller, sample, criterion=name, sensitivity=found).state_dict() for name in ("taylor", "l1", "l2")
    }
    usual = shrink(model, smaller, sample).state_dict()
    assert all(torch.equal(usual[name], tensor) for name, tensor in kept["l2"].items())
    assert any(not torch.equal(usual[name], tensor) for name, tensor in kept["taylor"].items())
    with pytest.raises(ConfigError, match="no gradients"):
        shrink(model, smaller, sample, criterion="taylor")


def test_the_scale_of_a_normalisation_is_a_criterion() -> None:
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 4))
    with torch.no_grad():
        net[1].weight.copy_(torch.tensor([3.0, 1, -4, 1.5, 5, 9, -2, 6]))
    group = next(group for group, _ in groups_of(trace(net.eval(), ROWS[:2])))
    assert criterion_of("bn_scale", net)(group).argsort().tolist() == [1, 3, 6, 0, 2, 4, 7, 5]


@pytest.mark.parametrize("values", [False, True])
def test_distillation_brings_the_outputs_closer_to_the_teachers(values: bool) -> None:
    torch.manual_seed(0)
    rows, parent = torch.randn(64, 5), nn.Linear(5, 1 if values else 3)
    told = parent(rows).detach()
    spec = table_spec(output=NumberOutput() if values else MulticlassOutput(labels=(0, 1, 2)))
    noise = torch.randn(64) if values else torch.randint(3, (64,))
    batch = Batch({"rows": rows}, noise, teacher=told)
    ends = []
    for share in (0.0, 1.0):
        torch.manual_seed(1)
        pupil = nn.Linear(5, told.shape[1])
        loss = DistillationLoss(Loss(spec, TrainPlan(), ensemble=False), spec=spec, distillation=Distillation(share=share))
        optimizer = torch.optim.SGD(pupil.parameters(), lr=0.1)
        for _ in range(100):
            optimizer.zero_grad()
            loss(pupil(rows), batch).backward()
            optimizer.step()
        ends.append(loss.distance(pupil(rows), told).item())
    assert ends[1] < 0.1 * ends[0]


# Blocks


def test_the_least_important_block_is_removed() -> None:
    model = trained(resnet)
    with torch.no_grad():
        model[1][0].norm2.weight.zero_()
        model[1][0].norm2.bias.zero_()
        model(ROWS)
    before = model(ROWS)
    shallower, gone = drop_blocks(model, 1, ROWS.relu())
    assert gone == ("1.0",) and isinstance(shallower[1][0], nn.Identity)
    torch.testing.assert_close(shallower(ROWS), before)
    with pytest.raises(ConfigError, match="only 3 of 9 blocks"):
        drop_blocks(model, 9, ROWS)


# The pipeline


@pytest.mark.usefixtures("unweighed")
def test_a_ratio_is_reached_and_the_score_recovers(parent, learnable) -> None:
    found = lean(parent, learnable, ratio=0.5, epochs=3, batch_size=32, progress=False)
    step = found.history.iloc[0]
    assert found.after.scores["accuracy"] > step["accuracy_at_once"]
    assert found.after.parameters < 0.3 * found.before.parameters and found.after.macs < 0.3 * found.before.macs
    assert not found.model.training and parent[0][0].out_channels == 16 and found.model[0][0].out_channels == 8
    assert found.drop == found.before.scores["accuracy"] - found.after.scores["accuracy"]
    assert "parameters" in repr(found) and not found.refused


@pytest.mark.usefixtures("unweighed")
@pytest.mark.parametrize("criterion", ["taylor", "random"])
def test_equal_seeds_make_equal_networks(parent, learnable, criterion) -> None:
    state = torch.random.get_rng_state()
    asked = {"ratio": 0.5, "epochs": 1, "steps": 2, "blocks": 1, "criterion": criterion, "progress": False}
    one, other, third = (lean(parent, learnable, seed=seed, **asked).model.state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], tensor) for name, tensor in other.items())
    assert not all(torch.equal(one[name], tensor) for name, tensor in third.items())
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.usefixtures("unweighed")
def test_an_allowed_drop_is_kept_and_too_large_cuts_are_undone(parent, learnable) -> None:
    found = lean(parent, learnable, max_score_drop=0.1, epochs=2, batch_size=32, progress=False)
    assert found.drop <= 0.1 and found.after.parameters < found.before.parameters
    kept = found.history[found.history.kept]
    assert kept.parameters.iloc[-1] == found.after.parameters == kept.parameters.min()


@pytest.mark.usefixtures("unweighed")
def test_an_unprunable_network_is_returned_with_the_reason(parent, learnable) -> None:
    rows, targets = learnable
    wrong = (targets + 1) % 4  # recovery is not tested here
    found = lean(
        parent, (rows, wrong), validation=learnable, max_score_drop=0.01, distill=False, epochs=2, batch_size=32, progress=False
    )
    assert found.after.parameters == found.before.parameters
    assert "none kept the score" in repr(found)


@pytest.mark.slow  # it times networks on this machine
def test_a_latency_limit_is_met_by_the_smallest_sufficient_cut(learnable) -> None:
    net = trained(
        lambda: nn.Sequential(
            nn.Flatten(), nn.Linear(64, 2048), nn.ReLU(), nn.Linear(2048, 1024), nn.ReLU(), nn.Linear(1024, 4)
        )
    )
    deployment = Deployment(batch_size=4)
    whole = min(
        LatencyProfiler(deployment, learnable[0]).measure(net).median for _ in range(3)
    )  # the machine may be busy with others
    found = lean(net, learnable, deployment=deployment, max_latency_ms=whole / 2, epochs=0, progress=False)
    assert found.after.latency.median < 0.6 * found.before.latency.median
    assert found.after.parameters > 0.1 * found.before.parameters
    with pytest.raises(LimitError, match="of its channels removed this network still takes"):
        lean(net, learnable, deployment=deployment, max_latency_ms=1e-5, epochs=0, progress=False)


@pytest.mark.usefixtures("unweighed")
def test_a_lightning_module_recovers_with_its_own_steps_if_requested(learnable) -> None:
    module = trained(Lit)
    found = lean(module, learnable, ratio=0.5, epochs=1, own_steps=True, progress=False)
    again = lean(found.model, learnable, ratio=0.5, epochs=1, progress=False)
    assert found.model._trainer is None and type(again.model) is Lit and again.after.parameters < found.after.parameters
    with pytest.raises(ConfigError, match="no training_step"):
        lean(resnet(), learnable, ratio=0.5, own_steps=True)


@pytest.mark.usefixtures("unweighed")
def test_values_keep_their_unit_and_every_kind_of_source_is_read() -> None:
    torch.manual_seed(0)
    rows = torch.randn(300, 6)
    targets = 1000 * rows[:, :2].sum(1) + 50_000
    net = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 1))
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)
    for _ in range(200):
        optimizer.zero_grad()
        nn.functional.mse_loss(net(rows)[:, 0], rows[:, :2].sum(1)).backward()
        optimizer.step()
    with torch.no_grad():
        net[2].weight.mul_(1000)
        net[2].bias.mul_(1000).add_(50_000)
    sources = ((rows.numpy().astype(np.float64), targets.numpy()), DataLoader(TensorDataset(rows, targets), batch_size=64))
    ends = [lean(net, source, ratio=0.5, epochs=20, batch_size=32, distill=False, progress=False) for source in sources]
    assert ends[0].metric == "r2" and ends[0].after.scores["r2"] > 0.9
    assert abs(ends[0].model(rows).mean().item() - 50_000) < 500
    assert ends[0].after.scores == ends[1].after.scores


def test_everything_wrong_is_reported_in_one_error(learnable) -> None:
    rows, targets = learnable
    with pytest.raises(ConfigError, match="7 things are wrong") as error:
        lean(
            resnet(), (rows, targets + 4), ratio=1.5, max_score_drop=0.1, criterion="tailor", ranking="globl", steps=0, validation=3,
            progress=False,
        )  # fmt: skip
    for part in (
        "2 goals are given", "ratio is 1.5", "Did you mean 'taylor'", "Did you mean 'global'", "steps is 0",
        "validation cannot be read", "a target is class 7, and forward returns logits for 4 classes",
    ):  # fmt: skip
        assert part in str(error.value)
    with pytest.raises(ConfigError, match=r"2 things(.|\n)*model is a int(.|\n)*300 rows and 400 targets"):
        lean(3, (rows[:300], targets), ratio=0.5)


def test_the_public_module_loads_no_torch() -> None:
    code = "import sys; from lepton_automl import lean; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"
