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
from qonnx_tools.ops._codes import (
    ACCUMULATOR_BITS,
    INT32,
    NARROW_CODES,
    OUTPUT_FORMAT,
    CodesOp,
    in_carrier,
    rounding_of,
    shift_input,
    target_of,
)
from qonnx_tools.ops._fragments import AFFINE, FINISH, WRAP, Tables, common_tables
from qonnx_tools.ops.function import function
from qonnx_tools.ops.op import INT64, Attribute, Input

PART_OCTAVES = 16
OCTAVES = 2 ** (integer.SHIFT_WEIGHT_BITS[1] - 1) - 1

ACCUMULATION = (ACCUMULATOR_BITS, *OUTPUT_FORMAT)
WEIGHT_BITS = Attribute(
    "weight_bits", f"of the log codes in w, {integer.SHIFT_WEIGHT_BITS[0]} to {integer.SHIFT_WEIGHT_BITS[1]}"
)


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

    ``before`` makes the parts from ``w``; ``after`` makes ``products`` of ``<part>_products``, both in int64.
    """

    before: str
    parts: tuple[str, ...]
    after: str
    tables: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)


def _shift_tables() -> Tables:
    codes = np.arange(-OCTAVES, OCTAVES + 1)
    weights = integer.log_weights(codes, integer.SHIFT_WEIGHT_BITS[1])
    is_small = np.abs(codes) <= PART_OCTAVES
    return {
        "octaves": np.array(OCTAVES, np.int64),
        "part_size": np.array(2**PART_OCTAVES, np.int64),
        "small_weights": np.where(is_small, weights, 0).astype(np.float64),
        "large_weights": np.where(is_small, 0, weights >> PART_OCTAVES).astype(np.float64),
    }


FIXED_WEIGHTS = WeightNodes(
    "w_double = Cast <to: int = 11> (w)", ("w_double",), "products = Identity(w_double_products)"
)
SHIFT_WEIGHTS = WeightNodes(
    """
    w_wide = Cast <to: int = 7> (w)
    w_at = Add(w_wide, octaves)
    small = Gather(small_weights, w_at)
    large = Gather(large_weights, w_at)
    """,
    ("small", "large"),
    """
    large_shifted = Mul(large_products, part_size)
    products = Add(small_products, large_shifted)
    """,
    _shift_tables(),
)


class AccumulatingOp(CodesOp):
    """An op that sums products of codes and weights into accumulators, and makes codes of them."""

    weight_nodes: ClassVar[WeightNodes] = FIXED_WEIGHTS

    def check(self, inputs: Sequence[npt.NDArray[Any]]) -> None:
        """Leave it to the reference, which knows how the shapes fit."""

    def weights(self, codes: npt.NDArray[Any], attributes: Mapping[str, Any]) -> npt.NDArray[Any]:  # noqa: ARG002
        """Return the integers that the codes in w multiply by."""
        return codes

    @abstractmethod
    def accumulate(
        self, x: npt.NDArray[Any], w: npt.NDArray[Any], attributes: Mapping[str, Any]
    ) -> npt.NDArray[np.int64]:
        """Return the sums of products of codes x and integer weights w, channels along axis 1."""

    def compute(self, inputs: Sequence[npt.NDArray[Any]], attributes: Mapping[str, Any]) -> npt.NDArray[Any]:
        x, w, shift, bias, multiplier, addend = inputs
        total = self.accumulate(x, self.weights(w, attributes), attributes)
        accumulator = integer.wrap(total + integer.along(bias, total.shape, 1), attributes["accumulator_bits"])
        target, rounding = target_of(attributes), rounding_of(attributes)
        return in_carrier(integer.affine(accumulator, multiplier, addend, shift, target, rounding), attributes)

    def accumulating_body(
        self, opset: int, text: str, product: str, constants: Mapping[str, npt.NDArray[Any]]
    ) -> onnx.FunctionProto:
        """Return the body.

        Args:
            opset: version of the default domain.
            text: nodes with a place for ``{products}`` and, after ``total``, for ``{codes}``.
            product: nodes from a part ``{part}`` of the weights to the double ``{part}_sums``.
            constants: what text and product read, and the ``layout`` of a parameter along the channels of ``total``.
        """
        parts = "".join(
            f"{product.format(part=part)}\n    {part}_products = Cast <to: int = 7> ({part}_sums)\n"
            for part in self.weight_nodes.parts
        )
        products = f"{self.weight_nodes.before}\n{parts}\n{self.weight_nodes.after}"
        tables = {**common_tables(), **self.weight_nodes.tables, **constants}
        return function(self, opset, tables, text.format(products=products, codes=_CODES))


_CODES = f"""
    bias_wide = Cast <to: int = 7> (bias)
    bias_along = Reshape(bias_wide, layout)
    sum = Add(total, bias_along)
{WRAP}
    wide = Identity(accumulator)
{AFFINE}
{FINISH}
"""
