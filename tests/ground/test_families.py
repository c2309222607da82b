"""Several network families in one study."""

import random

import pytest

from lepton_automl import families, plugins
from lepton_automl.errors import Complaints, ConfigError
from lepton_automl.modalities.table.family import TableFamily
from lepton_automl.plans import PrunePlan, TrainPlan
from lepton_automl.space import Categorical, Float, Integer, Space
from lepton_automl.validate import check_family
from tests.samples import image_spec, table_spec

SPEC = table_spec()


class Deep(TableFamily):
    """Tables again: a width of its own range, one shared setting, one of its own, and fewer designs."""

    name = "deep"

    def space(self, spec):
        own = {"model.width": Integer(300, 400, default=320), "train.beta2": Float(0.9, 0.999, default=0.95)}
        return super().space(spec) | Space(hyperparameters=own)

    def initial_designs(self, spec):
        return [{"model.width": 400}, {"model.width": 300}]

    def train_plan(self, spec):
        return super().train_plan(spec).replace(batch_size=17)


class Fixed(TableFamily):
    """A single network."""

    name = "fixed"

    def space(self, spec):
        return Space(hyperparameters={})

    def recipe(self, config, spec):
        return super().recipe(families.room(super().space(spec).defaults, "model") | {"width": 16, "depth": 1}, spec)

    def initial_designs(self, spec):
        return [{}]


@pytest.fixture(autouse=True)
def more_families(monkeypatch):
    for family in (Deep, Fixed):
        monkeypatch.setitem(plugins.BUILT_IN["families"], family.name, f"{__name__}:{family.__name__}")
    plugins.forget()
    yield
    plugins.forget()


def test_families_share_what_they_define_equally():
    space, table = families.space_for(SPEC, ("table", "deep")), families.space_for(SPEC)
    assert space["model.family"].choices == ("table", "deep") and space["model.family"].default == "table"
    assert set(space) - set(table) == {"model.family", "model.deep.width", "train.deep.beta2"}
    assert space["model.width"] == table["model.width"] and space["model.deep.width"].low == 300


def test_each_family_gets_its_own_settings():
    config = families.space_for(SPEC, ("table", "deep")).defaults | {"model.depth": 1}
    deep = config | {"model.family": "deep"}
    assert (families.full_recipe(config, SPEC).width, families.full_recipe(deep, SPEC).width) == (128, 320)
    assert families.full_recipe(config, SPEC).depths == families.full_recipe(deep, SPEC).depths
    plan = TrainPlan(epochs=3, seed=5)
    assert families.plan_of(config, plan, SPEC).beta2 == 0.99 and families.plan_of(config, plan, SPEC).batch_size != 17
    own = families.plan_of(deep, plan, SPEC)
    assert (own.beta2, own.batch_size, own.epochs, own.seed) == (0.95, 17, 3, 5)


def test_inactive_settings_do_not_make_another_candidate():
    config = families.space_for(SPEC, ("table", "deep")).defaults
    other = config | {"model.deep.width": 400, "train.deep.beta2": 0.9}
    assert families.full_recipe(config, SPEC) == families.full_recipe(other, SPEC)
    assert families.plan_of(config, TrainPlan(), SPEC) == families.plan_of(other, TrainPlan(), SPEC)


def test_pinned_values_outside_a_range_and_usual_settings_of_training_are_kept():
    space = families.add_hyperparameters(
        families.space_for(SPEC, ("table", "deep")), SPEC, {"model.width": 512, "train.batch_size": 33}
    )
    config = space.defaults
    assert families.full_recipe(config, SPEC).width == 512 and families.plan_of(config, TrainPlan(), SPEC).batch_size == 33
    assert families.plan_of(config | {"model.family": "deep"}, TrainPlan(), SPEC).batch_size == 33


def test_a_pinned_family_leaves_the_others_out():
    space = families.space_for(SPEC, ("table", "deep", "fixed"))
    assert families.add_hyperparameters(space, SPEC, {"model.family": "deep"}) == families.space_for(SPEC, "deep")
    two = families.add_hyperparameters(space, SPEC, {"model.family": Categorical("table", "fixed", default="fixed")})
    assert families.families_in(two) == ("table", "fixed") and "model.deep.width" not in two


def test_single_networks_come_first_and_the_others_in_turn():
    space = families.space_for(SPEC, ("table", "deep", "fixed"))
    designs = families.first_designs(space, SPEC)
    assert [design["model.family"] for design in designs[:6]] == ["fixed", "table", "deep", "table", "deep", "table"]
    assert [design["model.deep.width"] for design in designs if design["model.family"] == "deep"] == [400, 300]
    assert all(space.complete(design) == design for design in designs)


def test_a_family_with_a_single_network_is_not_drawn_from():
    space = families.space_for(SPEC, ("fixed", "table", "deep"))
    drawn = families.searched(space, SPEC)
    assert families.families_in(drawn) == ("table", "deep") and drawn["model.family"].default == "table"
    assert families.searched(families.space_for(SPEC, "fixed"), SPEC) == families.space_for(SPEC, "fixed")
    assert families.searched(families.space_for(SPEC), SPEC) == families.space_for(SPEC)


def test_the_smallest_network_of_several_families_has_the_fewest_multiplications():
    spaces = [families.space_for(SPEC, names) for names in ("table", "deep", ("deep", "table"))]
    table, deep, both = (families.final_recipe(families.smallest(space, SPEC), SPEC, PrunePlan()).macs for space in spaces)
    assert table < deep and both == table


def test_every_draw_of_a_joint_space_makes_a_network():
    space = families.space_for(SPEC, ("table", "deep"))
    for seed in range(20):
        config = space.sample(random.Random(seed))
        assert families.final_recipe(config, SPEC, PrunePlan()).outputs == SPEC.outputs
        families.plan_of(config, TrainPlan(), SPEC)


@pytest.mark.parametrize(
    ("family", "spec", "complaint"),
    [
        (("table", "tabel"), None, "there is no network family 'tabel'"),
        (("table", "table"), None, "family names one twice"),
        ((), None, "family is empty"),
        (("conv", "table"), image_spec(), "'table' does not support these data"),
    ],
)
def test_wrong_families_are_refused(family, spec, complaint):
    complaints = Complaints("AutoML")
    check_family(family, spec, complaints)
    with pytest.raises(ConfigError, match=complaint):
        complaints.raise_any()
