"""What LogConv and LogGemm share: sums of products whose exponents add, as a reference and in a body.

The body looks up what each code of x gives with each size of w, a table [sizes, codes], and adds up, for each size, the
products with the signs of the weights that have it. Every product is at most 2**32, so that double adds 2**21 of them
exactly.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.log_products import MOST_GUARD_BITS, LogUnit
from qonnx_tools.ops._accumulating import STEPS, AccumulatingOp, WeightNodes
from qonnx_tools.ops.op import Attribute

LOG_UNIT = (
    Attribute("x_bits", "of the log codes in x, 2 (unsigned: 1) to 8"),
    Attribute("x_signed", "1: codes of both signs, 0: from zero up", 1),
    Attribute("weight_bits", "of the log codes in w, 2 to 8"),
    STEPS,
    Attribute("guard_bits", f"exponent of the largest product, 0 to {MOST_GUARD_BITS}; products below 1 are dropped"),
)
MOST_BITS = 8


class LogSums(AccumulatingOp):
    """An op on log codes and log weights."""

    def sums(
        self, x: npt.NDArray[Any], w: npt.NDArray[Any], attributes: Mapping[str, Any]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64] | None]:
        even, odd = unit_of(attributes).sums(x, w, lambda a, b: self.accumulate(a, b, attributes))
        return even, odd if attributes["steps"] == 2 else None


def unit_of(attributes: Mapping[str, Any]) -> LogUnit:
    """Return the unit that a node says."""
    return LogUnit(
        attributes["x_bits"],
        bool(attributes["x_signed"]),
        attributes["weight_bits"],
        attributes["steps"],
        attributes["guard_bits"],
    )


def log_weight_nodes(operands: str, constants: Mapping[str, npt.NDArray[Any]]) -> WeightNodes:
    """Return how a body makes the sums, from nodes ``operands`` for ``x_at`` and ``by_size``, which read constants."""
    tables = {**_tables(), **constants}
    return WeightNodes(_TERMS + operands, ("even", "odd"), "products = Identity(even_products)", tables, has_odd=True)


def _tables() -> dict[str, npt.NDArray[np.generic]]:
    return {
        "counts": np.array(
            [max(2 ** (bits - signed) - 1, 0) for signed in (0, 1) for bits in range(MOST_BITS + 1)], np.int64
        ),
        "bits_known": np.array(MOST_BITS + 1, np.int64),
        "column": np.array([-1, 1], np.int64),
        "zeroth": np.array([0], np.int64),
    }


_TERMS = """
    x_bits = Constant <value_int: int = @x_bits> ()
    x_signed = Constant <value_int: int = @x_signed> ()
    weight_bits = Constant <value_int: int = @weight_bits> ()
    steps = Constant <value_int: int = @steps> ()
    guard_bits = Constant <value_int: int = @guard_bits> ()
    x_signed_at = Mul(x_signed, bits_known)
    x_count_at = Add(x_bits, x_signed_at)
    x_count = Gather(counts, x_count_at)
    w_count_at = Add(weight_bits, bits_known)
    w_count = Gather(counts, w_count_at)
    x_negatives = Mul(x_count, x_signed)
    x_lowest = Neg(x_negatives)
    x_end = Add(x_count, one)
    every_x = Range(x_lowest, x_end, one)
    w_end = Add(w_count, one)
    every_size = Range(one, w_end, one)
    size_column = Reshape(every_size, column)
    x_size = Abs(every_x)
    x_down = Sub(x_count, x_size)
    w_down = Sub(w_count, size_column)
    steps_down = Add(x_down, w_down)
    half_step = Mod(steps_down, steps)
    even_down = Sub(steps_down, half_step)
    octaves_down = Div(even_down, steps)
    exponent = Sub(guard_bits, octaves_down)
    is_dropped = Less(exponent, zero)
    kept_exponent = Where(is_dropped, zero, exponent)
    power = Gather(powers, kept_exponent)
    kept_power = Where(is_dropped, zero, power)
    x_sign = Sign(every_x)
    term = Mul(x_sign, kept_power)
    term_is_even = Equal(half_step, zero)
    even_term = Where(term_is_even, term, zero)
    odd_term = Where(term_is_even, zero, term)
    even_table = Cast <to: int = 11> (even_term)
    odd_table = Cast <to: int = 11> (odd_term)
    w_wide = Cast <to: int = 7> (w)
"""
"""``even_table`` and ``odd_table`` [sizes of w, codes of x], from ``x_lowest`` to ``x_count``."""

X_AT = """
    x_is_below = Less(x_codes, x_lowest)
    x_above = Where(x_is_below, x_lowest, x_codes)
    x_is_beyond = Greater(x_above, x_count)
    x_inside = Where(x_is_beyond, x_count, x_above)
    x_at = Sub(x_inside, x_lowest)
"""
"""``x_at``: the place of each code of ``x_codes`` in a table."""

BY_SIZE = """
    w_sizes = Abs(w_along)
    w_signs = Sign(w_along)
    has_size = Equal(w_sizes, sizes_along)
    has_size_wide = Cast <to: int = 7> (has_size)
    by_size_wide = Mul(has_size_wide, w_signs)
    by_size = Cast <to: int = 11> (by_size_wide)
"""
"""``by_size``: of ``w_along`` and ``sizes_along``, which broadcast, the sign where the size is that."""


def size_sums(both: str) -> str:
    """Nodes for the sums of a part, of ``both`` operands of the matrix products, its terms and ``by_size``."""
    return f"""
    {{part}}_terms = Gather <axis: int = 1> ({{part}}_table, x_at)
    {{part}}_by_size = MatMul({both})
    {{part}}_sums = ReduceSum <keepdims: int = 0> ({{part}}_by_size, zeroth)
"""
