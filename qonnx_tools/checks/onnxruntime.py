"""Plain onnxruntime, and pairs of QuantizeLinear and DequantizeLinear in it."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from qonnx_tools.checks.rule import Places, Rule, Severity
from qonnx_tools.graph import Model, constant_value, gs, input_value, is_constant, nodes, op_of, plain_domain, producer
from qonnx_tools.graph import consumers as readers_of
from qonnx_tools.ops import DOMAIN, QONNX_DOMAINS, op_table
from qonnx_tools.ops.channels_last import CHANNELS_LAST

EXACT_SUM = 2**24
FUSED = ("Conv", "Gemm", "MatMul", "Add", "Mul", "AveragePool", "GlobalAveragePool", "Concat")
PAIRED = ("QuantizeLinear", "DequantizeLinear")
BOTH = ("ort", "qdq")


def _unknown(model: Model) -> Places:
    for node in nodes(model.graph):
        domain = plain_domain(node.domain)
        if domain in QONNX_DOMAINS:
            yield node.name, f"{domain}::{node.op} is not a registered op of onnxruntime"
        elif domain == DOMAIN and op_table()[domain, node.op].body(model.opset) is None:
            yield node.name, f"{node.op} has no function body"


def _foreign(model: Model) -> Places:
    for node in nodes(model.graph):
        if plain_domain(node.domain) and node.domain != CHANNELS_LAST:
            yield node.name, f"{op_of(node)} is no standard op"


def _scales(model: Model) -> Places:
    for node in nodes(model.graph, *PAIRED):
        scale = input_value(node, 1)
        if scale is None:
            yield node.name, "its scale is computed"
        elif np.any(np.frexp(scale.astype(np.float64))[0] != 0.5):
            yield node.name, f"its scale is {scale.flat[0]:g}, no power of two"


def _zero_points(model: Model) -> Places:
    for node in nodes(model.graph, *PAIRED):
        zero = input_value(node, 2)
        if zero is not None and np.any(zero):
            yield node.name, f"its zero point is {zero.flat[0]}"


def layers_of_pairs(model: Model) -> Iterator[tuple[gs.Node, Any, Any]]:
    """Yield convolutions and matrix products of dequantized inputs and constant weights, with both dequantizers."""
    for node in nodes(model.graph, "Conv", "Gemm", "MatMul"):
        makers = [producer(tensor) for tensor in list(node.inputs)[:2]]
        if all(maker is not None and op_of(maker) == "DequantizeLinear" for maker in makers):
            x, w = makers
            if w is not None and is_constant(w.inputs[0]):
                yield node, x, w


def _sums(model: Model) -> Places:
    for node, x, w in layers_of_pairs(model):
        codes = np.abs(constant_value(w.inputs[0]).astype(np.int64))
        axis = 0 if node.op == "Conv" or node.attrs.get("transB", 0) else 1
        largest = int(np.moveaxis(codes, axis, 0).reshape(codes.shape[axis], -1).sum(axis=1).max(initial=0))
        kind = np.dtype(x.inputs[0].dtype if x.inputs[0].dtype is not None else np.uint8)
        reach = largest * max(abs(int(np.iinfo(kind).min)), int(np.iinfo(kind).max))
        if reach >= EXACT_SUM:
            yield node.name, f"its sums reach {reach:,}, and float32 holds integers to {EXACT_SUM:,}"


def _quantized(tensor: Any) -> bool:
    return any(op_of(each) == "QuantizeLinear" for each in readers_of(tensor))


def _fusions(model: Model) -> Places:
    for node in nodes(model.graph, *FUSED):
        makers = [producer(tensor) for tensor in node.inputs if not is_constant(tensor)]
        paired = all(maker is not None and op_of(maker) == "DequantizeLinear" for maker in makers)
        if makers and paired and _quantized(node.outputs[0]):
            yield node.name, f"onnxruntime may fuse {node.op} with its pairs, and change ties"
    for node in nodes(model.graph, "DequantizeLinear"):
        if not is_constant(node.inputs[0]) and _quantized(node.outputs[0]):
            yield node.name, "two pairs in a row: onnxruntime may join them, and change ties"


def _saturating(model: Model) -> Places:
    for node, x, w in layers_of_pairs(model):
        kinds = [np.dtype(each.inputs[0].dtype) for each in (x, w) if each.inputs[0].dtype is not None]
        if kinds == [np.uint8, np.int8] and (node.op != "Conv" or _quantized(node.outputs[0])):
            yield node.name, "uint8 by int8: kernels for CPUs without VNNI add in 16 bits, which saturates"


OURS = "convert with --target qdq, whose forms the optimizer leaves alone; or run qonnx verify"
RULES = (
    Rule("ort-ops", ("ort",), Severity.ERROR, "run it with qonnx_tools.session, or register the library", _unknown),
    Rule("qdq-ops", ("qdq",), Severity.ERROR, "convert with --target qdq", _foreign),
    Rule("qdq-scales", ("qdq",), Severity.WARNING, "choose powers of two", _scales),
    Rule("qdq-zero-points", ("qdq",), Severity.WARNING, "quantize with zero point 0", _zero_points),
    Rule("qdq-sums", BOTH, Severity.WARNING, "fewer bits of weights, or --target qdq, which splits them", _sums),
    Rule("qdq-fusions", BOTH, Severity.WARNING, OURS, _fusions),
    Rule("qdq-saturation", BOTH, Severity.WARNING, OURS, _saturating),
)
