"""Transforms, masks and steps found on images: each choice against the measure that it stands for."""

from dataclasses import replace

import numpy as np
import pytest

from qonnx_tools.arithmetic.bitstream import Coder
from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.compression.choice import chosen_maps
from qonnx_tools.compression.images import TuningImages
from qonnx_tools.compression.masks import band_energies, dropped_channels
from qonnx_tools.compression.options import FeatureMapOptions
from qonnx_tools.compression.steps import Point, hull, last_within, points, sequence
from qonnx_tools.compression.tails import cut
from qonnx_tools.compression.transforms import best_coder, candidates, transform_at_equal_error
from qonnx_tools.compression.trials import mean_bytes, returned, squared_error
from qonnx_tools.conversion import convert
from qonnx_tools.divergence import divergence
from qonnx_tools.errors import ConfigError, DataError
from qonnx_tools.feature_map_plan import FeatureMapPlan
from qonnx_tools.graph import constant_value, from_proto, is_constant, parse
from qonnx_tools.runtime import session
from qonnx_tools.search.images import Images
from tests.helpers.small_classifier import TEXT, small_classifier, small_images

CODES = np.random.default_rng(2)


def smooth(count=6, channels=4, side=16):
    """Maps that a wavelet likes: sums of a few waves."""
    y, x = np.mgrid[:side, :side] / side
    waves = [np.sin(2 * np.pi * (a * x + b * y + p)) for a, b, p in CODES.uniform(0, 1.5, (count * channels, 3))]
    return np.clip(np.round(120 + 100 * np.array(waves)), 0, 255).astype(np.uint8).reshape(count, channels, side, side)


OF = FixedPoint(8, 4, signed=False)
NOISE = CODES.integers(0, 256, (6, 4, 16, 16)).astype(np.uint8)


@pytest.fixture(scope="module")
def network():
    model = small_classifier()
    return model, convert(model).plan


@pytest.fixture(scope="module")
def cuts(network):
    model, plan = network
    quantized = convert(model, plan=plan, target="simulation").model
    return cut(quantized, chosen_maps(model.graph, plan, ["e", "h"]), small_images(100))


def test_a_damage_is_that_of_the_graph_with_the_map_alone(network, cuts):
    model, plan = network
    outputs = {}
    maps = {"e": FeatureMapPlan("haar", levels=2, step=30.0), "h": FeatureMapPlan(step=50.0), "": None}
    for name, of in maps.items():
        chosen = replace(plan, feature_maps={name: of} if of else {})
        graph = convert(model, plan=chosen, target="simulation").model
        outputs[name] = session(graph).run(None, {"x": small_images(100)})[0]
    for name in ("e", "h"):
        found = cuts[name].damage(returned(cuts[name].codes, cuts[name].format, maps[name]))
        assert found > 0
        assert found == pytest.approx(divergence([outputs[""]], [outputs[name]]), rel=1e-3)
        assert cuts[name].damage(cuts[name].codes) == 0
        change = outputs[name].astype(np.float64) - outputs[""]
        expected = np.square(change - change.mean(axis=1, keepdims=True)).mean()
        assert cuts[name].error(returned(cuts[name].codes, cuts[name].format, maps[name])) == pytest.approx(
            expected, 1e-3
        )
        assert cuts[name].error(cuts[name].codes) == pytest.approx(0, abs=1e-9)


def test_a_network_that_holds_its_batch_size(network, cuts):
    values = {
        tensor.name: constant_value(tensor)
        for node in network[0].graph.nodes
        for tensor in node.inputs
        if is_constant(tensor)
    }
    text = TEXT.replace("float[N,", "float[8,").replace("Flatten (i)", "Reshape (i, s)")
    text = text.replace("float[5] d>", "float[5] d, int64[2] s = {8, 4}>")
    fixed = from_proto(parse(text, **values))
    quantized = convert(fixed, plan=network[1], target="simulation").model
    found = cut(quantized, ["e"], small_images(100))["e"]
    np.testing.assert_array_equal(found.codes, cuts["e"].codes)
    other = found.codes // 2
    assert found.damage(other) == pytest.approx(cuts["e"].damage(other))


def test_energies_are_those_that_dropping_takes_away():
    codes = smooth() // 4 * 2 + NOISE // 32 + 40
    energies = band_energies(codes, "haar")
    plan = FeatureMapPlan("haar", levels=1)
    for channel in range(4):
        left_out = returned(codes, OF, replace(plan, dropped=(channel,))).astype(int) - codes
        taken = np.square(left_out).sum(axis=(1, 2, 3)).mean()
        assert taken == pytest.approx(energies[channel], rel=0.1)
    assert band_energies(np.full((1, 2, 8, 8), 7), "wavelet53").tolist() == [0, 0]


def test_channels_that_nothing_feels_lose_their_bands_first(cuts):
    plan = FeatureMapPlan("wavelet53", levels=1)
    codes = cuts["h"].codes.copy()
    codes[:, 2] = 9
    flat = replace(cuts["h"], codes=codes)
    assert dropped_channels(flat, plan, 0) == ()
    assert dropped_channels(flat, plan, 1) == (2,)
    assert len(dropped_channels(flat, plan, 2)) == 2
    assert dropped_channels(flat, plan, 4) == (0, 1, 2, 3)


def test_a_channel_of_much_energy_that_no_layer_reads():
    model = small_classifier()
    values = {tensor.name: tensor for node in model.graph.nodes for tensor in node.inputs}
    unread = np.array([1, 1, 1, 0], np.float32)  # by the last layer
    values["u"].values = values["u"].values * unread[:, None]
    values["v"].values = values["v"].values * (4 - 3 * unread)[:, None, None, None]
    plan = convert(model).plan
    cuts = cut(convert(model, plan=plan, target="simulation").model, ["h"], small_images(100))
    wavelet = FeatureMapPlan("haar", levels=1)
    assert band_energies(cuts["h"].codes, "haar").argmax() == 3
    assert dropped_channels(cuts["h"], wavelet, 1) == (3,)


@pytest.mark.parametrize("step", [1.0, 8.0, 20.0])
def test_the_transform_of_least_bytes_at_equal_error(step):
    for codes in (smooth(), NOISE):
        chosen = transform_at_equal_error(codes, OF, step, candidates())
        allowed = squared_error(codes, OF, FeatureMapPlan(step=step))
        assert squared_error(codes, OF, chosen) <= allowed
        mine = mean_bytes(codes, OF, chosen)
        assert mine <= min(mean_bytes(codes, OF, FeatureMapPlan(kind, step=step)) for kind in ("predictive", "none"))
    assert chosen.transform in ("predictive", "none"), "noise has nothing for a wavelet"


def test_wavelets_alone_where_bands_are_dropped():
    assert {plan.transform for plan in candidates(dropping=True)} == {"haar", "wavelet53"}


def test_the_coder_of_least_bytes():
    for codes in (smooth(), NOISE, NOISE // 255):
        plan = best_coder(codes, OF, FeatureMapPlan())
        sizes = {coder: mean_bytes(codes, OF, FeatureMapPlan(coder=coder)) for coder in Coder}
        assert sizes[plan.coder] == min(sizes.values())


def point(size, damage):
    return Point(FeatureMapPlan(step=size), size, damage)


def test_the_hull():
    given = [point(*each) for each in [(100, 0), (90, 5), (60, 8), (50, 30), (40, 32), (45, 60), (110, 0), (20, 200)]]
    assert [(each.bytes, each.damage) for each in hull(given)] == [(100, 0), (60, 8), (40, 32), (20, 200)]


def test_the_sequence_takes_the_cheapest_byte_first():
    plans = sequence({
        "a": [point(100, 0), point(80, 4), point(60, 40)],
        "b": [point(50, 0), point(30, 1), point(20, 11)],
    })  # fmt: skip
    steps = [(each["a"].step, each["b"].step) for each in plans]
    assert steps == [(100, 50), (100, 30), (80, 30), (80, 20), (60, 20)]


@pytest.mark.parametrize("last", range(12))
def test_the_last_within_the_budget(last):
    plans, asked = [{"a": FeatureMapPlan(step=1 + place)} for place in range(12)], []

    def loss(maps):
        asked.append(maps["a"].step)
        return (maps["a"].step - 1) / 100

    assert last_within(plans, loss, last / 100 + 1e-9) == (last, last / 100)
    assert len(asked) <= 5
    assert last_within(plans, loss, -1) is None


def test_points_of_all_transforms(cuts):
    found = points(cuts["h"], [FeatureMapPlan("none"), FeatureMapPlan(), FeatureMapPlan("haar", levels=1)])
    assert {each.plan.transform for each in found} == {"none", "predictive", "haar"}
    assert all((each.damage == 0) == (each.plan.step == 1) for each in found if each.plan.step < 1.5)
    for each in found[::7]:
        assert each.bytes == mean_bytes(cuts["h"].codes[:48], cuts["h"].format, each.plan)


def test_every_second_damage_lies_between_its_neighbours(cuts):
    found = points(cuts["h"], [FeatureMapPlan()])
    steps = [each.plan.step for each in found]
    assert steps == sorted(set(steps))
    assert len(steps) > 12
    for at, each in enumerate(found[1:], 1):
        if at % 2:
            assert each.damage == cuts["h"].damage(returned(cuts["h"].codes, cuts["h"].format, each.plan))
        else:
            assert each.damage == pytest.approx((found[at - 1].damage * found[at + 1].damage) ** 0.5)


WIDE = {"weight_bits": 12, "activation_bits": 10}


def test_conversion_within_a_budget():
    model = small_classifier()
    images = small_images(400)
    labels = session(model).run(None, {"x": images})[0].argmax(axis=1)
    data = Images(images, labels, "noise")
    coarse = convert(model, data=data, feature_maps=FeatureMapOptions(max_drop=0.1, at=("all",)), **WIDE)
    fine = convert(model, data=data, feature_maps=FeatureMapOptions(max_drop=0.02, at=("all",)), **WIDE)
    assert coarse.plan.feature_maps.keys() == fine.plan.feature_maps.keys() == {"e", "h"}
    sizes = []
    for budget, result in ((0.1, coarse), (0.02, fine)):
        parts = TuningImages.of(data, compare=True)
        answers = session(result.model).run(None, {"x": parts.comparison})[0].argmax(axis=1)
        assert result.tuned.loss.share == pytest.approx((answers != parts.labels).mean())
        assert result.tuned.loss.share <= budget
        assert result.tuned.loss.images == len(parts.comparison) == 300
        cuts = cut(convert(model, plan=coarse.plan, target="simulation").model, ["e", "h"], images[:20])
        sizes.append(
            sum(mean_bytes(each.codes, each.format, result.plan.feature_maps[name]) for name, each in cuts.items())
        )
    assert sizes[0] < sizes[1], "a larger budget takes fewer bytes"
    again = convert(model, data=data, feature_maps=FeatureMapOptions(max_drop=0.02, at=("all",)), **WIDE)
    assert again.plan == fine.plan


def test_a_budget_out_of_reach():
    model = small_classifier()
    data = Images(small_images(60), None, "noise")
    options = FeatureMapOptions("none", max_drop=1e-9)
    with pytest.raises(
        ConfigError, match=r"max drop: the plan loses .* points with the maps at their best, measured on 45"
    ):
        convert(model, data=data, feature_maps=options, weight_bits=2, activation_bits=2, fit="weights")
    with pytest.raises(DataError, match="feature maps need 8 images or more"):
        convert(model, data=Images(small_images(5), None, "noise"), feature_maps=options)


def test_dropping_with_fixed_steps():
    model = small_classifier()
    data = Images(small_images(60), None, "noise")
    result = convert(model, data=data, feature_maps=FeatureMapOptions("haar", step=0.02, drop=0.5))
    (chosen,) = result.plan.feature_maps.values()
    assert (chosen.transform, len(chosen.dropped)) == ("haar", 2)
    auto = convert(model, data=data, feature_maps=FeatureMapOptions(step=0.02, drop=0.25, coder="rice"))
    (chosen,) = auto.plan.feature_maps.values()
    assert chosen.transform in ("haar", "wavelet53")
    assert (chosen.coder, len(chosen.dropped)) == ("rice", 1)


def test_dropping_from_each_map_or_where_it_matters_least():
    """What is read through a mean over all pixels needs no finest bands."""
    data = Images(small_images(60), None, "noise")
    chosen = {}
    for kind in ("all", "each"):
        options = FeatureMapOptions("haar", at=("e", "h"), step=0.02, drop=0.5, drop_from=kind)
        maps = convert(small_classifier(), data=data, feature_maps=options).plan.feature_maps
        chosen[kind] = {name: len(plan.dropped) for name, plan in maps.items()}
    assert chosen == {"all": {"e": 0, "h": 4}, "each": {"e": 2, "h": 2}}


def test_maps_that_give_no_channel_may_have_any_transform():
    noisy = Images(small_images(60), None, "noise")
    options = FeatureMapOptions(at=("e", "h"), step=0.02, drop=0.25)
    maps = convert(small_classifier(), data=noisy, feature_maps=options).plan.feature_maps
    assert (len(maps["e"].dropped), len(maps["h"].dropped)) == (0, 2)
    assert maps["e"].transform in ("none", "predictive"), "of noise wavelets make no less"
