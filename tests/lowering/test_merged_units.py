"""Units that belong to a layer: a batch norm behind its activation function, the addition of a residual."""

from dataclasses import replace

import numpy as np
import pytest
from native_runs import compare_everywhere
from small_classifier import NORMALIZED, normalized_classifier, small_classifier, small_images

from qonnx_tools.conversion import convert
from qonnx_tools.errors import ConfigError
from qonnx_tools.graph import from_proto, nodes, op_of, parse, to_proto
from qonnx_tools.inspection import inspect
from qonnx_tools.plan import Role
from qonnx_tools.runtime import run, session
from qonnx_tools.search.images import Images
from qonnx_tools.workload import work_of

TWO_BRANCHES = """
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[N, 3, 6, 6] x) => (float[N, 4, 6, 6] y)
    <float[4, 3, 3, 3] w, float[4, 3, 1, 1] v, float[4, 4, 3, 3] u, float[4, 4, 1, 1] t>
    {
        [deep] a = Conv <pads = [1, 1, 1, 1]> (x, w) b = Relu (a)
        [deeper] c = Conv <pads = [1, 1, 1, 1]> (b, u)
        [shallow] d = Conv (x, v)
        [sum] e = Add (d, c) f = Relu (e)
        [last] y = Conv (f, t)
    }
"""


def two_branches():
    random = np.random.default_rng(5)
    shapes = {"w": (4, 3, 3, 3), "v": (4, 3, 1, 1), "u": (4, 4, 3, 3), "t": (4, 4, 1, 1)}
    return from_proto(
        parse(TWO_BRANCHES, **{name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()})
    )


def normalized_branches():
    text = TWO_BRANCHES.replace(
        "[last] y = Conv (f, t)", "[norm] h = BatchNormalization (f, s, o, m, n) [last] y = Conv (h, t)"
    )
    text = text.replace("float[4, 4, 1, 1] t>", "float[4, 4, 1, 1] t, float[4] s, float[4] o, float[4] m, float[4] n>")
    random = np.random.default_rng(5)
    shapes = {"w": (4, 3, 3, 3), "v": (4, 3, 1, 1), "u": (4, 4, 3, 3), "t": (4, 4, 1, 1), **dict.fromkeys("som", (4,))}
    values = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    return parse(text, **values, n=np.full(4, 1.3, np.float32))


def activations(conversion):
    return [name for name, of in conversion.plan.tensors.items() if of.role is Role.ACTIVATION]


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("source", [small_classifier, two_branches])
def test_sums_are_added_before_they_are_rounded(source, bits, count_equal):
    options = {"weight_bits": bits, "activation_bits": bits}
    merged = convert(source(), residual_add="merge", **options)
    apart = convert(source(), **options)
    (gone,) = set(activations(apart)) - set(activations(merged))
    assert gone == ("f" if source is small_classifier else "c"), "of two layers the later one"
    assert not merged.in_float
    assert "qonnx_tools.ops::FixedConvAdd" in {op_of(node) for node in nodes(merged.model.graph)}
    x = small_images(8)
    equality = compare_everywhere(merged.model, {"x": x})
    count_equal("kernel = function body = reference", len(equality.kernels), equality.elements)
    simulated = run(session(convert(source(), plan=merged.plan, target="simulation").model), x)[0]
    np.testing.assert_array_equal(equality.kernels["y"], simulated)
    trained = run(session(source()), x)[0]
    error = {id(each): np.square(run(session(each.model), x)[0] - trained).sum() for each in (merged, apart)}
    assert error[id(merged)] < error[id(apart)]


def test_a_sum_in_between_is_stored_nowhere():
    merged = convert(two_branches(), residual_add="merge")
    found = inspect(merged.model)
    assert {each.name for each in found.work.maps} == {"x", "b", "d", "f"}
    assert {layer.name: layer.output_bits for layer in found.layers} == dict.fromkeys(
        ["deep", "deeper", "shallow"], 8
    ) | {"last": None}
    planned = {layer.name: layer for layer in work_of(two_branches(), merged.plan).layers}
    assert planned == {layer.name: replace(layer, accumulator_bits=None) for layer in found.work.layers}


def test_a_batch_norm_behind_the_activation_function(count_equal):
    source, x = normalized_classifier(), small_images(8)
    noise = Images(small_images(64), None, "noise")
    merged = convert(source, batch_norm="merge", data=noise)
    assert activations(merged) == ["x", "h", "i"]
    assert not merged.in_float
    ops = [op_of(node).removeprefix("qonnx_tools.ops::") for node in nodes(merged.model.graph)]
    assert ops[:3] == ["Quantize", "FixedConv", "Affine"]
    equality = compare_everywhere(merged.model, {"x": x})
    count_equal("kernel = function body = reference", len(equality.kernels), equality.elements)
    trained = run(session(source), x)[0]
    assert np.square(equality.kernels["y"] - trained).sum() < 0.02 * np.square(trained).sum()
    found = inspect(merged.model)
    assert found.layers[0].output_bits == 8, "that of what is stored behind the batch norm"
    assert [(each.elements, each.bits) for each in found.work.normalizations] == [(4, 16), (4, 32)]
    simulation = inspect(convert(source, plan=merged.plan, target="simulation").model)
    assert simulation.work.normalizations == found.work.normalizations


@pytest.mark.parametrize("bits", [4, 6, 8])
def test_a_batch_norm_behind_a_sum(bits, count_equal):
    source, x = from_proto(normalized_branches()), small_images(8)
    options = {"batch_norm": "merge", "residual_add": "merge", "weight_bits": bits, "activation_bits": bits}
    merged = convert(source, data=Images(small_images(64), None, "noise"), **options)
    assert activations(merged) == ["x", "b", "d", "h"]
    equality = compare_everywhere(merged.model, {"x": x})
    count_equal("kernel = function body = reference", len(equality.kernels), equality.elements)
    simulated = run(session(convert(source, plan=merged.plan, target="simulation").model), x)[0]
    np.testing.assert_array_equal(equality.kernels["y"], simulated)


def test_without_merging_both_have_a_format():
    assert activations(convert(normalized_classifier())) == ["x", "e", "h", "i"]
    assert "e = Relu" in NORMALIZED


def test_no_such_treatment():
    with pytest.raises(ConfigError, match="residual-add is 'never'; choose one of separate, merge"):
        convert(small_classifier(), residual_add="never")
    with pytest.raises(ConfigError, match="option residual-add cannot be set for single layers"):
        convert(small_classifier(), overrides=["second:residual-add=merge"])


def test_the_same_bytes_from_its_plan():
    merged = convert(two_branches(), residual_add="merge")
    assert to_proto(convert(two_branches(), plan=merged.plan).model) == to_proto(merged.model)
