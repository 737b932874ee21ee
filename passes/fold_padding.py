"""A Pad moves into the Conv or AveragePool that reads it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from qonnx_tools.graph import disconnect, gs, input_value, is_given, nodes, sole_consumer
from qonnx_tools.passes.base import Outcome, Pass, Rewrite, Skip

_PADS, _VALUE, _AXES = 1, 2, 3  # inputs of Pad


@dataclass(frozen=True)
class FoldPadding(Pass):
    """Fold a ``Pad`` with zeros on the spatial axes into its only reader, where that changes no number.

    ::

        x -> Pad(p) -> Conv(pads=q)               becomes      x -> Conv(pads=p+q)
        x -> Pad(p) -> AveragePool(pads=q)        becomes      x -> AveragePool(pads=p+q, count_include_pad=1)

    Moves no arithmetic: the reader's own zeros take the place of the Pad's. An AveragePool that leaves its own padding
    out of the average (q > 0, count_include_pad = 0) or rounds its size up is declined, and so is a MaxPool, which pads
    with minus infinity. Further declined: another mode than constant, a value other than 0, cropping (p < 0), channel
    or batch padding, pads that are not constant, and a Pad with another reader.
    """

    name: ClassVar[str] = "fold-padding"

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        for pad in nodes(graph, "Pad"):
            added = _zeros_around(pad)
            reader = sole_consumer(pad.outputs[0])
            if isinstance(added, str):
                yield Skip(pad.name, added)
                continue
            reason = _reason_against(pad, reader, added)
            if reason or reader is None:
                yield Skip(pad.name, reason or "")
                continue
            own = reader.attrs.get("pads", [0] * len(added))
            reader.attrs["pads"] = [mine + more for mine, more in zip(own, added, strict=True)]
            if reader.op == "AveragePool":
                reader.attrs["count_include_pad"] = 1
            source = pad.inputs[0]
            disconnect(pad)
            reader.inputs = [source, *list(reader.inputs)[1:]]
            yield Rewrite(pad.name, f"into {reader.op} '{reader.name}', pads {reader.attrs['pads']}")


def _zeros_around(pad: gs.Node) -> list[int] | str:
    """Return the zeros that ``pad`` adds, [begin..., end...] on the spatial axes, or why it is something else."""
    if pad.attrs.get("mode", "constant") != "constant":
        return f"its mode is {pad.attrs['mode']}"
    pads = input_value(pad, _PADS)
    value = input_value(pad, _VALUE)
    axes = input_value(pad, _AXES)
    if pads is None or (value is None and is_given(pad, _VALUE)) or (axes is None and is_given(pad, _AXES)):
        return "its pads, value or axes are not constant"
    if value is not None and value.any():
        return f"it pads with {value.item()}, not with 0"
    half = pads.size // 2
    shape = pad.inputs[0].shape
    rank = half if axes is None else (None if shape is None else len(shape))
    if rank is None:
        return "the rank of its input is not known"
    begin, end = [0] * rank, [0] * rank
    for index, axis in enumerate(range(rank) if axes is None else axes.ravel().tolist()):
        begin[axis], end[axis] = int(pads[index]), int(pads[half + index])
    if min(begin + end) < 0:
        return "it crops (negative pads)"
    if any(begin[:2] + end[:2]):
        return "it pads the batch or channel axis"
    return begin[2:] + end[2:]


def _reason_against(pad: gs.Node, reader: gs.Node | None, added: list[int]) -> str | None:
    if reader is None:
        return "it has another reader or is a graph output"
    if reader.op not in {"Conv", "AveragePool"} or reader.domain or reader.inputs[0] is not pad.outputs[0]:
        return f"its reader is {reader.op} '{reader.name}', not a Conv or AveragePool"
    if reader.attrs.get("auto_pad", "NOTSET") != "NOTSET":
        return f"{reader.op} '{reader.name}' has auto_pad {reader.attrs['auto_pad']}"
    if reader.op == "Conv":
        return None
    own = reader.attrs.get("pads", [0] * len(added))
    if any(own) and not reader.attrs.get("count_include_pad", 0):
        return f"AveragePool '{reader.name}' leaves its own padding out of the average"
    if reader.attrs.get("ceil_mode", 0):
        return f"AveragePool '{reader.name}' rounds its output size up"
    kernel = [*reader.attrs["kernel_shape"], *reader.attrs["kernel_shape"]]
    if any(mine + more >= size for mine, more, size in zip(own, added, kernel, strict=True)):
        return f"the padding is as wide as the window of AveragePool '{reader.name}'"
    return None
