"""ConvTranspose: a convolution for each phase of the stride, and their results side by side."""

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.graph import gs
from qonnx_tools.lowering.accumulation import accumulate, layer_input
from qonnx_tools.lowering.passing import moved
from qonnx_tools.lowering.rule import Context, Declined, Rule, codes_of
from qonnx_tools.lowering.state import Affine, Coded, Emitter, Pending, Target
from qonnx_tools.lowering.weights import Weights, bias_of, weight_codes, weights_of
from qonnx_tools.topology import macs_of


@dataclass(frozen=True)
class Phases:
    """One dimension of a transposed convolution as an ordinary one.

    The output at q * stride + p, for each phase p, is a sum over the inputs q + low .. q + low + size - 1:
    ``taps[p]`` are the (input, weight) pairs that it adds up, inputs counted from ``low``. The convolution has a window
    of ``size`` and pads ``begin`` and ``end``; ``surplus`` outputs at the end are none of the layer's.
    """

    taps: tuple[tuple[tuple[int, int], ...], ...]
    size: int
    begin: int
    end: int
    surplus: int

    @classmethod
    def of(cls, size: int, stride: int, dilation: int, pads: tuple[int, int], extra: int) -> "Phases":
        """Return the phases of a window of ``size``; ``extra`` is the output padding.

        The weight k is multiplied by the input i where i * stride + k * dilation - pads[0] = q * stride + p.
        """
        pairs = [
            (phase, (phase + pads[0] - k * dilation) // stride, k)
            for phase in range(stride)
            for k in range(size)
            if (phase + pads[0] - k * dilation) % stride == 0
        ]
        length = extra + dilation * (size - 1) + 1 - sum(pads)  # of the output, less stride * (inputs - 1)
        groups = -(-length // stride)  # positions q, less (inputs - 1)
        low = min(0, *(at for _, at, _ in pairs))
        high = max(1 - groups, *(at for _, at, _ in pairs))  # no less, so that no padding is negative
        taps = tuple(tuple((at - low, k) for p, at, k in pairs if p == phase) for phase in range(stride))
        return cls(taps, high - low + 1, -low, high + groups - 1, groups * stride - length)


class ConvTransposeRule(Rule):
    """``ConvTranspose`` in 1-D and 2-D.

    With stride s the outputs q * s + p of phase p are an ordinary convolution of the input, of the weights whose place
    is p modulo s. All phases are the output channels of one convolution on codes; DepthToSpace (in 1-D a Transpose)
    puts them side by side.
    """

    ops = frozenset({"ConvTranspose"})

    def lower(self, node: gs.Node, context: Context) -> Pending:
        rank = _check(node)
        coded = weight_codes(node, context)
        shape, group = tuple(coded.tensor.shape), node.attrs.get("group", 1)
        x, x_scale = layer_input(node, context, coded)
        weights, channels = weights_of(coded, 1, x, x_scale), shape[1] * group
        bias = bias_of(node, context, channels)
        stride = (node.attrs.get("strides") or [1])[0]
        phases = [_phases(node, shape, at) for at in range(rank)]
        count = stride**rank
        made = _as_convolution(codes_of(coded), coded, weights, phases, group, context)
        attributes = {
            "kernel_shape": [each.size for each in phases],
            "strides": [1] * rank,
            "pads": [each.begin for each in phases] + [each.end for each in phases],
            "dilations": [1] * rank,
            "group": group,
        }
        codes, frac = (np.repeat(part, count) for part in bias)
        pending = accumulate(node, "Conv", attributes, context, x, made, (codes, frac), macs_of(node, shape))
        return _side_by_side(pending, node, stride, phases, context.emitter, channels)


def _check(node: gs.Node) -> int:
    """Return the number of spatial dimensions; decline what has no integer form."""
    rank = len(node.inputs[0].shape or ()) - 2
    if rank not in (1, 2):
        raise Declined(f"{rank}-D transposed convolutions have no integer form, 1-D and 2-D have")
    if node.attrs.get("output_shape") or node.attrs.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise Declined("the padding that auto_pad or output_shape asks for is not known; export the model with pads")
    strides = set(node.attrs.get("strides") or [1])
    if len(strides) > 1:
        raise Declined(f"its strides {sorted(strides)} differ; only equal ones have an integer form")
    return rank


def _phases(node: gs.Node, shape: tuple[int, ...], at: int) -> Phases:
    rank = len(shape) - 2
    pads = list(node.attrs.get("pads") or [0] * 2 * rank)
    stride, dilation, extra = (
        (node.attrs.get(name) or [default] * rank)[at]
        for name, default in (("strides", 1), ("dilations", 1), ("output_padding", 0))
    )
    return Phases.of(shape[2 + at], stride, dilation, (pads[at], pads[rank + at]), extra)


def _as_convolution(
    codes: npt.NDArray[np.int64],
    coded: Coded,
    weights: Weights,
    phases: list[Phases],
    group: int,
    context: Context,
) -> Weights:
    """Return the weights [M * phases, C / group, *size] of the convolution for weights [C, M / group, *K]."""
    inputs, filters = codes.shape[:2]
    count = len(list(itertools.product(*(each.taps for each in phases))))

    def arranged(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Rearrange [C, M / group, *K]."""
        split = values.reshape(group, inputs // group, filters, *values.shape[2:]).swapaxes(1, 2)
        made = np.zeros((group, filters, count, inputs // group, *(each.size for each in phases)), np.int64)
        for number, taps in enumerate(itertools.product(*(each.taps for each in phases))):
            for pairs in itertools.product(*taps):
                places, ks = zip(*pairs, strict=True)
                made[(slice(None), slice(None), number, slice(None), *places)] = split[(..., *ks)]
        return made.reshape(group * filters * count, inputs // group, *made.shape[4:])

    def spread(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.repeat(np.tile(values, group), count)

    name = coded.tensor.name
    tensor = context.emitter.constant(f"{name}.phases", arranged(codes), coded.tensor.dtype)
    rearranged = arranged(np.moveaxis(weights.codes, 0, 1))
    return replace(weights, tensor=tensor, codes=rearranged, frac=spread(weights.frac), scale=spread(weights.scale))


def _side_by_side(
    pending: Pending, node: gs.Node, stride: int, phases: list[Phases], make: Emitter, channels: int
) -> Pending:
    """Let what ``pending`` makes, [N, M * phases, *Q], become [N, M, *(Q * stride)] less what is surplus."""
    count = stride ** len(phases)

    def emit(target: Target) -> Any:
        return _interleaved(pending.emit(target), node, stride, phases, make, channels)

    def behind(affine: Affine) -> Pending:
        if pending.affine is None:
            raise Declined("what is behind its accumulator already multiplies")
        parts = (affine.scale, affine.scale_frac, affine.offset, affine.offset_frac)
        further = pending.affine(Affine(*(np.repeat(part, count) for part in parts)))
        return _side_by_side(further, node, stride, phases, make, channels)

    return replace(pending, emit=emit, affine=None if pending.affine is None else behind, normalized=None)


def _interleaved(codes: Any, node: gs.Node, stride: int, phases: list[Phases], make: Emitter, channels: int) -> Any:
    """Put the phases of codes side by side, and cut off the surplus."""
    output = node.outputs[0]
    if stride > 1 and len(phases) == 2:
        attributes = {"blocksize": stride, "mode": "CRD"}
        codes = moved("DepthToSpace", attributes, [codes], output, make)
    elif stride > 1:
        apart, joined = _sizes(node, stride, phases[0], channels)
        for op, value in (("Reshape", apart), ("Transpose", None), ("Reshape", joined)):
            sizes = [] if value is None else [make.constant(f"{node.name}.phases", value, np.int64)]
            order = {"perm": [0, 1, 3, 2]} if value is None else {}
            codes = make.node(op, [codes, *sizes], order, output, codes.dtype, domain="", shape=[])
    if any(each.surplus for each in phases):
        ends = [-each.surplus if each.surplus else np.iinfo(np.int64).max for each in phases]
        bounds = [[0] * len(phases), ends, list(range(2, 2 + len(phases)))]
        parts = [
            make.constant(f"{node.name}.{name}", value, np.int64)
            for name, value in zip(("starts", "ends", "axes"), bounds, strict=True)
        ]
        codes = make.node("Slice", [codes, *parts], {}, output, codes.dtype, domain="")
    return codes


def _sizes(node: gs.Node, stride: int, phases: Phases, channels: int) -> tuple[list[int], list[int]]:
    """Return the sizes of one dimension with its phases apart, [N, M, stride, Q], and joined, [N, M, Q * stride].

    What is left to be inferred is the batch, so that it may be empty; the length where that is not known.
    """
    length = node.inputs[0].shape[2]
    if not isinstance(length, int):
        return [0, channels, stride, -1], [0, channels, -1]
    positions = length + phases.begin + phases.end - phases.size + 1
    return [-1, channels, stride, positions], [-1, channels, positions * stride]
