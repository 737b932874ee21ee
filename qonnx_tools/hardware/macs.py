"""The elements that multiply and accumulate, as a table of costs asks for them: by kind and widths.

Inputs have no sign, as behind a ReLU. Accumulators hold any sum of ``fan_in`` products; those of log codes lose no
product, or have 24 guard bits where that takes more, as a converted model has.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from qonnx_tools.arithmetic.accumulator import bits_for
from qonnx_tools.arithmetic.integer import SHIFT_WEIGHT_BITS, shift_weights
from qonnx_tools.arithmetic.log_products import USUAL_GUARD_BITS, LogUnit

FAN_IN = 256
SOURCES = ("qonnx_fixed_mac.v", "qonnx_shift_mac.v", "qonnx_log_mac.v", "qonnx_two_accumulators.v")
KINDS = ("multiplier", "shifter", "shifter_sqrt2", "log_adder", "log_adder_sqrt2")
"""As the tables of an accelerator are called; without sqrt2, log weights have base 2."""
WEIGHT_BITS: Mapping[str, tuple[int, int]] = {
    "multiplier": (1, 16),
    "shifter": SHIFT_WEIGHT_BITS,
    "shifter_sqrt2": SHIFT_WEIGHT_BITS,
    "log_adder": (2, 8),
    "log_adder_sqrt2": (2, 8),
}
"""Fewest and most that each kind has."""
INPUT_BITS: Mapping[str, tuple[int, int]] = {
    **dict.fromkeys(KINDS, (1, 16)),
    "log_adder": (1, 7),
    "log_adder_sqrt2": (1, 8),
}


@dataclass(frozen=True)
class Mac:
    """An element: its kind, the widths of its operands, the products that its accumulator holds."""

    kind: str
    weight_bits: int
    input_bits: int
    fan_in: int = FAN_IN

    @property
    def module(self) -> str:
        """The name of its Verilog module."""
        return {"m": "qonnx_fixed_mac", "s": "qonnx_shift_mac", "l": "qonnx_log_mac"}[self.kind[0]]

    @property
    def parameters(self) -> dict[str, int]:
        """The parameters of the module."""
        steps = 2 if self.kind.endswith("sqrt2") else 1
        shared = {"X_BITS": self.input_bits, "W_BITS": self.weight_bits}
        most_x, most_w = 2**self.input_bits - 1, 2 ** (self.weight_bits - 1) - 1
        if self.kind == "multiplier":
            return {**shared, "ACC_BITS": self._holding(most_x * 2 ** (self.weight_bits - 1))}
        if self.kind.startswith("shifter"):
            weights = shift_weights([most_w, max(most_w - 1, 0)], self.weight_bits, steps)
            largest = most_x * max(int(each.max()) for each in weights)
            return {**shared, "STEPS": steps, "ACC_BITS": self._holding(largest)}
        exact = LogUnit(self.input_bits, False, self.weight_bits, steps, 0).exact_guard_bits
        guard = min(exact, USUAL_GUARD_BITS)
        return {
            **shared,
            "X_MOST": most_x,
            "STEPS": steps,
            "GUARD_BITS": guard,
            "ACC_BITS": self._holding(2**guard),
        }

    def _holding(self, largest: int) -> int:
        return bits_for(-self.fan_in * largest, self.fan_in * largest)
