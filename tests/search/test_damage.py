"""What widths do alone: against running the whole network with that one change."""

import dataclasses

import numpy as np
import pytest
from scipy.special import log_softmax
from small_classifier import small_classifier, small_images

from qonnx_tools.conversion import convert
from qonnx_tools.graph import from_proto, parse
from qonnx_tools.plan import BatchNorm
from qonnx_tools.preparation import look_at, prepare
from qonnx_tools.runtime import run, session
from qonnx_tools.schemes.base import make_scheme
from qonnx_tools.search.damage import DamageContext, damages, measure_damage
from qonnx_tools.search.images import Images
from qonnx_tools.search.space import ACTIVATION, BIAS, WEIGHTS, Space

ALLOWED = {WEIGHTS: (2, 8), BIAS: (4, 16), ACTIVATION: (3, 8)}


@pytest.fixture
def source():
    return small_classifier()


@pytest.fixture
def images():
    return small_images(32)


def space_of(source, images):
    prepared = prepare(source, BatchNorm.FOLD)
    network, _ = look_at(prepared, Images(images, None, "noise"), len(images))
    return Space.of(prepared.model, network, make_scheme("fixed", {"bias_bits": 16}), ALLOWED)


def divergence(reference, other):
    expected, given = log_softmax(reference.astype(float), axis=1), log_softmax(other.astype(float), axis=1)
    return (np.exp(expected) * (expected - given)).sum(axis=1).mean()


def logits(source, plan, images):
    return run(session(convert(source, plan=plan, target="simulation").model), images)[0]


def test_what_there_is_to_choose(source, images):
    space = space_of(source, images)
    assert [choice.key for choice in space.choices if choice.kind == ACTIVATION] == [
        f"activation of {name}" for name in ("x", "e", "f", "h", "i")
    ]
    assert [choice.tensors[0] for choice in space.choices if choice.kind == WEIGHTS] == ["w", "v", "u"]
    assert [choice.tensors[0] for choice in space.choices if choice.kind == BIAS] == ["b", "c", "d"]
    plan = space.plan(space.widest() | {"weights of second": 2, "bias of first": 4, "activation of h": 3})
    assert [plan.tensors[name].format.bits for name in "wvbch"] == [8, 2, 4, 16, 3]


def test_activations_and_biases_do_what_the_whole_network_shows(source, images):
    space = space_of(source, images)
    found = dict(damages(DamageContext(space, (images[:16], images[16:])), [choice.key for choice in space.choices]))
    assert found.keys() == {choice.key for choice in space.choices}
    reference = run(session(source), images)[0]
    base = divergence(reference, logits(source, space.plan(space.widest()), images))
    for choice in space.choices:
        if choice.kind == WEIGHTS:
            continue
        for width in choice.widths:
            plan = space.plan(space.widest() | {choice.key: width})
            if choice.kind == ACTIVATION:  # biases stay on the grid that they have with the widest activations
                widest = space.plan(space.widest())
                plan = dataclasses.replace(widest, tensors={
                    **widest.tensors, **{name: plan.tensors[name] for name in choice.tensors}
                })  # fmt: skip
            expected = max(0.0, divergence(reference, logits(source, plan, images)) - base)
            assert found[choice.key][width] == pytest.approx(expected, abs=1e-6), (choice.key, width)


def test_narrow_weights_do_damage_and_wide_ones_none(source, images):
    space = space_of(source, images)
    keys = [choice.key for choice in space.choices if choice.kind == WEIGHTS]
    for damage in dict(damages(DamageContext(space, (images,)), keys)).values():
        assert damage[2] > 10 * damage[8]
        assert damage[8] < 1e-3


def test_parts_give_what_one_pass_gives(source, images):
    context = DamageContext(space_of(source, images), (images,))
    keys = [choice.key for choice in context.space.choices]
    whole = dict(damages(context, keys))
    parts = measure_damage(context, tuple(keys[::2])) | measure_damage(context, tuple(keys[1::2]))
    assert parts == whole


def test_a_network_that_is_no_classifier(images):
    random = np.random.default_rng(0)
    text = """<ir_version: 8, opset_import: ["" : 17]> g (float[N, 3, 6, 6] x) => (float[N, 4, 4, 4] y)
    <float[4, 3, 3, 3] w> { [first] y = Conv (x, w) }"""
    source = from_proto(parse(text, w=random.normal(size=(4, 3, 3, 3)).astype(np.float32)))
    found = dict(damages(DamageContext(space_of(source, images), (images,)), ["weights of first", "activation of x"]))
    assert 0.01 < found["activation of x"][3] < 1
    assert found["weights of first"][2] > found["weights of first"][8]
