"""LogQuant: the normalised logarithmic format, on floats."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from qonnx_tools.arithmetic.log import Log
from qonnx_tools.ops._log import CODE, LOG_FORMAT, LOG_ROUNDING, MAGNITUDE, MAGNITUDES, log_tables
from qonnx_tools.ops.function import function
from qonnx_tools.ops.op import DOMAIN, FormatOp, Input


class LogQuant(FormatOp):
    """Replace each element by zero or one of +-scale * g**-k, g = 2**(1/steps), k = 0 .. K-1.

    K is 2**(bits-1) - 1 when signed and 2**bits - 1 when unsigned. Magnitudes above scale saturate. NaN stays NaN,
    zero is +0. The smallest magnitude must not fall below 2**-126.
    """

    domains = (DOMAIN,)
    name = "LogQuant"
    inputs = (Input("x", "any tensor"), Input("scale", "the largest magnitude, positive; broadcasts to x"))
    attributes = (*LOG_FORMAT, LOG_ROUNDING)

    format = Log

    def format_of(self, attributes: Mapping[str, Any], parameter: Any) -> Log:
        return Log(attributes["bits"], parameter, attributes["steps"], bool(attributes["signed"]))

    def parameters_of(self, number_format: Log) -> tuple[npt.NDArray[np.float32], dict[str, int | str]]:
        return np.asarray(number_format.scale, np.float32), {
            "bits": number_format.bits,
            "steps": number_format.steps,
            "signed": int(number_format.signed),
        }

    def body(self, opset: int) -> onnx.FunctionProto:
        return function(self, opset, log_tables(), _BODY)


_BODY = f"""
{MAGNITUDES}
{CODE}
{MAGNITUDE}
    is_unsigned = Equal(signed, zero_int)
    has_no_sign = And(is_negative, is_unsigned)
    finite = Where(has_no_sign, zero, value)
    y = Where(is_nan, x, finite)
"""
