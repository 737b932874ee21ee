"""A layer as the parameters of a bench: files, widths, counts, shifts, bounds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qonnx_tools.arithmetic.accumulator import bits_for
from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.export.constants import Constant
from qonnx_tools.export.manifest import Layer, Package, file_of, vector_file

Parameters = dict[str, int | str]


@dataclass(frozen=True)
class LayerView:
    """A layer as the parameters of a bench."""

    package: Package
    layer: Layer

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Attributes of the node."""
        return dict(self.layer.node.attrs)

    @property
    def images(self) -> int:
        """Images of the package."""
        return len(self.package.vectors[self.layer.outputs[0]])

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a wire for one image."""
        return self.package.shapes[name]

    def constant(self, role: str) -> Constant | None:
        """Return the constant of a role, or None."""
        return next((each for each in self.layer.constants if each.role == role), None)

    def numbers(self, role: str, default: int) -> list[int]:
        """Return the numbers of a constant, or the default alone."""
        found = self.constant(role)
        return [default] if found is None else [int(each) for each in found.numbers.ravel()]

    def wire(self, prefix: str, name: str) -> Parameters:
        """Return the file, width and sign of the codes on a wire."""
        wire, at = self.package.wires[name], list(self.package.wires).index(name)
        signed = {} if prefix == "Y" else {f"{prefix}_SIGNED": int(wire.signed)}
        return {f"{prefix}_FILE": f"{vector_file(at)}.hex", f"{prefix}_BITS": wire.bits, **signed}

    def memory(self, prefix: str, role: str) -> Parameters:
        """Return the file, width and count of a constant; the width is one with a sign."""
        found = self.constant(role)
        if found is None:
            return {}
        return {
            f"{prefix}_FILE": f"{file_of(self.layer, found)}.hex",
            f"{prefix}_BITS": found.bits + (not found.signed),
            f"{prefix}_COUNT": found.numbers.size,
        }

    def shifts(self) -> Parameters:
        """Return how far the shifts go, right and left."""
        shifts = self.numbers("shift", 0)
        return {"MOST_RIGHT": max(0, *shifts), "MOST_LEFT": max(0, *(-shift for shift in shifts))}

    def codes(self, prefix: str = "", names: str = "") -> Parameters:
        """Return rounding, smallest and largest code of a result whose attributes begin with ``prefix``."""
        of = self.attributes
        target = FixedPoint(of[f"{prefix}bits"], 0, bool(of[f"{prefix}signed"]), bool(of[f"{prefix}narrow"]))
        low, high = target.code_range
        return {
            f"{names}ROUNDING": int(of[f"{prefix}rounding"]),
            f"{names}LOWEST": max(low, int(of.get(f"{prefix}lowest", low))),
            f"{names}HIGHEST": min(high, int(of.get(f"{prefix}highest", high))),
        }

    def affine(self, low: int, high: int) -> Parameters:
        """Return what multiplies and adds to a number from ``low`` to ``high``, and how wide the result is."""
        multipliers, addends = self.numbers("multiplier", 1), self.numbers("addend", 0)
        products = [factor * end for factor in multipliers for end in (low, high)]
        bits = bits_for(min(products) + min(0, *addends), max(products) + max(0, *addends))
        return {
            **self.memory("MULTIPLIER", "multiplier"),
            **self.memory("ADDEND", "addend"),
            **self.memory("SHIFT", "shift"),
            **self.shifts(),
            "T_BITS": bits,
        }
