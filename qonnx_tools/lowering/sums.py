"""Sub, Sum and Mean of codes, by way of FixedAdd and Affine."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.integer import MOST_SHIFT
from qonnx_tools.arithmetic.multiplier import MULTIPLIER_BITS, multiplier_shift
from qonnx_tools.graph import constant_value, gs, is_constant
from qonnx_tools.lowering.rule import Context, Declined, Rule
from qonnx_tools.lowering.state import Coded, Emitter, Pending, Target

WIDEST_PARTIAL = 32
"""Bits of a sum that is not rounded yet."""


class SumRule(Rule):
    """``Sum``, ``Mean`` and ``Sub``: exact partial sums on the finest grid, rounded once.

    a - b is a + (-b), where -b has one bit more. A mean is the sum times 1/n, a shift where n is a power of two.
    """

    ops = frozenset({"Mean", "Sub", "Sum"})

    def lower(self, node: gs.Node, context: Context) -> Pending:
        parts = [context.activation(tensor)[0] for tensor in node.inputs]
        if node.op == "Sub":
            parts[1] = _negated(parts[1], node.inputs[1], context.emitter)
        grid = max(part.frac for part in parts)
        width = max(part.format.bits + grid - part.frac for part in parts) + 1 + (len(parts) - 1).bit_length()
        if width > (MOST_SHIFT if len(parts) == 2 else WIDEST_PARTIAL):
            raise Declined(f"the sum needs {width} bits on one grid; give its inputs closer formats")
        multiplier, down = 1, 0
        if node.op == "Mean":
            factor, shift = multiplier_shift(1 / len(parts), MULTIPLIER_BITS)
            multiplier, down = int(factor), int(shift)
        if multiplier != 1 and width > WIDEST_PARTIAL:
            raise Declined(f"the sum needs {width} bits on one grid; give its inputs closer formats")

        def emit(target: Target) -> Any:
            return _emit(node, parts, context.emitter, grid, (multiplier, down), target)

        return Pending(emit, np.array(grid + down), width + multiplier.bit_length())


def _emit(
    node: gs.Node, parts: Sequence[Coded], make: Emitter, grid: int, factor: tuple[int, int], target: Target
) -> Any:
    """Make the chain of additions, and the multiplication behind it where there is one."""
    output, (multiplier, down) = node.outputs[0], factor
    exact = _exact(FixedPoint(WIDEST_PARTIAL, grid))
    total, rest = parts[0], list(parts[1:])
    for part in rest if multiplier != 1 else rest[:-1]:
        total = Coded(_added(total, part, grid, 0, exact, output, make), exact.format)
    if multiplier == 1 and rest:
        return _added(total, rest[-1], grid, grid + down - target.frac, target, output, make)
    parameters = [
        make.constant(f"{node.name}.multiplier", multiplier, np.int32),
        make.constant(f"{node.name}.addend", 0, np.int64),
        make.constant(f"{node.name}.shift", total.frac + down - target.frac, np.int64),
    ]
    return make.node(
        "Affine", [total.tensor, *parameters], {"axis": 1} | target.attributes, output, target.format.carrier
    )


def _added(a: Coded, b: Coded, grid: int, shift: int, target: Target, like: Any, make: Emitter) -> Any:
    lefts = [make.constant(f"{like.name}.left", grid - part.frac, np.int64) for part in (a, b)]
    down = make.constant(f"{like.name}.shift", shift, np.int64)
    return make.node("FixedAdd", [a.tensor, b.tensor, *lefts, down], target.attributes, like, target.format.carrier)


def _negated(coded: Coded, like: Any, make: Emitter) -> Coded:
    """Return codes of -x: exact, with one bit more, as the most negative code has no counterpart."""
    of = FixedPoint(coded.format.bits + 1, coded.frac)
    if is_constant(coded.tensor):
        codes = -constant_value(coded.tensor).astype(np.int64)
        return Coded(make.constant(f"{like.name}.negated", codes, of.carrier), of)
    parameters = [
        make.constant(f"{like.name}.multiplier", -1, np.int32),
        make.constant(f"{like.name}.addend", 0, np.int64),
        make.constant(f"{like.name}.shift", 0, np.int64),
    ]
    attributes = {"axis": 1} | _exact(of).attributes
    return Coded(make.node("Affine", [coded.tensor, *parameters], attributes, like, of.carrier), of)


def _exact(of: FixedPoint) -> Target:
    return Target(of, "half_even", *of.code_range)
