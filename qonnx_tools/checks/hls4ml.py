"""hls4ml 1.3, found by running it."""

from typing import Any

import numpy as np

from qonnx_tools.checks.dialect import MAKE, parameter, quants, source
from qonnx_tools.checks.rule import Places, Rule, Severity
from qonnx_tools.graph import Model, constant_value, consumers, is_constant, nodes, op_of, producer
from qonnx_tools.ops.channels_last import CHANNELS_LAST, LAID_OUT
from qonnx_tools.tools.hls4ml import EXACT

HLS4ML = ("hls4ml",)
LAID_OUT_CONV, LAID_OUT_NORM = f"{CHANNELS_LAST}::Conv", f"{CHANNELS_LAST}::BatchNormalization"
APPROXIMATED = frozenset(
    {"Elu", "LeakyRelu", "PRelu", "Selu", "Sigmoid", "Softmax", "Softplus", "Softsign", "Tanh", "ThresholdedRelu"}
)
POOLED = frozenset({"GlobalAveragePool", "GlobalMaxPool"})
SKIPPED = frozenset({"Constant", "Dropout", "Identity", "IntQuant", "Gemm", "Pad"})
ROUNDINGS = ("ROUND", "FLOOR")


def _roundings(model: Model) -> Places:
    for node in quants(model, "Quant", "IntQuant"):
        mode = str(node.attrs.get("rounding_mode", "ROUND"))
        if mode not in ROUNDINGS:
            yield node.name, f"'{source(node)}' is rounded {mode}"


def _normalizations(model: Model) -> Places:
    for node in nodes(model.graph, "BatchNormalization", LAID_OUT_NORM):
        yield node.name, "a batch normalization of its own is exact at a wide default precision alone"


def _inputs(model: Model) -> Places:
    for tensor in model.graph.inputs:
        if tensor.dtype == np.float32:
            yield tensor.name, "the input type truncates it before the first Quant"


def _pools(model: Model) -> Places:
    for node in nodes(model.graph, *POOLED):
        yield node.name, f"{node.op} is silently wrong: rows are taken for channels"


def _unread(model: Model) -> Places:
    for node in nodes(model.graph):
        op = op_of(node)
        known = EXACT | APPROXIMATED | POOLED | SKIPPED | LAID_OUT
        if op not in known and node.domain not in ("onnx.brevitas", "finn.custom_op.general", "qonnx_tools.ops"):
            yield node.name, f"{node.op} is not supported"


def _approximated(model: Model) -> Places:
    for node in nodes(model.graph, *APPROXIMATED):
        yield node.name, f"{node.op} is looked up in a table of its own"


def _channel_scales(model: Model) -> Places:
    for node in quants(model):
        scale = parameter(node, 1)
        readers = consumers(node.outputs[0])
        if scale is None or scale.size == 1 or not is_constant(node.inputs[0]):
            continue
        if any(op_of(reader) in ("Gemm", "MatMul") for reader in readers):
            yield node.name, f"weights '{source(node)}' have one scale a channel: an IndexError"


def _other_channel_scales(model: Model) -> Places:
    for node in quants(model):
        scale = parameter(node, 1)
        if scale is None or scale.size == 1:
            continue
        if not any(op_of(reader) in ("Gemm", "MatMul") for reader in consumers(node.outputs[0])):
            yield node.name, f"'{source(node)}' has one scale a channel, which becomes a multiplication of its own"


def _layout(model: Model) -> Places:
    for node in nodes(model.graph, *LAID_OUT):
        if len(node.inputs[0].shape or ()) != 2:
            yield node.name, f"{node.op} of maps with channels first"


def _gemms(model: Model) -> Places:
    for node in nodes(model.graph, "Gemm"):
        yield node.name, "Gemm is not read, MatMul is"


def _log_weights(model: Model) -> Places:
    for node in quants(model):
        scale = parameter(node, 1)
        if scale is None or not is_constant(node.inputs[0]) or node.inputs[0].shape is None:
            continue
        values = np.abs(constant_value(node.inputs[0]).astype(np.float64))
        some = values[values > 0]
        if len(node.inputs[0].shape) > 1 and len(np.unique(some)) > 2 and np.all(np.frexp(some)[0] == 0.5):
            yield node.name, f"'{source(node)}' are powers of two: multiplied all the same, no shift type is reached"


def _concats(model: Model) -> Places:
    for node in nodes(model.graph, "Concat"):
        if len(node.inputs) > 2:
            yield node.name, f"{len(node.inputs)} tensors are joined; two are"


def _dilations(model: Model) -> Places:
    for node in nodes(model.graph, "Conv", LAID_OUT_CONV):
        if any(step != 1 for step in node.attrs.get("dilations", [])):
            yield node.name, "the size of its dilated kernel is taken wrongly"


def _groups(model: Model) -> Places:
    for node in nodes(model.graph, "Conv", LAID_OUT_CONV):
        group = node.attrs.get("group", 1)
        shape = node.inputs[0].shape or [None]
        if group != 1 and group != (shape[-1] if node.domain == CHANNELS_LAST else shape[1]):
            yield node.name, f"{group} groups, neither one nor one a channel"


def _added_numbers(model: Model) -> Places:
    for node in nodes(model.graph, "Add"):
        maker: Any = next((producer(tensor) for tensor in node.inputs if not is_constant(tensor)), None)
        adds_number = any(is_constant(tensor) and constant_value(tensor).size == 1 for tensor in node.inputs)
        if adds_number and maker is not None and maker.op == "Conv":
            yield node.name, "a number added behind a convolution: a ValueError"


def _turned_flattens(model: Model) -> Places:
    for node in nodes(model.graph, "Flatten", "Reshape"):
        maker = producer(node.inputs[0])
        behind = any(op_of(reader) == "MatMul" for reader in consumers(node.outputs[0]))
        if behind and maker is not None and op_of(maker) == "Transpose":
            yield node.name, "Transpose, Flatten and MatMul in a row: an AttributeError"


WIDEN = 'default_precision="fixed<64,24>" and the same for the result of the input layer'
RULES = (
    Rule("hls4ml-rounding", HLS4ML, Severity.ERROR, "round half_even, floor or half_up; or " + MAKE, _roundings),
    Rule("hls4ml-batch-norm", HLS4ML, Severity.NOTE, WIDEN, _normalizations),
    Rule("hls4ml-input", HLS4ML, Severity.NOTE, f"{WIDEN}, or feed values on the grid", _inputs),
    Rule("hls4ml-global-pool", HLS4ML, Severity.ERROR, "--pass pool-to-convolution; or " + MAKE, _pools),
    Rule("hls4ml-unsupported", HLS4ML, Severity.ERROR, "leave it out of the graph; or " + MAKE, _unread),
    Rule("hls4ml-tables", HLS4ML, Severity.WARNING, "compute it outside, or accept other numbers", _approximated),
    Rule("hls4ml-matmul-scales", HLS4ML, Severity.ERROR, "one scale a tensor: --granularity layer; or " + MAKE,
         _channel_scales),
    Rule("hls4ml-channel-scales", HLS4ML, Severity.WARNING, "one scale a tensor: --granularity layer; or " + MAKE,
         _other_channel_scales),
    Rule("hls4ml-layout", HLS4ML, Severity.ERROR, "qonnx-to-channels-last; or " + MAKE, _layout),
    Rule("hls4ml-gemm", HLS4ML, Severity.ERROR, "--pass gemm-to-matmul; or " + MAKE, _gemms),
    Rule("hls4ml-log-weights", HLS4ML, Severity.NOTE, "exact; for shifts in hardware use qonnx export", _log_weights),
    Rule("hls4ml-concat", HLS4ML, Severity.ERROR, "concatenate in steps of two", _concats),
    Rule("hls4ml-dilations", HLS4ML, Severity.ERROR, "use a kernel without dilations", _dilations),
    Rule("hls4ml-groups", HLS4ML, Severity.ERROR, "split the convolution", _groups),
    Rule("hls4ml-added-number", HLS4ML, Severity.ERROR, "put it into the bias; or " + MAKE, _added_numbers),
    Rule("hls4ml-flatten", HLS4ML, Severity.ERROR, "put the weights' rows in the new order; or " + MAKE,
         _turned_flattens),
)  # fmt: skip
