"""What widths do alone: against running the whole network with that one change."""

import dataclasses

import numpy as np
import pytest
from scipy.special import log_softmax
from small_classifier import normalized_classifier, small_classifier, small_images

from qonnx_tools.conversion import convert
from qonnx_tools.graph import from_proto, parse
from qonnx_tools.plan import BatchNorm
from qonnx_tools.preparation import look_at, prepare
from qonnx_tools.runtime import run, session
from qonnx_tools.schemes.base import make_scheme
from qonnx_tools.search.damage import DamageContext, damages, measure_damage
from qonnx_tools.search.images import Images
from qonnx_tools.search.space import ACTIVATION, BATCH_NORM, BIAS, WEIGHTS, Space

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


def one_in_float(source, space, choice, width, images):
    """The outputs of the float network with one choice at a width, which the rounding of one constant cannot tell."""
    plan = space.plan(space.widest() | {choice.key: width})
    only = dataclasses.replace(plan, tensors={name: plan.tensors[name] for name in choice.tensors})
    return logits(source, only, images)


def test_activations_and_biases_do_what_the_whole_network_shows(source, images):
    space = space_of(source, images)
    found = dict(damages(DamageContext(space, (images[:16], images[16:])), [choice.key for choice in space.choices]))
    assert found.keys() == {choice.key for choice in space.choices}
    reference = run(session(source), images)[0]
    for choice in space.choices:
        if choice.kind == WEIGHTS:
            continue
        for width in choice.widths:
            expected = divergence(reference, one_in_float(source, space, choice, width, images))
            assert found[choice.key].widths[width] == pytest.approx(expected, rel=1e-3, abs=1e-6), (choice.key, width)


def test_batch_norm_constants_are_measured(images):
    source = normalized_classifier()
    prepared = prepare(source, BatchNorm.MERGE)
    network, _ = look_at(prepared, Images(images, None, "noise"), len(images))
    scheme = make_scheme("fixed", {"bias_bits": 16, "batch_norm": "merge"})
    space = Space.of(prepared.model, network, scheme, ALLOWED | {BATCH_NORM: (3, 16)})
    kinds = {choice.tensors[0]: choice.kind for choice in space.choices}
    (unit,) = network.normalizations
    assert (kinds[unit.scale], kinds[unit.offset]) == (BATCH_NORM, BIAS)
    found = dict(damages(DamageContext(space, (images,)), ["batch norm of norm", "bias of norm"]))
    assert found["batch norm of norm"].widths[3] > 10 * found["batch norm of norm"].widths[16]
    assert found["bias of norm"].widths[4] > found["bias of norm"].widths[16]


def test_inferences_are_counted_by_multiplications(source, images):
    space = space_of(source, images)
    found = dict(damages(DamageContext(space, (images,)), [choice.key for choice in space.choices]))
    macs = {"first": 108 * 36, "second": 144 * 36, "last": 20}
    whole = len(images) * 2  # of each of two widths
    assert found["activation of x"].inferences == pytest.approx(whole)
    behind = (macs["second"] + macs["last"]) / sum(macs.values())
    assert found["activation of e"].inferences == pytest.approx(whole * behind)
    assert found["weights of first"].inferences == pytest.approx(whole * behind)
    assert found["weights of last"].inferences == 0


def test_narrow_weights_do_damage_and_wide_ones_none(source, images):
    space = space_of(source, images)
    keys = [choice.key for choice in space.choices if choice.kind == WEIGHTS]
    for damage in dict(damages(DamageContext(space, (images,)), keys)).values():
        assert damage.widths[2] > 10 * damage.widths[8]
        assert damage.widths[8] < 1e-3


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
    assert 0.01 < found["activation of x"].widths[3] < 1
    assert found["weights of first"].widths[2] > found["weights of first"].widths[8]
