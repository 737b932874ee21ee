"""What a lowering rule is, and what it may ask."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.formats import Format
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.discovery import concrete_classes
from qonnx_tools.graph import constant_value, gs, is_constant, op_of
from qonnx_tools.lowering.log_codes import decoded
from qonnx_tools.lowering.state import Coded, Emitter, Pending, State
from qonnx_tools.origin import Origin
from qonnx_tools.plan import Role, TensorPlan
from qonnx_tools.quantizers import quantizer_of


class Declined(Exception):  # noqa: N818  # an answer, not a fault
    """A rule cannot express the node in integers, for ``reason``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Reading:
    """What a rule has read so far: the formats of codes, and constants with the lines of the plan that they are."""

    formats: list[Format] = field(default_factory=list)
    constants: dict[str, TensorPlan] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """The state of every tensor so far, and the means to make nodes.

    ``accumulator_bits`` is the width that the plan gives to the accumulator of a layer, 0 for the safe one.
    """

    emitter: Emitter
    states: Mapping[int, State]
    settle: Callable[[Any, Pending], Coded]
    accumulator_bits: Callable[[str], int]
    stored: dict[int, Coded] = field(default_factory=dict)
    decoded: dict[int, tuple[Coded, FixedPoint]] = field(default_factory=dict)
    reading: Reading = field(default_factory=Reading)

    def codes(self, tensor: Any) -> Coded:
        """Return the codes that stand for ``tensor``; decline where it is in float.

        A result that has no format yet gets 32-bit codes, exact where that is wide enough.
        """
        constant = self.constant(tensor)
        if constant is not None:
            return constant
        state = self.states.get(id(tensor))
        if state is None:
            raise Declined(f"its input '{name_of(tensor)}' is in float; give it a format in the plan")
        coded = state if isinstance(state, Coded) else self.settle(tensor, state)
        self.reading.formats.append(coded.format)
        return coded

    def pending(self, tensor: Any) -> Pending | None:
        """Return the result behind ``tensor`` that has no format yet, or None."""
        state = self.states.get(id(tensor))
        return state if isinstance(state, Pending) else None

    def uniform(self, tensor: Any) -> Coded:
        """Return fixed-point or log codes with one format for the whole tensor; decline anything else."""
        coded = self.codes(tensor)
        if not isinstance(coded.format, FixedPoint | Log) or coded.axis is not None:
            raise Declined(f"its input '{name_of(tensor)}' has no format for the whole tensor; give it one in the plan")
        return coded

    def activation(self, tensor: Any) -> tuple[Coded, FixedPoint]:
        """Return fixed-point codes with one format for the whole tensor; decline anything else.

        Log codes become fixed-point codes of 16 bits, to nearest.
        """
        coded = self.uniform(tensor)
        if isinstance(coded.format, FixedPoint):
            return coded, coded.format
        if id(coded.tensor) not in self.decoded:
            self.decoded[id(coded.tensor)] = decoded(coded, self.emitter, tensor)
        return self.decoded[id(coded.tensor)]

    def constant(self, tensor: Any, role: Role = Role.CONSTANT) -> Coded | None:
        """Return the codes of a quantized constant, or None."""
        node = tensor.inputs[0] if tensor.inputs else None
        if node is None or not is_constant(node.inputs[0]):
            return None
        quantizer = quantizer_of(node)
        if quantizer is None:
            return None
        source = node.inputs[0]
        values = constant_value(source)
        self.reading.constants[source.name] = TensorPlan(role, quantizer.format, quantizer.rounding, quantizer.axis)
        self.reading.shapes[source.name] = tuple(values.shape)
        if id(node) not in self.stored:
            codes = quantizer.format.encode(values, quantizer.rounding, quantizer.axis)
            stored = self.emitter.constant(f"{source.name}.codes", codes, codes.dtype)
            self.stored[id(node)] = Coded(stored, quantizer.format, quantizer.axis)
        return self.stored[id(node)]

    def origin(self, node: gs.Node) -> Origin:
        """Return what a native node stands for that computes ``node``, of which all inputs have been read."""
        return Origin(
            node=node.name,
            op=op_of(node),
            reads=tuple(self.reading.formats),
            tensors=dict(self.reading.constants),
            shapes=dict(self.reading.shapes),
        )


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


def name_of(tensor: Any) -> str:
    """Return the name that the plan knows ``tensor`` by: that of what it was quantized from, or its own."""
    maker = tensor.inputs[0] if tensor.inputs else None
    return str(tensor.name if maker is None or quantizer_of(maker) is None else maker.inputs[0].name)


def codes_of(coded: Coded) -> npt.NDArray[np.int64]:
    """Return the codes of a constant."""
    return constant_value(coded.tensor).astype(np.int64)


def code_range(coded: Coded) -> tuple[int, int]:
    """Return the smallest and largest code of a tensor's format."""
    return coded.format.code_range
