"""Conv, Gemm and MatMul with constant weights."""

from dataclasses import replace
from typing import Any

import numpy as np

from qonnx_tools.graph import gs
from qonnx_tools.lowering.accumulation import accumulate, layer_input
from qonnx_tools.lowering.rule import Context, Declined, Rule
from qonnx_tools.lowering.state import Pending, Target
from qonnx_tools.lowering.weights import bias_of, weight_codes, weights_of
from qonnx_tools.topology import macs_of

SPATIAL = ("kernel_shape", "strides", "pads", "dilations", "group")


class WeightedRule(Rule):
    """``Conv``, ``Gemm`` and ``MatMul``.

    acc = sum x_code * w_code + bias_code;  y = saturate(round_shift(acc, frac_x + frac_w - frac_y)). With a log scale
    that is no power of two: y = saturate(round_shift(multiplier * acc + addend, ..)).
    A MatMul of more than two dimensions multiplies their rows, all in one matrix.
    """

    ops = frozenset({"Conv", "Gemm", "MatMul"})

    def lower(self, node: gs.Node, context: Context) -> Pending:
        _check(node)
        coded = weight_codes(node, context)
        shape = tuple(coded.tensor.shape)
        if node.op == "MatMul" and len(shape) != 2:
            raise Declined(f"its weights have shape {list(shape)}; only those of one matrix have an integer form")
        is_conv, transposed = node.op == "Conv", bool(node.attrs.get("transB", 0))
        (x, x_scale), rows = layer_input(node, context, coded), _rows(node)
        weights = weights_of(coded, 0 if is_conv or transposed else 1, x, x_scale)
        bias = bias_of(node, context, len(weights.frac))
        if rows:
            x = replace(x, tensor=_reshaped(node.inputs[0], x.tensor, [-1, shape[0]], context))
        attributes = {key: node.attrs[key] for key in SPATIAL} if is_conv else {"transB": int(transposed)}
        op = "Conv" if is_conv else "Gemm"
        pending = accumulate(node, op, attributes, context, x, weights, bias, macs_of(node, shape))
        if not rows:
            return pending

        def emit(target: Target) -> Any:
            return _reshaped(node.outputs[0], pending.emit(target), [*rows, shape[1]], context)

        return replace(pending, emit=emit, affine=None, normalized=None)


def _check(node: gs.Node) -> None:
    rank = len(node.inputs[0].shape or ())
    if node.op == "Conv" and rank not in (3, 4):
        raise Declined(
            f"{rank - 2}-D convolutions have no integer form, 1-D and 2-D have"
            if rank
            else "the rank of its input is not known; export the model with shapes"
        )
    plain = node.attrs.get("alpha", 1.0) == 1.0 and node.attrs.get("beta", 1.0) == 1.0
    if node.op == "Gemm" and (node.attrs.get("transA", 0) or not plain):
        raise Declined("transA, alpha and beta have no integer form; fold them into weights and bias")


def _rows(node: gs.Node) -> list[int]:
    """Return the dimensions that are rows of the input of a MatMul of more than two, -1 for an unknown one."""
    shape = list(node.inputs[0].shape or ())
    if node.op != "MatMul" or len(shape) == 2:
        return []
    sizes = [size if isinstance(size, int) else -1 for size in shape[:-1]]
    if not sizes or sizes.count(-1) > 1:
        raise Declined(f"its input has shape {shape}; at most one size but the last may be unknown")
    return sizes


def _reshaped(like: Any, codes: Any, shape: list[int], context: Context) -> Any:
    make = context.emitter
    sizes = make.constant(f"{like.name}.rows", shape, np.int64)
    return make.node("Reshape", [codes, sizes], {}, like, codes.dtype, domain="", suffix="codes.rows", shape=[])
