"""Batch normalization moves into the convolution or matrix product beside it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from qonnx_tools.errors import UnsupportedError
from qonnx_tools.graph import (
    constant_value,
    disconnect,
    gs,
    input_value,
    is_constant,
    is_given,
    nodes,
    op_of,
    producer,
    set_constant,
    sole_consumer,
    take_over_output,
)
from qonnx_tools.passes._batch_norm import Vector, affine, reason_against
from qonnx_tools.passes.base import Outcome, Pass, Rewrite, Skip

_WEIGHT, _BIAS = 1, 2  # inputs of Conv, ConvTranspose and Gemm


@dataclass(frozen=True)
class FoldBatchNorm(Pass):
    """Fold an inference-mode ``BatchNormalization`` into its neighbour.

    With a = gamma / sqrt(var + epsilon) and s = beta - a * mean, one value a channel, y = a * x + s:

        after:   BN(W * x + b)   becomes   W' * x + b'   with  W' = a W (by output channel),  b' = a b + s
        before:  W * BN(x) + b   becomes   W' * x + b'   with  W' = W a (by input channel),   b' = b + sum(W s)

    W is [out, in/group, *kernel] for Conv, [in, out/group, *kernel] for ConvTranspose, [in, out] or, with transB,
    [out, in] for Gemm, whose alpha stays and whose beta becomes 1. All in float64, rounded once at the end.
    The convolution takes over the output of a batch norm after it. Weights keep their name, or are copied under a new
    one where another node reads them; a new bias is called ``<node>.bias``.

    "After" is tried first, then "before". Declines parameters that are not constant, training mode, a value between
    the two that has another reader or is a graph output, and before: a Conv with padding, unless s = 0 (the padding's
    zeros come after the batch norm), a ConvTranspose and a Gemm with transA.

    Raises:
        UnsupportedError: var + epsilon is not positive, or a folded value is not finite.
    """

    name: ClassVar[str] = "fold-batch-norm"

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        for norm in nodes(graph, "BatchNormalization"):
            reason = reason_against(norm)
            if reason:
                yield Skip(norm.name, reason)
                continue
            before, after = producer(norm.inputs[0]), sole_consumer(norm.outputs[0])
            not_after = _reason_against_after(before, norm)
            if before is not None and not not_after:
                _fold_after(graph, before, norm)
                yield Rewrite(norm.name, f"into {before.op} '{before.name}' before it")
                continue
            scale, shift = affine(norm)
            not_before = _reason_against_before(after, norm, shift)
            if after is not None and not not_before:
                _fold_before(graph, norm, after, scale, shift)
                yield Rewrite(norm.name, f"into {after.op} '{after.name}' after it")
                continue
            yield Skip(norm.name, f"{not_after}; {not_before}")


def _reason_against_after(node: gs.Node | None, norm: gs.Node) -> str | None:
    if node is None or op_of(node) not in {"Conv", "ConvTranspose", "Gemm"}:
        return f"before it is {_called(node, 'a graph input')}, which has no weights"
    if sole_consumer(node.outputs[0]) is not norm:
        return f"the output of {node.op} '{node.name}' has another reader or is a graph output"
    return _reason_against_weights(node)


def _reason_against_before(node: gs.Node | None, norm: gs.Node, shift: Vector) -> str | None:
    if node is None:
        return "its output has several readers or is a graph output"
    if op_of(node) not in {"Conv", "Gemm"} or node.inputs[0] is not norm.outputs[0]:
        return f"after it is {_called(node, '')}, which takes no batch norm into its weights"
    if node.op == "Gemm" and node.attrs.get("transA", 0):
        return f"Gemm '{node.name}' has transA"
    if node.op == "Conv" and shift.any() and _is_padded(node):
        return f"Conv '{node.name}' pads with zeros after the shift"
    return _reason_against_weights(node)


def _reason_against_weights(node: gs.Node) -> str | None:
    if not is_constant(node.inputs[_WEIGHT]):
        return f"the weight of {node.op} '{node.name}' is not constant"
    if is_given(node, _BIAS) and not is_constant(node.inputs[_BIAS]):
        return f"the bias of {node.op} '{node.name}' is not constant"
    if node.op == "Gemm" and is_given(node, _BIAS):
        shape = tuple(node.inputs[_BIAS].shape)
        if shape[:-1] not in {(), (1,)}:
            return f"the bias {list(shape)} of Gemm '{node.name}' has more than one row"
    return None


def _is_padded(conv: gs.Node) -> bool:
    return any(conv.attrs.get("pads", ())) or conv.attrs.get("auto_pad", "NOTSET") not in {"NOTSET", "VALID"}


def _called(node: gs.Node | None, otherwise: str) -> str:
    return otherwise if node is None else f"{node.op} '{node.name}'"


def _fold_after(graph: gs.Graph, node: gs.Node, norm: gs.Node) -> None:
    scale, shift = affine(norm)
    weight = constant_value(node.inputs[_WEIGHT])
    _store(graph, node, _scaled_outputs(node, weight, scale), scale * _bias(node, scale.size) + shift, norm)
    take_over_output(node, norm)


def _fold_before(graph: gs.Graph, norm: gs.Node, node: gs.Node, scale: Vector, shift: Vector) -> None:
    weight = constant_value(node.inputs[_WEIGHT]).astype(np.float64)
    if node.op == "Gemm":
        columns = weight if not node.attrs.get("transB", 0) else weight.T
        moved = float(node.attrs.get("alpha", 1.0)) * (shift @ columns)
        scaled = columns * scale[:, None]
        scaled = scaled if not node.attrs.get("transB", 0) else scaled.T
    else:
        groups = int(node.attrs.get("group", 1))
        split = weight.reshape(groups, weight.shape[0] // groups, weight.shape[1], -1)
        moved = np.einsum("goik,gi->go", split, shift.reshape(groups, -1)).ravel()
        scaled = (split * scale.reshape(groups, 1, -1, 1)).reshape(weight.shape)
    _store(graph, node, scaled, _bias(node, moved.size) + moved, norm)
    source = norm.inputs[0]
    disconnect(norm)
    node.inputs = [source, *list(node.inputs)[1:]]


def _scaled_outputs(node: gs.Node, weight: npt.NDArray[np.generic], scale: Vector) -> Vector:
    """Return the weight with each output channel multiplied by its ``scale``."""
    wide = weight.astype(np.float64)
    if node.op == "Conv" or (node.op == "Gemm" and node.attrs.get("transB", 0)):
        return wide * scale.reshape(-1, *[1] * (wide.ndim - 1))
    if node.op == "Gemm":
        return wide * scale
    groups = int(node.attrs.get("group", 1))
    split = wide.reshape(groups, wide.shape[0] // groups, wide.shape[1], -1)
    scaled: Vector = (split * scale.reshape(groups, 1, -1, 1)).reshape(wide.shape)
    return scaled


def _bias(node: gs.Node, channels: int) -> Vector:
    """Return what the bias adds to each of the ``channels``."""
    bias = input_value(node, _BIAS)
    if bias is None:
        return np.zeros(channels)
    factor = float(node.attrs.get("beta", 1.0)) if node.op == "Gemm" else 1.0
    return np.broadcast_to(bias.astype(np.float64).ravel() * factor, (channels,)).copy()


def _store(graph: gs.Graph, node: gs.Node, weight: Vector, bias: Vector, norm: gs.Node) -> None:
    kind = constant_value(node.inputs[_WEIGHT]).dtype
    with np.errstate(over="ignore"):
        folded = weight.astype(kind), bias.astype(kind)
    if not all(np.isfinite(value).all() for value in folded):
        raise UnsupportedError(
            norm.name, f"folded into {node.op} '{node.name}' it gives weights or a bias that are not finite in {kind}"
        )
    set_constant(graph, node, _WEIGHT, folded[0], f"{node.name}.weight")
    set_constant(graph, node, _BIAS, folded[1], f"{node.name}.bias")
    if node.op == "Gemm":
        node.attrs["beta"] = 1.0
