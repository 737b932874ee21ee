"""A constant added after a convolution becomes its bias."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from qonnx_tools.graph import (
    constant_value,
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
from qonnx_tools.passes.base import Outcome, Pass, Rewrite, Skip

_BIAS = 2  # input of Conv and ConvTranspose


@dataclass(frozen=True)
class FoldBiasAdd(Pass):
    """Fold ``Add(Conv(x, W, b), c)`` into the bias: b' = b + c, in float64 with one rounding.

    c has one value, or one a channel on the channel axis: [C, 1, 1] or [1, C, 1, 1] for images. ConvTranspose likewise.
    Declines an addend of another shape, a convolution whose output has another reader or is a graph output, and a bias
    that is not constant.
    """

    name: ClassVar[str] = "fold-bias-add"

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        for add in nodes(graph, "Add"):
            found = _conv_and_constant(add)
            if found is None:
                continue
            conv, addend = found
            alone = sole_consumer(conv.outputs[0]) is add
            if not alone:
                yield Skip(add.name, f"the output of {conv.op} '{conv.name}' has another reader or is a graph output")
                continue
            if is_given(conv, _BIAS) and not is_constant(conv.inputs[_BIAS]):
                yield Skip(add.name, f"the bias of {conv.op} '{conv.name}' is not constant")
                continue
            weight = conv.inputs[1].shape
            if weight is None or not all(isinstance(size, int) for size in weight):
                yield Skip(add.name, f"the shape of the weight of {conv.op} '{conv.name}' is not known")
                continue
            channels = weight[0] if conv.op == "Conv" else weight[1] * conv.attrs.get("group", 1)
            value = _per_channel(constant_value(addend), channels, len(weight))
            if value is None:
                yield Skip(add.name, f"the addend {list(addend.shape)} has not one value a channel ({channels})")
                continue
            bias = input_value(conv, _BIAS)
            total = value if bias is None else bias.astype(np.float64) + value
            set_constant(graph, conv, _BIAS, total.astype(addend.dtype), f"{conv.name}.bias")
            take_over_output(conv, add)
            yield Rewrite(add.name, f"into the bias of {conv.op} '{conv.name}'")


def _conv_and_constant(add: gs.Node) -> tuple[gs.Node, gs.Tensor] | None:
    for one, other in (add.inputs, reversed(add.inputs)):
        maker = producer(one)
        if maker is not None and op_of(maker) in {"Conv", "ConvTranspose"} and is_constant(other):
            return maker, other
    return None


def _per_channel(addend: npt.NDArray[np.generic], channels: int, rank: int) -> npt.NDArray[np.float64] | None:
    if addend.ndim > rank:
        return None
    shape = (1,) * (rank - addend.ndim) + addend.shape
    if shape[1] not in {1, channels} or any(size != 1 for axis, size in enumerate(shape) if axis != 1):
        return None
    return np.broadcast_to(addend.astype(np.float64).ravel(), (channels,)).copy()
