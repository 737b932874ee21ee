"""Accumulators narrower than is safe: every implementation wraps them, and only those that overflow differ."""

import numpy as np
import pytest
from native_runs import compare_everywhere

from qonnx_tools.conversion import convert
from qonnx_tools.errors import ConfigError
from qonnx_tools.graph import from_proto, nodes, parse, to_proto
from qonnx_tools.inspection import inspect

TEXT = """
<ir_version: 8, opset_import: ["" : 17]> g (float[N, 6, 5, 5] x) => (float[N, 3] y)
<float[8, 6, 3, 3] w, float[8] b, float[8] gamma, float[8] beta, float[8] mean, float[8] variance, float[3, 8] v,
 float[3] c>
{
  [conv] a = Conv <pads = [1, 1, 1, 1]> (x, w, b)
  [norm] d = BatchNormalization (a, gamma, beta, mean, variance)
  [relu] e = Relu (d)
  [pool] f = MaxPool <kernel_shape = [5, 5]> (e)
  [flat] h = Flatten (f)
  [gemm] y = Gemm <transB = 1> (h, v, c)
}
"""
RANDOM = np.random.default_rng(12)
SHAPES = {"w": (8, 6, 3, 3), "b": (8,), "gamma": (8,), "beta": (8,), "mean": (8,), "v": (3, 8), "c": (3,)}
VALUES = {name: RANDOM.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}
SOURCE = from_proto(parse(TEXT, variance=RANDOM.uniform(0.5, 2, 8).astype(np.float32), **VALUES))
IMAGES = RANDOM.normal(size=(7, 6, 5, 5)).astype(np.float32)
SCHEMES = pytest.mark.parametrize("scheme", ["fixed", "log"])
TREATMENTS = pytest.mark.parametrize("batch_norm", ["fold", "merge", "separate"])


def tensors_of(**options):
    conversion = convert(SOURCE, **options)
    return conversion, compare_everywhere(conversion.model, {"x": IMAGES}).kernels


@SCHEMES
@TREATMENTS
@pytest.mark.parametrize("bits", [12, 3, 1])
def test_kernels_bodies_and_references_wrap_alike(scheme, batch_norm, bits):
    options = {"scheme": scheme, "batch_norm": batch_norm}
    safe, wanted = tensors_of(**options)
    narrow, found = tensors_of(accumulator_bits=bits, **options)
    assert not safe.narrow
    assert [item.layer for item in narrow.narrow] == ["conv", "gemm"]
    assert {item.bits for item in narrow.narrow} == {bits}
    assert [item.safe_bits for item in narrow.narrow] == [
        layer.accumulator_bits for layer in inspect(safe.model).layers
    ]
    assert not np.array_equal(found["y"], wanted["y"]), "nothing overflowed: the test shows nothing"


@SCHEMES
@TREATMENTS
def test_wider_ones_change_no_byte(scheme, batch_norm):
    options = {"scheme": scheme, "batch_norm": batch_norm}
    native = convert(SOURCE, **options)
    needed = max(layer.accumulator_bits for layer in inspect(native.model).layers)
    expected = to_proto(native.model).SerializeToString(deterministic=True)
    for bits in (needed, 40, 64):
        wide = convert(SOURCE, accumulator_bits=bits, **options)
        assert not wide.narrow
        assert wide.plan.accumulator_bits == bits
        assert to_proto(wide.model).SerializeToString(deterministic=True) == expected


def test_a_width_that_no_sum_of_these_images_needs_changes_no_bit():
    safe, wanted = tensors_of()
    bits = inspect(safe.model).layers[0].accumulator_bits - 1
    narrow, found = tensors_of(overrides=[f"conv:accumulator-bits={bits}"])
    assert [(item.layer, item.bits, item.safe_bits) for item in narrow.narrow] == [("conv", bits, bits + 1)]
    assert narrow.plan.accumulators == {"conv": bits}
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        np.testing.assert_array_equal(found[name], tensor)


def test_a_merged_batch_norm_multiplies_what_is_left_of_the_sum():
    """The accumulator is the register that wraps; product and addend behind it are exact."""
    conversion, tensors = tensors_of(batch_norm="merge", accumulator_bits=12)
    (node,) = nodes(conversion.model.graph, "qonnx_tools.ops::FixedConv")
    x, w, shift, bias, multiplier, addend = (
        tensors[tensor.name] if tensor.inputs else np.asarray(tensor.values) for tensor in node.inputs
    )
    padded = np.pad(x.astype(np.int64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    total = np.einsum("ncyxhw,mchw->nmyx", windows, w.astype(np.int64)) + bias
    register = (total + 2**11) % 2**12 - 2**11
    assert (register != total).any()
    down, by, plus = (np.asarray(each, np.int64).reshape(1, -1, 1, 1) for each in (shift, multiplier, addend))
    product = by * register + plus
    below, rest = product >> down, product & ((1 << down) - 1)
    half = 1 << (down - 1)
    rounded = below + ((rest > half) | ((rest == half) & (below % 2 == 1)))
    np.testing.assert_array_equal(tensors[node.outputs[0].name], np.clip(rounded, 0, 255))


@pytest.mark.parametrize("target", ["simulation", "qonnx"])
def test_other_targets_refuse_sums_that_wrap(target):
    plan = convert(SOURCE, overrides=["gemm:accumulator-bits=9"]).plan
    with pytest.raises(ConfigError, match=f"accumulator of 'gemm': 9 bits are fewer .* the target {target} has no"):
        convert(SOURCE, plan=plan, target=target)
    assert convert(SOURCE, accumulator_bits=50, target=target).narrow == ()
