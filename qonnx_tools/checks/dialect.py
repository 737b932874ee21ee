"""The QONNX dialect, as both hls4ml and FINN take it."""

import re
from typing import Any

import numpy as np

from qonnx_tools.checks.rule import Places, Rule, Severity
from qonnx_tools.graph import Model, constant_value, gs, is_constant, nodes, op_of
from qonnx_tools.ops import QONNX_DOMAINS
from qonnx_tools.ops.channels_last import CHANNELS_LAST

TOOLS = ("hls4ml", "finn")
WRITTEN = ("rounding_mode", "signed", "narrow")
CONV = ("kernel_shape", "strides", "pads", "dilations", "group")
OPSETS, NEWEST_IR = (13, 17), 10
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def quants(model: Model, *ops: str) -> list[gs.Node]:
    """Return the quantizers of the dialect, in any of its domains."""
    wanted = ops or ("Quant",)
    return [node for node in nodes(model.graph) if node.domain in QONNX_DOMAINS and node.op in wanted]


def parameter(node: gs.Node, place: int) -> Any:
    """Return a constant parameter of a Quant, or None where it is computed or left out."""
    if len(node.inputs) <= place or not is_constant(node.inputs[place]):
        return None
    return constant_value(node.inputs[place])


def source(node: gs.Node) -> str:
    """Return the name of what a Quant reads."""
    return str(node.inputs[0].name)


def _int_quants(model: Model) -> Places:
    for node in quants(model, "IntQuant"):
        yield (
            node.name,
            f"IntQuant of '{source(node)}': cleanup folds it on weights, hls4ml builds 32 bits, FINN rejects",
        )


def _domains(model: Model) -> Places:
    for node in nodes(model.graph):
        if node.domain in QONNX_DOMAINS[1:]:
            yield node.name, f"{node.op} is of the domain '{node.domain}'"


def _attributes(model: Model) -> Places:
    for node in quants(model):
        missing = [name for name in WRITTEN if name not in node.attrs]
        if missing:
            yield node.name, f"{', '.join(missing)} not written; without rounding_mode hls4ml crashes"


def _initializers(model: Model) -> Places:
    for node in quants(model):
        if any(parameter(node, place) is None for place in (1, 2, 3)):
            yield node.name, "scale, zero point or bit width is computed by nodes, no initializer"
        elif any(parameter(node, place).ndim for place in (2, 3)):
            yield node.name, "zero point or bit width is no 0-d tensor"


def _zero_points(model: Model) -> Places:
    for node in quants(model):
        zero = parameter(node, 2)
        if zero is not None and np.any(zero):
            yield node.name, f"the zero point of '{source(node)}' is {zero.flat[0]:g}"


def _scales(model: Model) -> Places:
    for node in quants(model):
        scale = parameter(node, 1)
        if scale is not None and np.any(np.frexp(scale.astype(np.float64))[0] != 0.5):
            yield node.name, f"a scale of '{source(node)}' is {scale.flat[0]:g}, no power of two"


def _narrow(model: Model) -> Places:
    for node in quants(model):
        if node.attrs.get("narrow", 0) and not node.attrs.get("signed", 1):
            yield node.name, f"'{source(node)}' is narrow and unsigned"


def _opset(model: Model) -> Places:
    if model.opset not in OPSETS:
        yield "the graph", f"opset {model.opset}"


def _ir(model: Model) -> Places:
    if model.carried.model.ir_version > NEWEST_IR:
        yield "the graph", f"IR version {model.carried.model.ir_version}"


def _batch(model: Model) -> Places:
    for tensor in model.graph.inputs:
        if tensor.shape and tensor.shape[0] != 1:
            yield tensor.name, f"shape {list(tensor.shape)}"


def _convolutions(model: Model) -> Places:
    for node in nodes(model.graph, "Conv", f"{CHANNELS_LAST}::Conv"):
        missing = [name for name in CONV if name not in node.attrs]
        if missing:
            yield node.name, f"{', '.join(missing)} not written"


def _names(model: Model) -> Places:
    names = [tensor.name for tensor in model.graph.inputs] + [node.name for node in nodes(model.graph)]
    for name in names:
        if not _PLAIN.fullmatch(name) or name in ("input", "output"):
            yield name, "it goes into code as a name, and is reserved or has other signs than letters, digits and _"


def _ours(model: Model) -> Places:
    for node in nodes(model.graph):
        if op_of(node).startswith("qonnx_tools.ops::"):
            yield node.name, f"{node.op} is an op of qonnx-tools"


MAKE = "convert the float model with --target qonnx --for TOOL"
RULES = (
    Rule("int-quant", TOOLS, Severity.ERROR, "write Quant in its place", _int_quants),
    Rule("quant-domain", TOOLS, Severity.WARNING, f"use the domain {QONNX_DOMAINS[0]}", _domains),
    Rule("quant-attributes", TOOLS, Severity.ERROR, "write rounding_mode, signed and narrow", _attributes),
    Rule("quant-initializers", TOOLS, Severity.WARNING, "fold the constants: qonnx-cleanup does", _initializers),
    Rule("zero-point", TOOLS, Severity.ERROR, "quantize with zero point 0", _zero_points),
    Rule("scale-power-of-two", TOOLS, Severity.WARNING, "choose powers of two: others are inexact", _scales),
    Rule("narrow-unsigned", TOOLS, Severity.ERROR, "leave narrow out of unsigned formats", _narrow),
    Rule("opset", TOOLS, Severity.WARNING, "export at opset 17", _opset),
    Rule("ir-version", (*TOOLS, "ort", "qdq"), Severity.ERROR, "save with IR version 10 or older", _ir),
    Rule("static-batch", TOOLS, Severity.ERROR, "fix the batch size to 1", _batch),
    Rule("conv-attributes", TOOLS, Severity.ERROR, "write all attributes of the convolution", _convolutions),
    Rule("plain-names", ("hls4ml",), Severity.ERROR, f"rename it: --pass plain-names; or {MAKE}", _names),
    Rule("foreign-ops", TOOLS, Severity.ERROR, MAKE, _ours),
)
