"""The arithmetic units that the layers of a native graph need, and how many layers each of them serves.

A unit multiplies codes of inputs by codes of weights and adds the products up. Scales are no part of it: they meet
behind the accumulator, in the shift or in the multiplication of each channel. So layers of equal code formats are
served by one unit, whatever their scales are; one whose inputs may be negative serves those whose inputs are not, too.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from qonnx_tools.arithmetic.log_products import LogUnit
from qonnx_tools.graph import gs
from qonnx_tools.origin import Origin
from qonnx_tools.plan import Role

KINDS = ("Log", "Shift", "Fixed")
"""How the names of weighted ops begin: log codes by log codes, fixed-point codes by log codes, fixed-point codes."""


@dataclass(frozen=True)
class Unit:
    """What a layer asks of the unit that computes its sums of products, or what a unit can do.

    Attributes:
        kind: "log" adds exponents, "shift" shifts fixed-point inputs by log weights, "fixed" multiplies.
        input_bits: of the input codes.
        input_signed: whether these have both signs.
        weight_bits: of the weight codes, which have both signs.
        steps: magnitudes an octave of log codes: 1 is base 2, 2 is base sqrt(2). None with fixed-point weights.
        guard_bits: fraction bits of the product of the two largest log codes; None where the inputs are fixed point.
    """

    kind: str
    input_bits: int
    input_signed: bool
    weight_bits: int
    steps: int | None = None
    guard_bits: int | None = None

    @property
    def accumulators(self) -> int:
        """Two with base sqrt(2): of the products that are powers of two, and of those that are sqrt(2) times one."""
        return 2 if self.steps == 2 else 1

    @property
    def weight_table(self) -> tuple[float, ...] | None:
        """The magnitudes of the weight codes 1, 2 .., of which the largest is 1; None for fixed point."""
        return self._magnitudes(2 ** (self.weight_bits - 1) - 1) if self.steps else None

    @property
    def input_table(self) -> tuple[float, ...] | None:
        """The magnitudes of the input codes 1, 2 .., of which the largest is 1; None for fixed point."""
        return self._magnitudes(2 ** (self.input_bits - self.input_signed) - 1) if self.kind == "log" else None

    @property
    def drops_products(self) -> bool:
        """Whether products of small codes lie below the accumulator's LSB and count as 0."""
        if self.guard_bits is None or self.steps is None:
            return False
        unit = LogUnit(self.input_bits, self.input_signed, self.weight_bits, self.steps, self.guard_bits)
        return self.guard_bits < unit.exact_guard_bits

    def _magnitudes(self, count: int) -> tuple[float, ...]:
        return tuple(2.0 ** ((code - count) / (self.steps or 1)) for code in range(1, count + 1))


@dataclass(frozen=True)
class UnitReport:
    """A unit, the layers that it serves, and the accumulator that is wide enough for every one of them, in bits."""

    unit: Unit
    layers: tuple[str, ...]
    accumulator_bits: int


def unit_of(node: gs.Node, origin: Origin) -> Unit | None:
    """Return the unit that the native ``node`` asks for; None where it has no weights.

    Args:
        node: of a native graph.
        origin: what it says of itself.
    """
    kind = next((kind for kind in KINDS if node.op.startswith((f"{kind}Conv", f"{kind}Gemm"))), None)
    weight = origin.first(Role.WEIGHT)
    if kind is None or weight is None:
        return None
    if kind == "Log":
        attributes = {name: int(node.attrs[name]) for name in ("weight_bits", "steps", "guard_bits")}
        return Unit("log", int(node.attrs["x_bits"]), bool(node.attrs["x_signed"]), **attributes)
    read = origin.reads[0]
    shifts = {"steps": int(node.attrs["steps"])} if kind == "Shift" else {}
    return Unit(kind.lower(), read.bits, read.code_range[0] < 0, origin.tensors[weight].format.bits, **shifts)


def units(layers: Iterable[tuple[str, Unit, int]]) -> tuple[UnitReport, ...]:
    """Return the units of a network, those of most layers first.

    Args:
        layers: name of each layer, what it asks for, and its accumulator bits.
    """
    known = list(layers)
    asked = {unit for _, unit, _ in known}
    served: dict[Unit, list[tuple[str, int]]] = {}
    for name, unit, bits in known:
        served.setdefault(_for_both_signs(unit, asked), []).append((name, bits))
    reports = [
        UnitReport(unit, tuple(name for name, _ in those), max(bits for _, bits in those))
        for unit, those in served.items()
    ]
    return tuple(sorted(reports, key=lambda report: -len(report.layers)))


def _for_both_signs(unit: Unit, asked: set[Unit]) -> Unit:
    """Return ``unit``, or the one that serves it and what others ask for that reads codes with and without a sign.

    A sign takes one bit: log codes of n bits without a sign have the magnitudes of those of n + 1 bits with one.
    """
    if unit.kind == "log":
        with_sign = replace(unit, input_bits=unit.input_bits + 1, input_signed=True)
        return with_sign if not unit.input_signed and with_sign in asked else unit
    both = replace(unit, input_bits=unit.input_bits + 1, input_signed=True)
    return both if replace(unit, input_signed=not unit.input_signed) in asked else unit
