"""Convolutions and poolings say everything that they do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from qonnx_tools.graph import gs, nodes
from qonnx_tools.passes.base import Outcome, Pass, Rewrite, Skip

_CONVOLUTIONS = ("Conv", "ConvTranspose")
_POOLS = ("MaxPool", "AveragePool", "LpPool")
_DILATED_SINCE = {"AveragePool": 19, "LpPool": 18}  # the opset from which a pool has dilations


@dataclass(frozen=True)
class ExplicitAttributes(Pass):
    """Write out kernel_shape, strides, dilations, group and pads of Conv, ConvTranspose and the pools.

    pads are [begin..., end...]. With n input and k kernel positions, stride s and dilation d along an axis,
    ``auto_pad`` SAME_UPPER or SAME_LOWER means a total of

        max((ceil(n / s) - 1) s + (k - 1) d + 1 - n, 0)        before a Conv or a pool,
        (k - 1) d + 1 + output_padding - s                     off a ConvTranspose,

    split in halves, the odd one at the end (UPPER) or at the beginning (LOWER). Moves no arithmetic.
    Declines an auto_pad whose spatial input shape is not known, a ConvTranspose with output_shape, one whose
    kernel is smaller than its stride, a VALID pool with ceil_mode, and a Conv whose weight has no known shape.
    """

    name: ClassVar[str] = "explicit-attributes"

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        for node in nodes(graph, *_CONVOLUTIONS, *_POOLS):
            wanted = _explicit(node, graph.opset)
            if isinstance(wanted, str):
                yield Skip(node.name, wanted)
                continue
            added = [key for key, value in wanted.items() if node.attrs.get(key) != value]
            if not added and "auto_pad" not in node.attrs:
                continue
            if node.attrs.pop("auto_pad", None):
                added.append("auto_pad resolved")
            node.attrs.update(wanted)
            yield Rewrite(node.name, ", ".join(added))


def _explicit(node: gs.Node, opset: int) -> dict[str, Any] | str:
    kernel = node.attrs.get("kernel_shape")
    if kernel is None:
        shape = node.inputs[1].shape if len(node.inputs) > 1 else None
        if shape is None or not _static(list(shape)[2:]):
            return "the shape of its weight is not known"
        kernel = list(shape)[2:]
    ones = [1] * len(kernel)
    wanted: dict[str, Any] = {"kernel_shape": list(kernel), "strides": node.attrs.get("strides", ones)}
    if opset >= _DILATED_SINCE.get(node.op, 0):
        wanted["dilations"] = node.attrs.get("dilations", ones)
    if node.op in _CONVOLUTIONS:
        wanted["group"] = node.attrs.get("group", 1)
    if node.op == "ConvTranspose" and "output_shape" in node.attrs:
        return "it states output_shape, from which its padding follows at run time"
    pads = _pads(node, wanted["kernel_shape"], wanted["strides"], wanted.get("dilations", ones))
    if isinstance(pads, str):
        return pads
    wanted["pads"] = pads
    if node.attrs.get("ceil_mode") and node.attrs.get("auto_pad", "NOTSET").startswith("SAME"):
        wanted["ceil_mode"] = 0  # SAME fixes the output size by itself
    return wanted


def _pads(node: gs.Node, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> list[int] | str:
    mode = node.attrs.get("auto_pad", "NOTSET")
    none = [0] * (2 * len(kernel))
    if mode in {"NOTSET", ""}:
        return list(node.attrs.get("pads", none))
    if mode == "VALID":
        if node.attrs.get("ceil_mode"):
            return "auto_pad VALID together with ceil_mode is read differently by different runtimes"
        return none
    extra = node.attrs.get("output_padding", [0] * len(kernel))
    if node.op == "ConvTranspose":
        totals = [(k - 1) * d + 1 + o - s for k, d, o, s in zip(kernel, dilations, extra, strides, strict=True)]
        if min(totals) < 0:
            return f"auto_pad {mode} with a kernel smaller than its stride has no padding that stands for it"
    else:
        shape = node.inputs[0].shape
        sizes = None if shape is None else list(shape)[2:]
        if sizes is None or not _static(sizes):
            return f"auto_pad {mode} needs a known spatial input shape, this one is {shape}"
        totals = [
            max((-(-int(n) // s) - 1) * s + (k - 1) * d + 1 - int(n), 0)
            for n, k, s, d in zip(sizes, kernel, strides, dilations, strict=True)
        ]
    small, large = [total // 2 for total in totals], [total - total // 2 for total in totals]
    return [*small, *large] if mode == "SAME_UPPER" else [*large, *small]


def _static(dims: Sequence[Any]) -> bool:
    return all(isinstance(dim, int) for dim in dims)
