"""A node that multiplies, accumulates, adds the bias and rounds once, in the making."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.integer import MOST_SHIFT
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.graph import gs
from qonnx_tools.lowering.log_codes import as_powers
from qonnx_tools.lowering.multiplication import Integers, multiplication
from qonnx_tools.lowering.rule import Context, Declined, name_of
from qonnx_tools.lowering.state import Affine, Coded, Pending, Target
from qonnx_tools.lowering.weights import Weights
from qonnx_tools.origin import Origin

WIDEST_CODES = 16
"""Bits of what an accumulating op multiplies."""
Parameter = tuple[str, npt.ArrayLike, Any]
"""The name, value and element type of an input."""
IDENTITY: list[Parameter] = [("multiplier", 1, np.int32), ("addend", 0, np.int64)]
"""No affine map behind the accumulator; written out, because a function body cannot leave an input out."""


@dataclass(frozen=True)
class Accumulation:
    """Everything of the node but the affine map behind the accumulator and the output format.

    Attributes:
        node: the float node.
        op: the op without the kind of its weights: "Conv" or "Gemm".
        attributes: of that op.
        context: makes the node.
        x: the codes that it reads.
        weights: what it multiplies them by.
        grid: fraction bits of the accumulator, [M].
        bias: codes at the LSB of the accumulator, [M].
        bits: of the accumulator.
        origin: what the node stands for.
        divisor: of the result, where a multiplier follows the accumulator.
    """

    node: gs.Node
    op: str
    attributes: Mapping[str, Any]
    context: Context
    x: Coded
    weights: Weights
    grid: Integers
    bias: Integers
    bits: int
    origin: Origin
    divisor: float = 1.0

    def pending(self, affine: Affine | None) -> Pending:
        """Return the result with ``affine`` behind the accumulator; None is none."""
        width = self.bits + self.weights.spare_bits
        if affine is None:
            return self._result(self.grid, [], width, again=True)
        found = multiplication(affine, self.weights.scale, self.grid, width, self.divisor)
        more: list[Parameter] = [("multiplier", found.multiplier, np.int32), ("addend", found.addend, np.int64)]
        is_identity = not affine.offset.any() and not affine.scale_frac.any()
        result = self._result(found.grid, more, found.width, again=is_identity)
        if np.all(self.weights.scale == 1):
            return result
        return replace(result, normalized=lambda divisor: replace(self, divisor=divisor).pending(affine))

    def _result(self, grid: Integers, more: list[Parameter], width: int, *, again: bool) -> Pending:
        return Pending(
            emit=lambda target: self._emit(target, grid, more),
            grid=grid,
            width=width,
            affine=self.pending if again else None,
            origin=self.origin,
        )

    def _emit(self, target: Target, grid: Integers, more: list[Parameter]) -> Any:
        make, name = self.context.emitter, self.node.name
        shift = np.minimum(grid - target.frac, MOST_SHIFT)  # beyond, the result rounds in the same way
        bias = self.bias if self.bias.any() else 0
        inputs = [
            self.x.tensor,
            self.weights.tensor,
            make.constant(f"{name}.shift", shift, np.int64),
            make.constant(f"{name}.bias.codes", bias, np.int64),
            *(make.constant(f"{name}.{part}", value, dtype) for part, value, dtype in more or IDENTITY),
        ]
        attributes = {
            **self.attributes,
            **self.weights.attributes,
            "accumulator_bits": self.bits,
            **target.attributes,
        }
        return make.node(
            f"{self.weights.kind}{self.op}", inputs, attributes, self.node.outputs[0], target.format.carrier
        )


def layer_input(node: gs.Node, context: Context, weights: Coded) -> tuple[Coded, float]:
    """Return the codes that the layer ``node`` multiplies by ``weights``, and a factor that they are times.

    They are log codes if the weights are, or fixed point of 16 bits at most; of one format for the whole tensor.
    """
    given = context.uniform(node.inputs[0])
    if isinstance(given.format, Log):
        if isinstance(weights.format, Log):
            return given, 1.0
        made = as_powers(given, given.format, context.emitter, node.inputs[0])
        if made is None:
            raise Declined(
                f"its input '{name_of(node.inputs[0])}' has the format {given.format}, which no 16-bit grid holds, and "
                "its weights are fixed point; give it log weights, or a fixed-point input"
            )
        return made
    if given.format.bits > WIDEST_CODES:
        name = name_of(node.inputs[0])
        raise Declined(f"its input '{name}' has {given.format.bits} bits; give it {WIDEST_CODES} or fewer in the plan")
    return given, 1.0


def accumulate(
    node: gs.Node,
    op: str,
    attributes: Mapping[str, Any],
    context: Context,
    x: Coded,
    weights: Weights,
    bias: tuple[Integers, Integers],
    macs: int | None,
) -> Pending:
    """Return the result of the layer ``node``: ``sum x * w + bias``.

    Args:
        node: the float layer.
        op: "Conv" or "Gemm".
        attributes: of the integer op, those of weights, accumulator and output left out.
        context: where it is lowered.
        x: codes with one format for the whole tensor.
        weights: what they are multiplied by.
        bias: codes and their fraction bits, [M] both.
        macs: multiplications of one image, where they are known.
    """
    codes, frac = bias
    grid = weights.frac
    affine = None
    is_finer = bool(np.any((frac > grid) & (codes != 0)))
    if np.any(weights.scale != 1) or (is_finer and weights.kind == "Log"):
        affine = Affine(np.ones_like(grid), np.zeros_like(grid), codes, frac)
        codes = np.zeros_like(codes)
    elif is_finer:
        raise Declined("its bias has more fraction bits than its accumulator; give it at most theirs in the plan")
    else:
        codes = codes << np.maximum(grid - frac, 0)
    safe = weights.reach(weights.codes, codes)
    bits = min(context.accumulator_bits(node.name) or safe, safe)
    origin = replace(context.origin(node), macs=macs, safe_accumulator_bits=safe if bits < safe else None)
    made = Accumulation(node, op, attributes, context, x, weights, grid, codes, bits, origin)
    return made.pending(affine)
