"""What the lowering knows of a tensor, and how it makes new nodes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import helper

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.formats import Format
from qonnx_tools.errors import ConfigError
from qonnx_tools.graph import Names, gs
from qonnx_tools.ops import DOMAIN
from qonnx_tools.origin import Origin


@dataclass(frozen=True)
class Coded:
    """Codes that stand for a float tensor: ``value = format.decode(codes, axis)``.

    ``width`` bits hold all of them, where that is known and less than what the format has.
    """

    tensor: Any
    format: Format
    axis: int | None = None
    width: int | None = None

    @property
    def bits(self) -> int:
        """Bits that hold every code."""
        return self.format.bits if self.width is None else min(self.width, self.format.bits)

    @property
    def frac(self) -> int:
        """Fraction bits of fixed-point codes with one format for the whole tensor."""
        if not isinstance(self.format, FixedPoint):
            raise ConfigError(f"codes of {self.format} have no fraction bits; only fixed-point activations do")
        return per_tensor(self.format.frac)


def per_tensor(frac: int | tuple[int, ...]) -> int:
    """Return the fraction bits of a format that has one value for the whole tensor."""
    if isinstance(frac, int):
        return frac
    raise ConfigError("fraction bits per channel are for weights and batch-norm constants, not for activations")


def element_type(of: Format) -> int:
    """Return the attribute ``to`` of an op that makes codes of this format."""
    return int(helper.np_dtype_to_tensor_dtype(of.carrier))


@dataclass(frozen=True)
class Target:
    """The format that a result is rounded and saturated to; ``low`` and ``high`` are code bounds inside it."""

    format: FixedPoint
    rounding: str
    low: int
    high: int

    @property
    def frac(self) -> int:
        """Fraction bits; a target is per tensor."""
        return per_tensor(self.format.frac)

    @property
    def attributes(self) -> dict[str, int]:
        """The output attributes that every saturating op has."""
        first, last = self.format.code_range
        clip = {"lowest": self.low} if self.low > first else {}
        if self.high < last:
            clip["highest"] = self.high
        return clip | {
            "bits": self.format.bits,
            "signed": int(self.format.signed),
            "narrow": int(self.format.narrow),
            "to": element_type(self.format),
            "rounding": self.format.rounding_code(self.rounding),
        }


@dataclass(frozen=True)
class Affine:
    """y = a * x + b with a = ``scale * 2**-scale_frac`` and b = ``offset * 2**-offset_frac``, [C] each, in integers."""

    scale: npt.NDArray[np.int64]
    scale_frac: npt.NDArray[np.int64]
    offset: npt.NDArray[np.int64]
    offset_frac: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Pending:
    """An integer result that no format has been given to yet.

    ``emit(target)`` makes the node that computes it, rounds and saturates; ``grid`` are the fraction bits of the
    exact result, a number or one a channel along axis 1, and ``width`` the bits that hold it. ``affine`` makes the
    result of a further y = a * x + b a channel in the same node, where the op can; ``normalized`` that of a division by
    a number, where the op multiplies by a rounded factor anyway. ``low`` and ``high`` are the bounds of clipping
    functions passed on the way. ``origin`` is what the node stands for; a rule that gives none stands for the float
    node that it lowers.
    """

    emit: Callable[[Target], Any]
    grid: npt.NDArray[np.int64]
    width: int
    affine: "Callable[[Affine], Pending] | None" = None
    normalized: "Callable[[float], Pending] | None" = None
    low: float = -np.inf
    high: float = np.inf
    origin: Origin | None = None

    def clipped(self, low: float, high: float) -> "Pending":
        """Return the result after a further ``Clip(low, high)``."""
        return replace(self, affine=None, low=min(max(self.low, low), high), high=max(min(self.high, high), low))


State = Coded | Pending


class Emitter:
    """Makes nodes of the project's ops, with names that tell where they come from."""

    def __init__(self, graph: gs.Graph) -> None:
        self.graph = graph
        self._names = Names(graph)

    def node(
        self,
        op: str,
        inputs: Sequence[Any],
        attributes: Mapping[str, Any],
        like: Any,
        dtype: Any,
        *,
        domain: str = DOMAIN,
        suffix: str = "codes",
        shape: Any = None,
    ) -> Any:
        """Add a node that makes the codes of the float tensor ``like``, and return its output."""
        name = self.unique(f"{like.name}.{suffix}")
        output = gs.Variable(name, dtype=np.dtype(dtype), shape=like.shape if shape is None else shape)
        self.graph.nodes.append(
            gs.Node(
                op=op,
                name=self.unique(f"{like.name}.{op}"),
                attrs=dict(attributes),
                inputs=list(inputs),
                outputs=[output],
                domain=domain,
            )
        )
        return output

    def constant(self, wish: str, value: npt.ArrayLike, dtype: Any) -> Any:
        """Return a new initializer."""
        return gs.Constant(self.unique(wish), np.array(value, dtype=dtype, order="C"))

    def unique(self, wish: str) -> str:
        """Return a name that no tensor and no node has."""
        return self._names.unique(wish)
