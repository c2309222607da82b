"""Networks of all designs, as training leaves them, and their exported files."""

import warnings

import onnx
import torch
from torch import nn

from lepton_automl import families
from lepton_automl.deployment.export import export
from lepton_automl.deployment.session import OnnxModel
from lepton_automl.modalities.table.spec import TableInput
from lepton_automl.models.build import build
from lepton_automl.models.deployable import deployable
from lepton_automl.tasks.regression import NumberOutput
from tests.samples import image_spec, with_fields

torch.set_num_threads(1)


IMAGES = image_spec(
    name="x", folder="/", labels=("a", "b", "c"), train=10, validation=5, test=5, digest="d",
    shape=(3, 32, 32), pixel_mean=(100.0, 110.0, 90.0), pixel_std=(50.0, 40.0, 60.0),
)  # fmt: skip
TABLE = IMAGES.replace(input=TableInput(numeric=6, cardinalities=(3, 9)))
CODES = with_fields(TABLE, numeric=0)
VALUES = with_fields(TABLE, cardinalities=(), output=NumberOutput(mean=100.0, scale=30.0))


def rows_of(spec, count=5):
    if spec.modality == "image":
        return {"image": torch.randint(0, 256, (count, *spec.input.shape), dtype=torch.uint8)}
    rows = {"numeric": torch.randn(count, spec.input.numeric)} if spec.input.numeric else {}
    if spec.input.cardinalities:
        rows["categorical"] = torch.stack([torch.randint(0, codes, (count,)) for codes in spec.input.cardinalities], 1)
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
