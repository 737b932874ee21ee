"""LogRequantize: from fixed-point codes to log codes, by comparison."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from qonnx_tools.arithmetic.log import Log
from qonnx_tools.arithmetic.log_products import threshold_codes
from qonnx_tools.errors import ConfigError
from qonnx_tools.ops._codes import CODES, TO, CodesOp, carrier_of
from qonnx_tools.ops.function import function
from qonnx_tools.ops.op import INT64, Attribute, Input

MOST_BITS = 8


class LogRequantize(CodesOp):
    """Encode fixed-point codes as log codes: y = sign(x) * (how many thresholds abs(x) reaches).

    The thresholds are on the grid of x; entry i is what code i + 1 asks for. There are K: 2**(bits-1) - 1 when signed
    and 2**bits - 1 when unsigned; then negative numbers have code 0.
    """

    name = "LogRequantize"
    inputs = (Input("x", "codes", CODES), Input("thresholds", "[K], positive, none below the one before", INT64))
    attributes = (
        Attribute("bits", f"of y, 2 (unsigned: 1) to {MOST_BITS}"),
        Attribute("signed", "1: codes of both signs, 0: from zero up", 1),
        TO,
    )

    def check(self, inputs: Sequence[npt.NDArray[Any]]) -> None:
        """Leave it to the reference, which knows how many thresholds there are."""

    def compute(self, inputs: Sequence[npt.NDArray[Any]], attributes: Mapping[str, Any]) -> npt.NDArray[Any]:
        x, thresholds = inputs
        signed = bool(attributes["signed"])
        target = Log(attributes["bits"], 2.0**126, 2, signed)
        if thresholds.shape != (target.count,):
            raise ConfigError(
                f"thresholds has shape {list(thresholds.shape)}; {target.bits} bits take [{target.count}]"
            )
        if thresholds[0] < 1 or np.any(np.diff(thresholds) < 0):
            raise ConfigError("thresholds must be positive, and none below the one before")
        carrier = carrier_of(attributes, target.code_range)
        return threshold_codes(x, thresholds, signed=signed).astype(carrier)

    def body(self, opset: int) -> onnx.FunctionProto:
        tables = {
            "zero": np.array(0, np.int64),
            "one": np.array(1, np.int64),
            **{f"step_{step}": np.array(2**step, np.int64) for step in range(MOST_BITS)},
        }
        searched = "".join(_step(step) for step in reversed(range(MOST_BITS)))
        return function(self, opset, tables, _BODY.format(searched=searched))


def _step(step: int) -> str:
    """Nodes of a binary search: from ``found_<step + 1>`` thresholds that are reached to ``found_<step>``."""
    before = f"found_{step + 1}" if step + 1 < MOST_BITS else "zero"
    return f"""
    more_{step} = Add({before}, step_{step})
    at_{step} = Sub(more_{step}, one)
    place_{step} = Min(at_{step}, last)
    asked_{step} = Gather(thresholds, place_{step})
    falls_short_{step} = Less(size, asked_{step})
    is_beyond_{step} = Greater(at_{step}, last)
    is_not_{step} = Or(falls_short_{step}, is_beyond_{step})
    found_{step} = Where(is_not_{step}, {before}, more_{step})
"""


_BODY = """
    signed = Constant <value_int: int = @signed> ()
    count = Size(thresholds)
    last = Sub(count, one)
    wide = Cast <to: int = 7> (x)
    size = Abs(wide)
{searched}
    is_negative = Less(wide, zero)
    negated = Neg(found_0)
    negative = Mul(negated, signed)
    code = Where(is_negative, negative, found_0)
    y = Cast <to: int = @to> (code)
"""
