"""BipolarQuant of the QONNX dialect."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic import qonnx_dialect
from qonnx_tools.ops.op import QONNX_DOMAINS, Input, Op


class BipolarQuant(Op):
    """One bit: scale where x >= 0, -scale elsewhere, NaN included."""

    domains = QONNX_DOMAINS
    name = "BipolarQuant"
    inputs = (Input("x", "any tensor"), Input("scale", "the magnitude; broadcasts to x"))

    def compute(
        self,
        inputs: Sequence[npt.NDArray[Any]],
        attributes: Mapping[str, Any],  # noqa: ARG002 - it has none
    ) -> npt.NDArray[np.float32]:
        return qonnx_dialect.bipolar_quant(*inputs)
