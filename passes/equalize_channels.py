"""What makes the channels of a feature map and what reads them brought to like magnitudes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from qonnx_tools.graph import (
    Names,
    constant_value,
    consumers,
    gs,
    input_value,
    is_constant,
    is_given,
    is_graph_output,
    nodes,
    op_of,
    set_constant,
)
from qonnx_tools.passes.base import Outcome, Pass, Rewrite, Skip

HOMOGENEOUS = frozenset({"AveragePool", "GlobalAveragePool", "GlobalMaxPool", "LeakyRelu", "MaxPool", "PRelu", "Relu"})
"""Operators f of single channels with f(2^k x) = 2^k f(x)."""
ROUNDS = 50
FARTHEST = 60
"""Octaves from 1 within which all weights of a channel must lie, so that scaled ones are normal numbers of float32."""

Floats = npt.NDArray[np.float32]
Exponents = npt.NDArray[np.int32]


@dataclass(frozen=True)
class EqualizeChannels(Pass):
    """Scale the channels that a Conv makes by powers of two, and undo it in the Convs that read them.

    ::

        Conv(W1, b1) -> Relu -> Conv(W2)    becomes    Conv(F W1, F b1) -> Relu -> Conv(W2 / F)

    F is diagonal, F_c = 2^round(log2(r2_c / r1_c) / 2), with the largest magnitude r1_c of the weights that make
    channel c, and r2_c of those that read it: then the two agree to a factor of 2. Between the Convs may be Relu,
    LeakyRelu, PRelu and pooling, and several Convs may read; Convs may be grouped. Along a chain this is done again
    until nothing changes. All of it is exact in float32: the graph computes the same numbers.

    Declines a Conv whose channels something else reads (an Add, a Clip at 6, a graph output), and weights, biases and
    slopes that are not constant. A channel with weights or a bias beyond 2^-60 .. 2^60 stays as it is.

    Source: Nagel et al., "Data-free quantization through weight equalization and bias correction", ICCV 2019.
    """

    name: ClassVar[str] = "equalize-channels"

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        names, pairs = Names(graph), []
        for conv in nodes(graph, "Conv"):
            readers = _readers(conv)
            if isinstance(readers, str):
                yield Skip(conv.name, readers)
            else:
                pairs.append((conv, readers))
        total: dict[str, Exponents] = {}
        for _ in range(ROUNDS):
            settled = True
            for conv, readers in pairs:
                exponents = _exponents(conv, readers)
                if exponents.any():
                    settled = False
                    _scale(graph, conv, readers, exponents, names)
                    total[conv.name] = total.get(conv.name, np.zeros_like(exponents)) + exponents
            if settled:
                break
        for name, moved in total.items():
            if moved.any():
                what = f"{np.count_nonzero(moved)} of {moved.size} channels"
                yield Rewrite(name, f"{what} times 2^{moved.min()} to 2^{moved.max()}")


def _readers(conv: gs.Node) -> list[gs.Node] | str:
    """Return the Convs that alone read what ``conv`` makes, or why there is nothing to do."""
    if not _is_scalable(conv):
        return "its weights or its bias are not constant"
    tensor = conv.outputs[0]
    while not is_graph_output(tensor):
        readers = consumers(tensor)
        if readers and all(op_of(node) == "Conv" and node.inputs[0] is tensor for node in readers):
            changing = [node.name for node in readers if not _is_scalable(node)]
            return f"weights or bias of Conv '{changing[0]}' behind it are not constant" if changing else readers
        other = next((node for node in readers if not _is_homogeneous(node)), None)
        if other is not None:
            return f"{other.op} '{other.name}' reads its channels"
        if len(readers) != 1:
            return "its channels go several ways"
        tensor = readers[0].outputs[0]
    return "its channels reach a graph output"


def _is_scalable(conv: gs.Node) -> bool:
    return is_constant(conv.inputs[1]) and (not is_given(conv, 2) or is_constant(conv.inputs[2]))


def _is_homogeneous(node: gs.Node) -> bool:
    return op_of(node) in HOMOGENEOUS and len(node.outputs) == 1 and is_constant(*list(node.inputs)[1:])


def _exponents(conv: gs.Node, readers: Sequence[gs.Node]) -> Exponents:
    """Return log2 of the factor of each channel, whole."""
    making = constant_value(conv.inputs[1])
    making = making.reshape(len(making), -1)
    bias = input_value(conv, 2)
    everything = [making] if bias is None else [making, bias.reshape(-1, 1)]
    reading = [_by_channel(reader) for reader in readers]
    made = np.abs(making, dtype=np.float64).max(axis=1, initial=0)
    read = np.max([np.abs(each, dtype=np.float64).max(axis=1, initial=0) for each in reading], axis=0)
    movable = (made > 0) & (read > 0)
    for each in (*everything, *reading):
        size = np.abs(each, dtype=np.float64)
        movable &= ((size == 0) | ((size > 2.0**-FARTHEST) & (size < 2.0**FARTHEST))).all(axis=1)
    octaves = np.log2(np.where(movable, read, 1)) - np.log2(np.where(movable, made, 1))
    return np.rint(octaves / 2).astype(np.int32)


def _by_channel(reader: gs.Node) -> Floats:
    """Return the weights ``[out, in/group, *kernel]`` as ``[in, others]``: by the channel that they read."""
    weights, groups = constant_value(reader.inputs[1]), reader.attrs.get("group", 1)
    grouped = weights.reshape(groups, len(weights) // groups, weights.shape[1], -1)
    return np.asarray(np.moveaxis(grouped, 2, 1).reshape(groups * weights.shape[1], -1), dtype=np.float32)


def _scale(graph: gs.Graph, conv: gs.Node, readers: Sequence[gs.Node], exponents: Exponents, names: Names) -> None:
    weights = constant_value(conv.inputs[1])
    scaled = np.ldexp(weights, exponents.reshape(-1, *[1] * (weights.ndim - 1)))
    set_constant(graph, conv, 1, scaled, f"{conv.name}.weight", names=names)
    bias = input_value(conv, 2)
    if bias is not None:
        set_constant(graph, conv, 2, np.ldexp(bias, exponents), f"{conv.name}.bias", names=names)
    for reader in readers:
        weights, groups = constant_value(reader.inputs[1]), reader.attrs.get("group", 1)
        read = exponents.reshape(groups, -1).repeat(len(weights) // groups, axis=0)  # [out, in/group]
        back = -read.reshape(*weights.shape[:2], *[1] * (weights.ndim - 2))
        set_constant(graph, reader, 1, np.ldexp(weights, back), f"{reader.name}.weight", names=names)
