"""Formats in a graph: the quantizer node that stands for a format, and the format that a node stands for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from qonnx_tools.arithmetic.fixed_point import FRAC_RANGE, FixedPoint
from qonnx_tools.arithmetic.formats import Format
from qonnx_tools.arithmetic.rounding import Rounding
from qonnx_tools.errors import ConfigError
from qonnx_tools.graph import constant_value, gs, is_constant, op_of
from qonnx_tools.ops import DOMAIN, QONNX_DOMAINS, FormatOp, op_table
from qonnx_tools.plan import TensorPlan

QONNX_ROUNDINGS: Mapping[str, Rounding] = {
    "ROUND": Rounding.HALF_EVEN,
    "HALF_EVEN": Rounding.HALF_EVEN,
    "FLOOR": Rounding.FLOOR,
    "CEIL": Rounding.CEIL,
    "DOWN": Rounding.TOWARD_ZERO,
}
"""The rounding modes of QONNX that this project has too, by their QONNX name. Not HALF_UP: it adds 1/2 in float32."""

# fmt: off
ONNX_QUANTIZED = frozenset({
    "ConvInteger", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "QLinearConv", "QLinearMatMul",
    "QuantizeLinear",
})
# fmt: on
"""Operators of ONNX that only quantized graphs have."""


@dataclass(frozen=True)
class Quantizer:
    """A format with its rounding rule, as a quantizer node carries it."""

    format: Format
    rounding: str
    axis: int | None = None


def quantizer_node(tensor: Any, output: Any, name: str, plan: TensorPlan) -> gs.Node:
    """Return the node that quantizes ``tensor`` into ``output`` as ``plan`` says.

    Per-channel parameters become a constant of shape [1, .., C, .., 1], with C at ``plan.axis``.
    """
    op = _op_of_format(type(plan.format))
    parameter, attributes = op.parameters_of(plan.format)
    values = plan.format.across(parameter, len(tensor.shape or ()), plan.axis)
    return gs.Node(
        op=op.name,
        name=name,
        attrs=attributes | {"rounding": plan.format.rounding_code(plan.rounding)},
        inputs=[tensor, gs.Constant(f"{name}.{op.inputs[1].name}", np.array(values, order="C"))],
        outputs=[output],
        domain=DOMAIN,
    )


def quantizer_of(node: gs.Node) -> Quantizer | None:
    """Return the format that ``node`` quantizes to, or None where it is no quantizer with a format of ours.

    QONNX ``Quant`` and ``IntQuant`` nodes count where they are exactly one of our formats: a scale that is a power of
    two, zero point 0, a rounding mode that we have, codes that float32 holds.
    """
    if any(not is_constant(tensor) for tensor in node.inputs[1:]):
        return None
    op = op_table().get((node.domain or "", node.op))
    if isinstance(op, FormatOp):
        values = constant_value(node.inputs[1])
        axis = _axis(values, node.inputs[0])
        if values.size > 1 and axis is None:
            return None
        attributes: dict[str, Any] = dict(op.complete(dict(node.attrs)))
        rounding = list(op.format.roundings)[int(attributes["rounding"])]
        return Quantizer(op.format_of(attributes, _parameter(values)), rounding, axis)
    if node.domain in QONNX_DOMAINS and node.op in ("Quant", "IntQuant"):
        return _from_qonnx(node)
    return None


def is_quantizing(node: gs.Node) -> bool:
    """Tell whether ``node`` shows that its graph is quantized: by our ops, the QONNX dialect or integers of ONNX."""
    return node.domain in {DOMAIN, *QONNX_DOMAINS} or op_of(node) in ONNX_QUANTIZED


def _op_of_format(kind: type[Format]) -> FormatOp:
    for op in op_table().values():
        if isinstance(op, FormatOp) and op.format is kind:
            return op
    raise ConfigError(f"no op quantizes to {kind.kind} formats")


def _from_qonnx(node: gs.Node) -> Quantizer | None:
    """Return the format whose values and rounding a Quant has for every number, but for the sign of a zero."""
    scale, zero_point, bits = (np.asarray(constant_value(tensor), np.float64) for tensor in node.inputs[1:4])
    rounding = QONNX_ROUNDINGS.get(str(node.attrs.get("rounding_mode", "ROUND")).upper())
    signed, narrow = bool(node.attrs.get("signed", 1)), bool(node.attrs.get("narrow", 0))
    mantissa, exponent = np.frexp(scale)
    frac, axis = 1 - exponent.astype(np.int64), _axis(scale, node.inputs[0])
    least, most = (2, 25) if signed else (1, 24)  # one signed bit is -1 and +1 to Quant; float32 holds wider bounds not
    if (
        rounding is None
        or (narrow and not signed)
        or np.any(zero_point)
        or np.any(mantissa != 0.5)
        or frac.min() < FRAC_RANGE[0]
        or frac.max() > FRAC_RANGE[1]
        or bits.size != 1
        or bits.item() not in range(least, most + 1)
        or (frac.size > 1 and axis is None)
    ):
        return None
    return Quantizer(FixedPoint(int(bits.item()), _parameter(frac), signed, narrow), rounding, axis)


def _parameter(values: np.ndarray[Any, Any]) -> Any:
    """Return a broadcastable parameter as a format has it: a number, or a tuple with one a channel."""
    return values.item() if values.size == 1 else tuple(values.ravel().tolist())


def _axis(values: np.ndarray[Any, Any], tensor: Any) -> int | None:
    """Return the dimension of ``tensor`` along which ``values`` differ; None for none, or more than one."""
    long = [dimension for dimension, size in enumerate(values.shape) if size > 1]
    rank = values.ndim if tensor.shape is None else len(tensor.shape)
    return rank - values.ndim + long[0] if len(long) == 1 else None
