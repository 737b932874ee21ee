"""Subgraphs of constants are computed once."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from qonnx_tools.errors import ConfigError
from qonnx_tools.graph import (
    constant_value,
    evaluate_node,
    gs,
    input_value,
    is_constant,
    is_graph_output,
    nodes,
    op_of,
    producer,
)
from qonnx_tools.passes.base import Outcome, Pass, Rewrite, Skip

Array = npt.NDArray[np.generic]

_QUANTIZERS = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"}
_RANDOM = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial"}
_GROWING = {"ConstantOfShape", "Expand", "Tile", "Range", "Resize", "Upsample", "Pad", "OneHot", "EyeLike"}
_LEFT_TO_OTHERS = {"Constant", "Identity", "Dropout"}


@dataclass(frozen=True)
class FoldConstants(Pass):
    """Compute every node whose inputs are all constant, and shapes that are known.

    ::

        W, shape -> Reshape -> R -> node         becomes      R: initializer -> node
        x[N,3,8,8] -> Shape -> Gather(1) -> s    becomes      s = 3: initializer

    A result may hold as many elements as the node's largest input, or ``max_elements`` if that is more: what grows
    beyond stays as it is. A node is computed by the reference evaluator of onnx.
    Declines quantizers (what they say about a weight would be lost), random ops, graph outputs, ops of other domains
    and results with NaN or infinities.
    """

    name: ClassVar[str] = "fold-constants"
    max_elements: int = 65536

    def __post_init__(self) -> None:
        if self.max_elements < 0:
            raise ConfigError(f"max_elements = {self.max_elements}: must be 0 or more")

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        for node in nodes(graph):
            known = _known_shape(node)
            if known is None and (not _inputs_are_constant(node) or node.op in _LEFT_TO_OTHERS):
                continue
            reason = self._reason_to_keep(node)
            if reason:
                yield Skip(node.name, reason)
                continue
            values = [known] if known is not None else _evaluate(node, graph.opset)
            if isinstance(values, str):
                yield Skip(node.name, values)
                continue
            outputs = [tensor for tensor in node.outputs if not tensor.is_empty()]
            node.outputs = []
            for tensor, value in zip(outputs, values, strict=True):
                tensor.to_constant(value)
            shown = ", ".join(f"'{tensor.name}' {list(tensor.shape)}" for tensor in outputs)
            yield Rewrite(node.name, f"{node.op} computed: {shown}")

    def _reason_to_keep(self, node: gs.Node) -> str | None:
        if op_of(node) != node.op or node.op in _QUANTIZERS:
            return f"{op_of(node)} of constants is kept: only ops of arithmetic and shape are folded"
        if node.op in _RANDOM:
            return "is random"
        if any(is_graph_output(tensor) for tensor in node.outputs):
            return "is a graph output"
        limit = max([self.max_elements, *(math.prod(t.shape) for t in node.inputs if isinstance(t, gs.Constant))])
        size = _result_elements(node)
        if size is None:
            return "the size of its result is not known beforehand" if node.op in _GROWING else None
        return f"its result has {size} elements, more than {limit}" if size > limit else None


def _inputs_are_constant(node: gs.Node) -> bool:
    given = [tensor for tensor in node.inputs if not tensor.is_empty()]
    return bool(given) and is_constant(*given)


def _known_shape(node: gs.Node) -> Array | None:
    """Return the value of a Shape, or of a Gather from a Shape, as far as the dimensions asked for are static."""
    if op_of(node) == "Shape":
        dims = _dims(node)
        return None if dims is None or not _static(dims) else np.array(dims, np.int64)
    if op_of(node) != "Gather" or node.attrs.get("axis", 0) != 0:
        return None
    shape, index = producer(node.inputs[0]), input_value(node, 1)
    dims = None if shape is None or op_of(shape) != "Shape" else _dims(shape)
    if dims is None or index is None or index.size == 0:
        return None
    picks = np.asarray(index, np.int64)
    if picks.min() < -len(dims) or picks.max() >= len(dims):
        return None
    picked = [dims[int(pick)] for pick in picks.ravel()]
    return np.array(picked, np.int64).reshape(picks.shape) if _static(picked) else None


def _dims(shape: gs.Node) -> list[int | str | None] | None:
    dims = shape.inputs[0].shape
    if dims is None:
        return None
    return list(dims)[slice(shape.attrs.get("start", 0), shape.attrs.get("end"))]


def _static(dims: Sequence[int | str | None]) -> bool:
    return all(isinstance(dim, int | np.integer) for dim in dims)


def _result_elements(node: gs.Node) -> int | None:
    if node.op == "ConstantOfShape":
        return math.prod(int(size) for size in constant_value(node.inputs[0]))
    if node.op == "Expand":
        target = tuple(int(size) for size in constant_value(node.inputs[1]))
        return math.prod(np.broadcast_shapes(node.inputs[0].shape, target))
    shapes: list[list[int] | None] = [tensor.shape for tensor in node.outputs if not tensor.is_empty()]
    sizes = [math.prod(shape) for shape in shapes if shape is not None and _static(shape)]
    return sum(sizes) if len(sizes) == len(shapes) else None


def _evaluate(node: gs.Node, opset: int) -> list[Array] | str:
    try:
        with np.errstate(all="ignore"):
            values = evaluate_node(node, opset)
    except Exception as error:  # noqa: BLE001  # whatever the evaluator meets, the node stays for the runtime
        return f"the reference evaluator of onnx cannot compute it: {type(error).__name__}: {error}"
    if any(np.issubdtype(value.dtype, np.floating) and not np.isfinite(value).all() for value in values):
        return "its result has NaN or infinite values"
    return values
