"""The network of an ensemble answers with the weighted mean of its members' answers."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import torch

from lepton_automl.data.open import open_data
from lepton_automl.data.options import DataOptions
from lepton_automl.deployment.programs import export_network
from lepton_automl.ensembles.family import EnsembleFamily
from lepton_automl.ensembles.network import EnsembleNet, places
from lepton_automl.ensembles.recipe import EnsembleRecipe
from lepton_automl.errors import ConfigError
from lepton_automl.families import draw, room, space_for
from lepton_automl.models import build, deployable, load, save
from lepton_automl.pipelines.ensemble import choose_members, mean_answers
from lepton_automl.recipe import recipe_from_json
from lepton_automl.task import task_of

HEADS, WEIGHTS = (4, 1, 2), (1, 3, 2)


@pytest.fixture(scope="module", params=["a", "number"])
def data(request, tmp_path_factory):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=90), "y": rng.normal(size=90)})
    frame["target"] = rng.choice([*"abc"], 90) if request.param == "a" else rng.normal(50, 9, 90)
    return open_data(frame, tmp_path_factory.mktemp("data"), DataOptions(target="target"))


def members(data):
    space = space_for(data.spec)
    configs = [space.nearest({"model.heads": heads, "model.width": 16, "model.depth": 1}) for heads in HEADS]
    return [build(draw(room(config, "model"), data.spec), seed).eval() for seed, config in enumerate(configs)]


def ensemble(data):
    networks = members(data)
    recipes = tuple(network.recipe for network in networks)
    recipe = EnsembleRecipe(outputs=data.spec.outputs, networks=recipes, heads=HEADS, weights=WEIGHTS)
    return EnsembleNet(recipe, networks).eval(), networks


def test_its_answers_are_the_weighted_mean_of_those_of_its_members(data, tmp_path):
    network, parts = ensemble(data)
    inputs = data.train.rows(slice(0, 20)).inputs
    with torch.inference_mode():
        each = [deployable(part, data.spec)(**inputs) for part in parts]
        own = deployable(network, data.spec)
        answers = own(**inputs)
        in_training = task_of(data.spec).answers(data.spec.output, members=True, unit=True)(network(**inputs))
    expected = mean_answers({n: part.numpy() for n, part in enumerate(each)}, dict(enumerate(WEIGHTS)))
    np.testing.assert_allclose(answers.numpy(), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(in_training.numpy(), expected, rtol=1e-4, atol=1e-5)
    exported = export_network(own, inputs, tmp_path / "model.onnx")
    np.testing.assert_allclose(exported({name: part.numpy() for name, part in inputs.items()}), expected, rtol=1e-4, atol=1e-5)


def test_it_is_read_back_from_its_files(data, tmp_path):
    network, _ = ensemble(data)
    save(network, tmp_path)
    again = load(tmp_path)
    assert again.recipe == network.recipe
    assert all(torch.equal(weight, network.state_dict()[name]) for name, weight in again.state_dict().items())


def test_its_recipe_survives_json_and_is_described(data):
    recipe = ensemble(data)[0].recipe
    assert recipe_from_json(json.loads(json.dumps(recipe.to_json()))) == recipe
    assert recipe.describe().startswith("ensemble of 3 networks: MLP 16")
    assert recipe.macs == sum(own.macs for own in recipe.networks) and len(recipe.diagram()) == 4
    assert recipe.scale(0.5) == recipe and not recipe.widths


def test_its_family_is_not_searched(data):
    family = EnsembleFamily()
    assert not family.accepts(data.spec)
    with pytest.raises(ConfigError, match="no settings to search"):
        family.recipe({}, data.spec)


def test_weights_are_shares_of_the_axis():
    chosen = places(HEADS, WEIGHTS)
    counts = Counter(0 if place < 4 else 1 if place == 4 else 2 for place in chosen)
    assert [counts[n] / len(chosen) for n in range(3)] == [weight / sum(WEIGHTS) for weight in WEIGHTS]
    assert Counter(chosen)[0] == Counter(chosen)[3] and Counter(chosen)[5] == Counter(chosen)[6]


def squared(truth):
    def judge(answers):
        loss = float(np.mean((answers - truth) ** 2))
        return loss, loss

    return judge


def test_members_are_those_whose_mean_is_best():
    rng = np.random.default_rng(1)
    truth = rng.normal(size=400)
    error = rng.normal(size=400)
    answers = {5: truth + error, 7: truth - error, 9: truth + rng.normal(scale=2, size=400)}
    assert choose_members(answers, squared(truth)) == Counter({5: 1, 7: 1})
    assert choose_members({5: answers[5], 9: answers[5] + 1}, squared(truth)) == Counter({5: 1})


def test_of_the_means_on_the_way_the_best_by_the_metric_is_taken():
    rng = np.random.default_rng(2)
    truth = rng.normal(size=400)
    answers = {number: truth + rng.normal(size=400) for number in range(6)}

    def judge(own):
        loss = squared(truth)(own)[0]
        return loss, -loss  # by this metric, more members are worse

    assert choose_members(answers, squared(truth)).total() > 2
    assert choose_members(answers, judge).total() == 2
