"""Layers as values: their text, their shapes, and errors that name the layer."""

import pytest

from lepton_automl.errors import ConfigError
from lepton_automl.layers import Layer, SequentialRecipe, layer_names, layers_from_text, layers_to_text, with_flatten

CONV = Layer(kind="conv2d", width=8, size=(3, 3), activation="relu")
HALVE = Layer(kind="pool2d", size=(2, 2), stride=(2, 2), pool="max")
LAYERS = (CONV, HALVE, CONV.replace(padding="same"), Layer(kind="dropout", rate=0.25), Layer(kind="dense", width=16))


def test_layers_survive_their_text():
    assert layers_from_text(layers_to_text(LAYERS)) == LAYERS
    assert layers_to_text(LAYERS[:2]) == "conv2d(width=8 size=3x3 activation=relu) pool2d(size=2x2 stride=2x2 pool=max)"
    assert layers_from_text("") == ()


@pytest.mark.parametrize(
    ("text", "what"),
    [("conv3d(width=8)", "Did you mean 'conv2d'"), ("dense(width)", "cannot be read"), ("dense", "not a list")],
)
def test_a_wrong_text_is_refused(text, what):
    with pytest.raises(ConfigError, match=what):
        layers_from_text(text)


def test_a_dense_layer_after_maps_implies_a_flattening():
    complete = with_flatten(LAYERS, (1, 10, 10))
    assert layer_names(complete) == ("conv2d_1", "pool2d_1", "conv2d_2", "dropout_1", "flatten_1", "dense_1")
    recipe = SequentialRecipe(outputs=3, shape=(1, 10, 10), layers=complete)
    assert recipe.shapes == ((1, 10, 10), (8, 8, 8), (8, 4, 4), (8, 4, 4), (8, 4, 4), (128,), (16,))
    assert recipe.widths == {"conv2d_1": 8, "conv2d_2": 8, "dense_1": 16}
    assert recipe.macs == 8 * 8 * 8 * 9 + 8 * 4 * 4 * 8 * 9 + 128 * 16 + 16 * 3


def test_an_error_names_the_layer():
    with pytest.raises(ConfigError, match=r"conv2d_2: its kernel of 3 x 3 does not fit into maps of 1 x 1"):
        with_flatten((CONV, HALVE, CONV), (1, 4, 4))
    with pytest.raises(ConfigError, match=r"conv2d_1: it needs feature maps"):
        with_flatten((Layer(kind="dense", width=3), CONV), (1, 8, 8))
