"""Formats in a graph: the quantizer node that stands for a format, and the format that a node stands for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.formats import Format
from qonnx_tools.arithmetic.rounding import Rounding
from qonnx_tools.errors import ConfigError
from qonnx_tools.graph import constant_value, gs, is_constant
from qonnx_tools.ops import DOMAIN, QONNX_DOMAINS, FormatOp, op_table
from qonnx_tools.plan import TensorPlan

QONNX_ROUNDINGS: Mapping[str, Rounding] = {
    "ROUND": Rounding.HALF_EVEN,
    "HALF_EVEN": Rounding.HALF_EVEN,
    "HALF_UP": Rounding.HALF_AWAY,  # qonnx's HALF_UP takes ties away from zero
    "FLOOR": Rounding.FLOOR,
    "CEIL": Rounding.CEIL,
    "DOWN": Rounding.TOWARD_ZERO,
}
"""The rounding modes of QONNX that this project has too, by their QONNX name."""


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

    QONNX ``Quant`` and ``IntQuant`` nodes count where their scale is a power of two and their zero point is 0.
    """
    if any(not is_constant(tensor) for tensor in node.inputs[1:]):
        return None
    op = op_table().get((node.domain or "", node.op))
    if isinstance(op, FormatOp):
        parameter, axis = _per_channel(constant_value(node.inputs[1]))
        attributes = op.complete(dict(node.attrs))
        rounding = list(op.format.roundings)[int(attributes["rounding"])]
        return Quantizer(op.format_of(attributes, parameter), rounding, axis)
    if node.domain in QONNX_DOMAINS and node.op in ("Quant", "IntQuant"):
        return _from_qonnx(node)
    return None


def _op_of_format(kind: type[Format]) -> FormatOp:
    for op in op_table().values():
        if isinstance(op, FormatOp) and op.format is kind:
            return op
    raise ConfigError(f"no op quantizes to {kind.kind} formats")


def _from_qonnx(node: gs.Node) -> Quantizer | None:
    scale, zero_point, bits = (constant_value(tensor) for tensor in node.inputs[1:4])
    rounding = QONNX_ROUNDINGS.get(str(node.attrs.get("rounding_mode", "ROUND")).upper())
    mantissa, exponent = np.frexp(scale)
    if rounding is None or np.any(zero_point) or np.any(mantissa != 0.5) or bits.size != 1:
        return None
    frac, axis = _per_channel(1 - exponent.astype(np.int64))
    signed = bool(node.attrs.get("signed", 1))
    return Quantizer(FixedPoint(int(bits), frac, signed, signed and bool(node.attrs.get("narrow", 1))), rounding, axis)


def _per_channel(parameter: np.ndarray[Any, Any]) -> tuple[Any, int | None]:
    """Split a broadcastable parameter into a number, or a tuple and the channel axis."""
    if parameter.size == 1:
        return parameter.item(), None
    return tuple(parameter.ravel().tolist()), int(np.argmax(parameter.shape))
