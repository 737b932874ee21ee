"""A product of codes and their table is one table: the same codes, and everything else stays."""

import numpy as np
import pytest
from native_runs import compare_everywhere

from qonnx_tools.conversion import convert
from qonnx_tools.graph import from_proto, nodes, op_of, parse, to_proto
from qonnx_tools.inspection import inspect
from qonnx_tools.ops import DOMAIN, op_table
from qonnx_tools.passes.fuse_tables import FuseTables
from qonnx_tools.pipeline import run_passes

TABLE = np.random.default_rng(2).integers(0, 256, 64).astype(np.uint8)
LOOKUP = f"[look] s = {DOMAIN}.Lookup <input_bits = 6, to = 2> (q, table)\n"


def multiply(a, b, shift="down"):
    return f"[product] y = {DOMAIN}.FixedMul <bits = 9, to = 5, rounding = 4> ({a}, {b}, {shift})\n"


def graph(nodes, outputs="int16[N, 70] y", bits=6):
    """Codes ``q`` of the input ``x``, then ``nodes``."""
    text = f"""
    <ir_version: 8, opset_import: ["" : 17, "{DOMAIN}" : 1]>
    g (float[N, 70] x) => ({outputs})
    <uint8[64] table, int64 f = {{3}}, int64 down = {{5}}, int64[1] downs = {{5}}>
    {{ [quantize] q = {DOMAIN}.Quantize <bits = {bits}, to = 3> (x, f)
    {nodes} }}
    """
    return parse(text, table=TABLE)


@pytest.mark.parametrize("operands", [("q", "s"), ("s", "q")])
def test_a_product_with_its_table(attempt, operands):
    tried = attempt(FuseTables(), graph(LOOKUP + multiply(*operands)))
    assert tried.fired == ["product"]
    assert tried.ops == ["Quantize", "Lookup"]
    node = tried.node("product")
    assert (node.attrs["input_bits"], node.attrs["to"], node.inputs[0].name) == (6, 5, "q")
    codes = np.arange(-32, 32).astype(np.int8)
    attributes = {"bits": 9, "to": 5, "rounding": 4}
    (expected,) = op_table()[DOMAIN, "FixedMul"].reference([codes, TABLE, np.int64(5)], attributes)
    np.testing.assert_array_equal(node.inputs[1].values, expected)
    assert np.unique(expected).size > 20


@pytest.mark.parametrize(
    ("nodes", "outputs", "bits", "reason"),
    [
        (LOOKUP + multiply("s", "s"), "int16[N, 70] y", 6, "it multiplies by other codes than those of its table, 'q'"),
        (LOOKUP + multiply("q", "s"), "int16[N, 70] y, uint8[N, 70] s", 6, "the table's result 's' is read elsewhere"),
        (LOOKUP + multiply("q", "s"), "int16[N, 70] y", 7, "'q' may have codes outside the table"),
        (
            "k = Flatten (q)\n" + LOOKUP.replace("(q,", "(k,") + multiply("k", "s"),
            "int16[N, 70] y",
            6,
            "'k' may have codes outside the table",
        ),
        (
            LOOKUP + multiply("q", "s", "downs"),
            "int16[N, 70] y",
            6,
            "its table and its shift are not constant, one for the whole tensor",
        ),
    ],
)
def test_what_is_declined(nodes, outputs, bits, reason):
    model = from_proto(graph(nodes, outputs, bits))
    before = to_proto(model).SerializeToString()
    (report,) = run_passes(model, [FuseTables()])
    assert {outcome.node: outcome.reason for outcome in report.outcomes} == {"product": reason}
    assert to_proto(model).SerializeToString() == before


def test_a_product_without_a_table_is_passed_over():
    (report,) = run_passes(from_proto(graph(multiply("q", "q"))), [FuseTables()])
    assert report.outcomes == ()


NET = """
    <ir_version: 8, opset_import: ["" : 17]>
    net (float[N, 3, 6, 6] x) => (float[N, 3, 6, 6] y) <float[3, 3, 3, 3] w>
    { a = Conv <pads = [1, 1, 1, 1]> (x, w)
      s = FUNCTION (a)
      b = Mul (a, s)
      y = Conv <pads = [1, 1, 1, 1]> (b, w) }
    """


@pytest.mark.parametrize("function", ["Sigmoid", "HardSigmoid"])
def test_activation_functions_in_two_nodes_become_one_table(function):
    random = np.random.default_rng(0)
    w = random.normal(size=(3, 3, 3, 3)).astype(np.float32)
    native = convert(parse(NET.replace("FUNCTION", function), w=w))
    ops = [op_of(node).removeprefix(f"{DOMAIN}::") for node in nodes(native.model.graph)]
    assert ops == ["Quantize", "FixedConv", "Lookup", "FixedConv", "Dequantize"]
    compare_everywhere(native.model, {"x": random.normal(size=(2, 3, 6, 6)).astype(np.float32)})
    simulation = convert(parse(NET.replace("FUNCTION", function), w=w), target="simulation")
    found = [{(each.name, str(each.format)) for each in inspect(one.model).tensors} for one in (native, simulation)]
    assert found[0] == found[1]
