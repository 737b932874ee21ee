"""What a plan makes of a network's work."""

from qonnx_tools.conversion import convert
from qonnx_tools.cost import cost_of
from qonnx_tools.graph import from_proto, parse
from qonnx_tools.plan import BatchNorm
from qonnx_tools.preparation import prepare
from qonnx_tools.workload import work_of

TEXT = """
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[N, 3, 8, 8] x) => (float[N, 5] y)
    <float[4, 3, 3, 3] w, float[4] b, float[4, 4, 3, 3] v, float[144, 5] u>
    {
        [first] a = Conv (x, w, b) c = Relu (a)
        [second] d = Conv <pads = [1, 1, 1, 1]> (c, v) e = Add (c, d) f = Relu (e) g = Flatten (f)
        [last] y = Gemm (g, u)
    }
"""


def work(**options):
    source = from_proto(parse(TEXT))
    plan = convert(source, **options).plan
    return work_of(prepare(source, BatchNorm.FOLD).model, plan)


def test_layers_and_maps():
    found = work(overrides=["second:weight_bits=3", "c:activation_bits=5"])
    first, second, last = found.layers
    assert (first.macs, first.fan_in, first.weights, first.biases) == (36 * 4 * 27, 27, 108, 4)
    assert (first.weight_bits, first.bias_bits, first.input_bits, first.output_bits) == (8, 32, 8, 5)
    assert (second.weight_bits, second.input_bits, second.output_bits, second.biases) == (3, 5, 8, 0)
    assert (last.macs, last.fan_in, last.output_bits, last.input_bits) == (720, 144, None, 8)
    assert {each.name: (each.elements, each.bits) for each in found.maps} == {
        "x": (192, 8), "c": (144, 5), "d": (144, 8), "f": (144, 8),
    }  # fmt: skip
    assert found.kept == ({"x", "c"}, {"c", "d"}, {"c", "d", "f"}, {"f"})
    cost = cost_of(found)
    assert cost.peak_map_memory_bits == 144 * (5 + 8 + 8)
    assert cost.weight_memory_bits == 108 * 8 + 144 * 3 + 720 * 8


def test_log_codes_span_places():
    first, second, _ = work(scheme="log", activations="log", activation_bits=5, log_base="sqrt2").layers
    assert (first.weight_places, first.input_places) == (8, None)
    assert (second.weight_places, second.input_places) == (8, None), "c is read by the sum too: fixed point"
    first, second, last = work(scheme="log", activations="log", activation_bits=4, trunk="log").layers
    assert (last.weight_places, last.input_places) == (15, 15)
