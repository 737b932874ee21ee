"""What a rule is that writes an op on codes in standard ONNX."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cache
from typing import ClassVar

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.formats import Format
from qonnx_tools.discovery import concrete_classes
from qonnx_tools.graph import gs
from qonnx_tools.origin import Origin
from qonnx_tools.standard_ops.maker import Maker


class NotInFloat(Exception):  # noqa: N818  # an answer, not a fault
    """A node has no exact form in float32, for ``reason``: its integer form is written out."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class StandardRule(ABC):
    """How ops of ours on codes are computed by standard ops in float32, exactly."""

    ops: ClassVar[frozenset[str]]

    @abstractmethod
    def lower(self, node: gs.Node, origin: Origin | None, make: Maker) -> None:
        """Make nodes whose last one makes the output of ``node``; raise ``NotInFloat`` where none are exact."""


@cache
def standard_rules() -> Mapping[str, StandardRule]:
    """Every rule by the op that it lowers."""
    found = [kind() for kind in concrete_classes("qonnx_tools.standard_ops", StandardRule)]  # type: ignore[type-abstract]
    return {op: rule for rule in found for op in rule.ops}


def fraction_bits(of: Format | None, what: str) -> int:
    """Return the fraction bits of a fixed-point format for a whole tensor."""
    if not isinstance(of, FixedPoint) or not isinstance(of.frac, int):
        raise NotInFloat(f"the format of {what} is {of}")
    return of.frac
