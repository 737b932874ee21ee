"""Integer codes on all wires."""

import numpy as np

from qonnx_tools.checks.rule import Places, Rule, Severity
from qonnx_tools.graph import Model, gs, is_constant, nodes, op_of
from qonnx_tools.inspection import inspect
from qonnx_tools.ops import DOMAIN
from qonnx_tools.origin import origin_of

NATIVE = ("native",)
EDGES = frozenset({"Quantize", "Dequantize"})


def _computes_floats(node: gs.Node) -> bool:
    return any(tensor.dtype == np.float32 for tensor in node.outputs) and node.op not in EDGES


def _floats(model: Model) -> Places:
    for node in nodes(model.graph):
        moves_codes = node.op in ("Cast", "Pad", "Resize", "DepthToSpace", "SpaceToDepth")
        if _computes_floats(node) and not moves_codes and any(not is_constant(tensor) for tensor in node.inputs):
            yield node.name, f"{op_of(node)} computes in float"


def _origins(model: Model) -> Places:
    for node in nodes(model.graph):
        if node.domain == DOMAIN and node.op.endswith(("Conv", "Gemm", "ConvAdd")) and origin_of(model, node) is None:
            yield node.name, f"{node.op} does not say what its codes stand for"


def _accumulators(model: Model) -> Places:
    for layer in inspect(model).layers:
        given, safe = layer.accumulator_bits or 0, layer.safe_accumulator_bits or 0
        if given < safe:
            yield layer.name, f"its sums can wrap: {given} bits, {safe} are safe"


RULES = (
    Rule("native-float", NATIVE, Severity.WARNING, "give its inputs formats; --strict refuses it", _floats),
    Rule("native-origin", NATIVE, Severity.WARNING, "convert again: other tools dropped the metadata", _origins),
    Rule("native-accumulator", NATIVE, Severity.WARNING, "leave --accumulator-bits out", _accumulators),
)
