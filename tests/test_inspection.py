"""Inspection: layers, formats and sizes of float and quantized models."""

import onnx
import pytest

from qonnx_tools.conversion import convert
from qonnx_tools.errors import ModelError
from qonnx_tools.graph import load, parse
from qonnx_tools.inspection import inspect

TEXT = """
<ir_version: 8, opset_import: ["" : 17]> g (float[N, 3, 8, 8] x) => (float[N, 5] y)
<float[4, 3, 3, 3] w, float[4] b, float[64, 5] v, float[1, 4, 1, 1] k>
{
  [first] a = Conv (x, w, b)
  c = Relu (a)
  d = Mul (c, k)
  e = MaxPool <kernel_shape = [3, 3]> (d)
  f = Flatten (e)
  [last] y = Gemm (f, v)
}
"""


def test_float_model():
    found = inspect(parse(TEXT))
    first, last = found.layers
    assert (first.name, first.op, first.weight_shape, first.macs) == ("first", "Conv", (4, 3, 3, 3), 36 * 108)
    assert (first.weight_kind, first.weight_bits, first.bias_bits, first.input_bits, first.output_bits) == (None,) * 5
    assert (last.name, last.op, last.macs) == ("last", "Gemm", 320)
    assert found.macs == 36 * 108 + 320
    assert found.weights == 108 + 4 + 320, "the operand of the Mul is no weight"
    assert found.weight_bits_float == found.weight_bits_stored == 32 * found.weights
    assert found.operators == {"Conv": 1, "Relu": 1, "Mul": 1, "MaxPool": 1, "Flatten": 1, "Gemm": 1}
    assert (found.inputs, found.outputs) == ({"x": ["N", 3, 8, 8]}, {"y": ["N", 5]})
    assert (found.opset, found.ir_version, found.tensors) == (17, 8, ())


@pytest.mark.parametrize("scheme", ["fixed", "log"])
def test_quantized_model(scheme):
    overrides = ["first:weight_bits=3,bias_bits=20", "x:activation_bits=7", "c:activation_bits=5"]
    found = inspect(convert(parse(TEXT), scheme=scheme, weight_bits=4, activation_bits=6, overrides=overrides).model)
    first, last = found.layers
    assert (first.weight_kind, first.weight_bits, first.bias_bits) == (scheme, 3, 20)
    assert (first.input_bits, first.output_bits) == (7, 5)
    assert (last.weight_bits, last.bias_bits, last.input_bits, last.output_bits) == (4, None, 6, None)
    assert found.macs == 36 * 108 + 320
    assert found.weight_bits_stored == 108 * 3 + 4 * 20 + 320 * 4
    assert {item.name: item.format.bits for item in found.tensors} == {
        "x": 7,
        "w": 3,
        "b": 20,
        "c": 5,
        "k": 6,
        "d": 6,
        "v": 4,
    }


def test_the_same_however_it_is_given(digits_model):
    results = [inspect(each) for each in (digits_model, str(digits_model), load(digits_model), onnx.load(digits_model))]
    assert all(result == results[0] for result in results)
    assert len(results[0].layers) == 10
    assert results[0].producer == "pytorch"


def test_shared_weights_count_once():
    text = """<ir_version: 8, opset_import: ["" : 17]> g (float[N, 3, 8, 8] x) => (float[N, 3, 8, 8] y)
    <float[3, 3, 1, 1] w> { a = Conv (x, w) y = Conv (a, w) }"""
    found = inspect(parse(text))
    assert (found.weights, found.macs) == (9, 2 * 64 * 9)


def test_unknown_sizes():
    text = """<ir_version: 8, opset_import: ["" : 17]> g (float[N, 3, H, W] x) => (float[N, 3, H, W] y)
    <float[3, 3, 1, 1] w> { y = Conv (x, w) }"""
    found = inspect(parse(text))
    assert (found.layers[0].macs, found.macs) == (None, 0)


def test_a_file_that_is_not_there():
    with pytest.raises(ModelError, match=r"nowhere.onnx: no such file"):
        inspect("nowhere.onnx")
