"""FINN, found by running its main and dev branches."""

from typing import Any

from qonnx_tools.checks.dialect import parameter, quants, source
from qonnx_tools.checks.rule import Places, Rule, Severity
from qonnx_tools.graph import Model, consumers, gs, is_constant, nodes, op_of, producer
from qonnx_tools.ops import QONNX_DOMAINS
from qonnx_tools.tools.finn import EXACT, MOST_BITS

FINN = ("finn",)
MATCHED = ("Quant", "BipolarQuant", "Trunc", "IntQuant")


def activations(model: Model) -> list[gs.Node]:
    """Return the quantizers of what is no constant."""
    return [node for node in quants(model) if not is_constant(node.inputs[0])]


def _quantizers(model: Model) -> Places:
    for node in nodes(model.graph):
        if node.domain in QONNX_DOMAINS and node.op not in MATCHED:
            yield node.name, f"{node.op} matches none of Quant, BipolarQuant and Trunc"


def _roundings(model: Model) -> Places:
    for node in activations(model):
        mode = str(node.attrs.get("rounding_mode", "ROUND"))
        if mode not in ("ROUND", "HALF_EVEN"):
            yield node.name, f"{mode} of '{source(node)}' is ignored: thresholds round to nearest, ties up"


def _ties(model: Model) -> Places:
    found = activations(model)
    if found:
        yield found[0].name, f"ties go up in FINN, and to even in ROUND, here and in {len(found) - 1} more"


def _signs(model: Model) -> Places:
    for node in activations(model):
        maker: Any = producer(node.inputs[0])
        behind_relu = maker is not None and op_of(maker) == "Relu"
        if behind_relu and (node.attrs.get("signed", 1) or node.attrs.get("narrow", 0)):
            yield node.name, f"'{source(node)}' comes from a Relu and is signed or narrow"
        elif not behind_relu and not node.attrs.get("signed", 1):
            yield node.name, f"'{source(node)}' is unsigned and comes from no Relu"


def _widths(model: Model) -> Places:
    for node in activations(model):
        bits = parameter(node, 3)
        if bits is not None and bits.size == 1 and bits.item() > MOST_BITS:
            yield node.name, f"'{source(node)}' has {bits.item():g} bits: it stays in float"


def _averages(model: Model) -> Places:
    for node in nodes(model.graph, "AveragePool"):
        readers = consumers(node.outputs[0])
        behind = consumers(readers[0].outputs[0]) if len(readers) == 1 and op_of(readers[0]) == "Mul" else []
        if not any(each.op == "Trunc" and each.attrs.get("rounding_mode") == "FLOOR" for each in behind):
            yield node.name, "AveragePool without Mul and Trunc FLOOR behind it"


def _biases(model: Model) -> Places:
    for node in nodes(model.graph, "Conv", "Gemm"):
        maker: Any = producer(node.inputs[2]) if len(node.inputs) > 2 and not is_constant(node.inputs[2]) else None
        if maker is not None and maker.domain in QONNX_DOMAINS:
            yield maker.name, f"a quantizer of the bias of '{node.name}' breaks Streamline"


def _unsupported(model: Model) -> Places:
    for node in nodes(model.graph):
        known = {*EXACT, "AveragePool", "Constant", "Gemm", "Clip", "Concat"}
        if op_of(node) not in known and node.domain not in (*QONNX_DOMAINS, "qonnx_tools.ops"):
            yield node.name, f"{node.op} has no form in FINN"


MAKE = "convert with --target qonnx --for finn"
RULES = (
    Rule("finn-quantizers", FINN, Severity.ERROR, "write Quant", _quantizers),
    Rule("finn-rounding", FINN, Severity.ERROR, "convert with --rounding half_up --for finn", _roundings),
    Rule("finn-ties", FINN, Severity.NOTE, "a plan with --rounding half_up has the same ties", _ties),
    Rule("finn-signs", FINN, Severity.ERROR, f"--pass signs-for-relu; or {MAKE}", _signs),
    Rule("finn-widths", FINN, Severity.WARNING, "give activations 8 bits or fewer", _widths),
    Rule("finn-average-pool", FINN, Severity.ERROR, f"--pass pool-to-convolution; or {MAKE}", _averages),
    Rule(
        "finn-bias", FINN, Severity.ERROR, f"leave biases plain constants: --pass plain-constants; or {MAKE}", _biases
    ),
    Rule("finn-unsupported", FINN, Severity.ERROR, "leave it out of the graph", _unsupported),
)
