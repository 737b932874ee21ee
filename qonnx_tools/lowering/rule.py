"""What a lowering rule is, and what it may ask."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.discovery import concrete_classes
from qonnx_tools.graph import constant_value, gs, is_constant
from qonnx_tools.lowering.state import Coded, Emitter, Pending, State
from qonnx_tools.quantizers import quantizer_of


class Declined(Exception):  # noqa: N818  # an answer, not a fault
    """A rule cannot express the node in integers, for ``reason``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Context:
    """The state of every tensor so far, and the means to make nodes."""

    emitter: Emitter
    states: Mapping[int, State]
    settle: Callable[[Any, Pending], Coded]

    def codes(self, tensor: Any) -> Coded:
        """Return the codes that stand for ``tensor``; decline where it is in float.

        A result that has no format yet gets 32-bit codes, exact where that is wide enough.
        """
        constant = self.constant(tensor)
        if constant is not None:
            return constant
        state = self.states.get(id(tensor))
        if state is None:
            raise Declined(f"input '{tensor.name}' is in float")
        return state if isinstance(state, Coded) else self.settle(tensor, state)

    def pending(self, tensor: Any) -> Pending | None:
        """Return the result behind ``tensor`` that has no format yet, or None."""
        state = self.states.get(id(tensor))
        return state if isinstance(state, Pending) else None

    def activation(self, tensor: Any) -> tuple[Coded, FixedPoint]:
        """Return fixed-point codes with one format for the whole tensor; decline anything else."""
        coded = self.codes(tensor)
        if not isinstance(coded.format, FixedPoint) or coded.axis is not None:
            raise Declined(f"input '{tensor.name}' is not fixed point with one format for the whole tensor")
        return coded, coded.format

    def constant(self, tensor: Any) -> Coded | None:
        """Return the codes of a quantized constant, or None."""
        node = tensor.inputs[0] if tensor.inputs else None
        if node is None or not is_constant(node.inputs[0]):
            return None
        quantizer = quantizer_of(node)
        if quantizer is None:
            return None
        values = constant_value(node.inputs[0])
        codes = quantizer.format.encode(values, quantizer.rounding, quantizer.axis)
        name = f"{node.inputs[0].name}.codes"
        return Coded(self.emitter.constant(name, codes, codes.dtype), quantizer.format, quantizer.axis)


class Rule(ABC):
    """How nodes of some ops are computed on codes."""

    ops: ClassVar[frozenset[str]]

    @abstractmethod
    def lower(self, node: gs.Node, context: Context) -> State:
        """Return what the node's first output becomes; raise ``Declined`` where it stays in float."""


@cache
def rules() -> Mapping[str, Rule]:
    """Every rule by the op that it lowers."""
    found = [kind() for kind in concrete_classes("qonnx_tools.lowering", Rule)]  # type: ignore[type-abstract]
    return {op: rule for rule in found for op in rule.ops}


def codes_of(coded: Coded) -> npt.NDArray[np.int64]:
    """Return the codes of a constant."""
    return constant_value(coded.tensor).astype(np.int64)


def code_range(coded: Coded) -> tuple[int, int]:
    """Return the smallest and largest code of a tensor's format."""
    return coded.format.code_range
