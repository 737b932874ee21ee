"""What convolutions and matrix products on codes share: inputs, the kinds of weights, the end of the computation.

The bodies sum in double, where every sum below 2**53 is exact: with operands of at most 16 bits, 2**21 products an
output. onnxruntime's matrix products in int64 are twelve times slower.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import onnx

from qonnx_tools.arithmetic import integer
from qonnx_tools.arithmetic.log_products import HALF_ROOT, HALF_ROOT_BITS, joined
from qonnx_tools.ops._codes import (
    ACCUMULATOR_BITS,
    CLIPPED_FORMAT,
    INT32,
    NARROW_CODES,
    CodesOp,
    in_carrier,
    rounding_of,
    shift_input,
    target_of,
)
from qonnx_tools.ops._fragments import AFFINE, FINISH, WIDTH, Tables, common_tables, wrapping
from qonnx_tools.ops.function import function
from qonnx_tools.ops.op import INT64, Attribute, Input

PART_OCTAVES = 16
OCTAVES = 2 ** (integer.SHIFT_WEIGHT_BITS[1] - 1) - 1

ACCUMULATION = (ACCUMULATOR_BITS, *CLIPPED_FORMAT)
WEIGHT_BITS = Attribute(
    "weight_bits", f"of the log codes in w, {integer.SHIFT_WEIGHT_BITS[0]} to {integer.SHIFT_WEIGHT_BITS[1]}"
)
STEPS = Attribute("steps", "magnitudes an octave of log codes: 1 is base 2, 2 is base sqrt 2", 1)


def accumulating_inputs(x: str, w: str) -> tuple[Input, ...]:
    """Return the inputs of an op that sums products of x and w, of which the shapes are given."""
    return (
        Input("x", f"codes {x}", NARROW_CODES),
        Input("w", f"codes {w}", NARROW_CODES),
        shift_input("[M] or 0-d"),
        Input("bias", "at the LSB of the accumulator; [M] or 0-d", (*INT32, *INT64), optional=True, default=0),
        Input("multiplier", "of the accumulator; [M] or 0-d", INT32, optional=True, default=1),
        Input("addend", "at the LSB of the product; [M] or 0-d", INT64, optional=True, default=0),
    )


@dataclass(frozen=True)
class WeightNodes:
    """How a body makes ``products`` of x and w: weights in parts that double multiplies exactly.

    ``before`` makes the parts from ``w``; ``after`` makes ``products`` of ``<part>_products``, both in int64, and
    ``odd_products`` where there is an odd accumulator.
    """

    before: str
    parts: tuple[str, ...]
    after: str
    tables: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    has_odd: bool = False


def _shift_tables() -> Tables:
    codes, most_bits = np.arange(-OCTAVES, OCTAVES + 1), integer.SHIFT_WEIGHT_BITS[1]
    weights = integer.log_weights(codes, most_bits)
    even, odd = integer.shift_weights(codes, most_bits, 2)
    is_small = np.abs(codes) <= PART_OCTAVES
    return {
        "octaves": np.array(OCTAVES, np.int64),
        "part_size": np.array(2**PART_OCTAVES, np.int64),
        # By steps, then by code.
        "first_weights": np.stack([np.where(is_small, weights, 0), even]).astype(np.float64),
        "second_weights": np.stack([np.where(is_small, 0, weights >> PART_OCTAVES), odd]).astype(np.float64),
    }


FIXED_WEIGHTS = WeightNodes(
    "w_double = Cast <to: int = 11> (w)", ("w_double",), "products = Identity(w_double_products)"
)
SHIFT_WEIGHTS = WeightNodes(
    """
    steps = Constant <value_int: int = @steps> ()
    steps_row = Sub(steps, one)
    is_base_2 = Equal(steps, one)
    w_wide = Cast <to: int = 7> (w)
    w_at = Add(w_wide, octaves)
    first_row = Gather <axis: int = 0> (first_weights, steps_row)
    second_row = Gather <axis: int = 0> (second_weights, steps_row)
    first_part = Gather(first_row, w_at)
    second_part = Gather(second_row, w_at)
    """,
    ("first_part", "second_part"),
    """
    second_shifted = Mul(second_part_products, part_size)
    both = Add(first_part_products, second_shifted)
    products = Where(is_base_2, both, first_part_products)
    odd_products = Where(is_base_2, zero, second_part_products)
    """,
    _shift_tables(),
    has_odd=True,
)
"""The parts are octaves of base 2: below and from 2**16; or what the even and what the odd accumulator adds up."""


class AccumulatingOp(CodesOp):
    """An op that sums products of codes and weights into accumulators, and makes codes of them."""

    weight_nodes: ClassVar[WeightNodes] = FIXED_WEIGHTS

    def check(self, inputs: Sequence[npt.NDArray[Any]]) -> None:
        """Leave it to the reference, which knows how the shapes fit."""

    @abstractmethod
    def accumulate(
        self, x: npt.NDArray[Any], w: npt.NDArray[Any], attributes: Mapping[str, Any]
    ) -> npt.NDArray[np.int64]:
        """Return the sums of products of codes x and integer weights w, channels along axis 1."""

    def sums(
        self, x: npt.NDArray[Any], w: npt.NDArray[Any], attributes: Mapping[str, Any]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64] | None]:
        """Return what accumulates of codes x and w without the bias: even and, where the op has it, odd."""
        return self.accumulate(x, w, attributes), None

    def compute(self, inputs: Sequence[npt.NDArray[Any]], attributes: Mapping[str, Any]) -> npt.NDArray[Any]:
        x, w, shift, bias, multiplier, addend = inputs
        even, odd = self.sums(x, w, attributes)
        bits = attributes["accumulator_bits"]
        accumulator = integer.wrap(even + integer.along(bias, even.shape, 1), bits)
        if odd is not None:
            accumulator = joined(accumulator, integer.wrap(odd, bits))
        target, rounding = target_of(attributes), rounding_of(attributes)
        return in_carrier(integer.affine(accumulator, multiplier, addend, shift, target, rounding), attributes)

    def accumulating_body(
        self, opset: int, text: str, product: str, total: str, constants: Mapping[str, npt.NDArray[Any]]
    ) -> onnx.FunctionProto:
        """Return the body.

        Args:
            opset: version of the default domain.
            text: nodes with a place for ``{products}`` and, after ``{totals}``, for ``{codes}``.
            product: nodes from a part ``{part}`` of the weights to the double ``{part}_sums``.
            total: a node from ``{kind}products`` to ``{kind}total``, channels along the ``layout``.
            constants: what text and product read, and the ``layout`` of a parameter along the channels of ``total``.
        """
        nodes = self.weight_nodes
        parts = "".join(
            f"{product.format(part=part)}\n    {part}_products = Cast <to: int = 7> ({part}_sums)\n"
            for part in nodes.parts
        )
        products = f"{nodes.before}\n{parts}\n{nodes.after}"
        totals = "\n".join(total.format(kind=kind) for kind in (("", "odd_") if nodes.has_odd else ("",)))
        tables = {**common_tables(), **nodes.tables, **constants}
        codes = _BIAS + (_JOINED if nodes.has_odd else _ALONE) + AFFINE + FINISH
        if nodes.has_odd:
            tables |= _joining_tables()
        return function(self, opset, tables, text.format(products=products, totals=totals, codes=codes))


class ShiftSums(AccumulatingOp):
    """An op whose weights are shifts, of a log format."""

    weight_nodes = SHIFT_WEIGHTS

    def sums(
        self, x: npt.NDArray[Any], w: npt.NDArray[Any], attributes: Mapping[str, Any]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64] | None]:
        steps = attributes["steps"]
        even, odd = integer.shift_weights(w, attributes["weight_bits"], steps)
        return self.accumulate(x, even, attributes), None if steps == 1 else self.accumulate(x, odd, attributes)


def _joining_tables() -> Tables:
    return {
        "half_root": np.array(HALF_ROOT, np.int64),
        "half_root_one": np.array(2**HALF_ROOT_BITS, np.int64),
        "half_root_half": np.array(2 ** (HALF_ROOT_BITS - 1), np.int64),
    }


_BIAS = f"""
    bias_wide = Cast <to: int = 7> (bias)
    bias_along = Reshape(bias_wide, layout)
    sum = Add(total, bias_along)
{WIDTH}
{wrapping("sum", "accumulator")}
"""
_ALONE = """
    wide = Identity(accumulator)
"""
_JOINED = f"""
{wrapping("odd_total", "odd_accumulator")}
    scaled = Mul(odd_accumulator, half_root)
    scaled_rest = Mod(scaled, half_root_one)
    scaled_multiple = Sub(scaled, scaled_rest)
    scaled_floor = Div(scaled_multiple, half_root_one)
    scaled_parity = Mod(scaled_floor, two)
    odd_bound = Sub(half_root_half, scaled_parity)
    scaled_goes_up = Greater(scaled_rest, odd_bound)
    scaled_step = Cast <to: int = 7> (scaled_goes_up)
    scaled_rounded = Add(scaled_floor, scaled_step)
    wide = Add(accumulator, scaled_rounded)
"""
"""``accumulator`` + round_shift(odd * 46341, 16), ties to even: up from a rest above a half, from a half if odd."""
