"""Networks of all designs, as training leaves them, and their exported files."""

import warnings

import onnx
import torch
from torch import nn

from lepton_automl import families
from lepton_automl.deployment.export import export
from lepton_automl.deployment.session import OnnxModel
from lepton_automl.models.build import build
from lepton_automl.models.deployable import deployable
from lepton_automl.specs import DataSpec

torch.set_num_threads(1)


IMAGES = DataSpec(
    name="x", folder="/", modality="image", task="multiclass", target="label", classes=("a", "b", "c"), shape=(3, 32, 32),
    train=10, validation=5, test=5, digest="d", pixel_mean=(100.0, 110.0, 90.0), pixel_std=(50.0, 40.0, 60.0),
)  # fmt: skip
TABLE = IMAGES.replace(modality="table", shape=(6,), cardinalities=(3, 9), pixel_mean=(), pixel_std=())
CODES = TABLE.replace(shape=(0,))
VALUES = TABLE.replace(cardinalities=(), task="regression", classes=(), target_mean=100.0, target_scale=30.0)


def rows_of(spec, count=5):
    if spec.modality == "image":
        return {"image": torch.randint(0, 256, (count, *spec.shape), dtype=torch.uint8)}
    rows = {"numeric": torch.randn(count, *spec.shape)} if spec.shape[0] else {}
    if spec.cardinalities:
        rows["categorical"] = torch.stack([torch.randint(0, codes, (count,)) for codes in spec.cardinalities], 1)
    return rows


def stir(module):
    """Batch norms as training leaves them, not as they are born."""
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
            if part.affine:
                part.weight.data.normal_()
                part.bias.data.normal_()
    return module


def network(spec, config):
    torch.manual_seed(0)
    recipe = families.draw({name.removeprefix("model."): s for name, s in config.items() if name.startswith("model.")}, spec)
    return deployable(stir(build(recipe)), spec)


def exported(module, inputs, path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the slow way warns
        export(module, inputs, path)
    onnx.checker.check_model(path, full_check=True)
    return OnnxModel(path)
