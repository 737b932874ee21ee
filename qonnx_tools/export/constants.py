"""The constants of a native graph as an accelerator stores them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.contents import Contents
from qonnx_tools.export.wires import width
from qonnx_tools.graph import constant_value, gs, is_constant
from qonnx_tools.ops import DOMAIN, op_table
from qonnx_tools.origin import Origin
from qonnx_tools.plan import Role

INLINE = 16
"""Numbers of a constant of a standard op, such as a shape, that stand in the manifest themselves."""


@dataclass(frozen=True)
class Constant:
    """A constant input of a layer.

    Attributes:
        name: of the tensor in the graph.
        role: name of the input: "w", "bias", "multiplier" ..; "input_1" of a standard op.
        numbers: in the order in which they are stored.
        kind: "codes", or "float32".
        bits: of one number.
        signed: whether they have both signs.
    """

    name: str
    role: str
    numbers: npt.NDArray[Any]
    kind: str
    bits: int
    signed: bool

    @property
    def words(self) -> npt.NDArray[Any]:
        """The numbers as integers: floats as their bits."""
        return self.numbers.astype(np.float32).view(np.uint32) if self.kind == "float32" else self.numbers


def constants_of(node: gs.Node, contents: Contents) -> Iterator[Constant]:
    """Yield the constants that ``node`` reads. Weights of a matrix product come as [outputs, inputs]."""
    op = op_table().get((node.domain, node.op))
    for place, tensor in enumerate(node.inputs):
        if tensor.is_empty() or not is_constant(tensor):
            continue
        role = op.inputs[place].name if op is not None else f"input_{place}"
        numbers = constant_value(tensor)
        if role == "w" and node.op.endswith("Gemm") and not node.attrs.get("transB", 0):
            numbers = numbers.T
        yield _constant(tensor.name, role, numbers, contents.origins.get(node.name))


def has_values(node: gs.Node, constant: Constant) -> bool:
    """Tell whether the manifest holds the numbers: single ones, and the few of a standard op's shapes and axes."""
    return constant.numbers.size <= (1 if node.domain == DOMAIN else INLINE)


def has_files(node: gs.Node, constant: Constant) -> bool:
    """Tell whether the constant is in files: what the hardware reads."""
    return constant.numbers.size > 0 and (node.domain == DOMAIN or not has_values(node, constant))


def _constant(name: str, role: str, numbers: npt.NDArray[Any], origin: Origin | None) -> Constant:
    if numbers.dtype.kind == "f":
        return Constant(name, role, numbers, "float32", 32, signed=True)
    wide = numbers.astype(np.int64)
    low, high = (int(wide.min()), int(wide.max())) if wide.size else (0, 0)
    weight = origin.first(Role.WEIGHT) if origin is not None and role == "w" else None
    if weight is not None and origin is not None:
        return Constant(name, role, wide, "codes", max(1, origin.tensors[weight].format.bits), signed=True)
    return Constant(name, role, wide, "codes", width(low, high), low < 0)
