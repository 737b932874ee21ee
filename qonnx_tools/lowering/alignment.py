"""Several tensors of codes in one format."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from qonnx_tools.arithmetic.fixed_point import FixedPoint, common_grid
from qonnx_tools.arithmetic.formats import Format
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.graph import constant_value, gs, is_constant
from qonnx_tools.lowering.rule import Context, Declined
from qonnx_tools.lowering.state import Coded, Target

WIDEST_COMMON = 16
"""Bits of codes that are brought to one grid."""


def aligned(tensors: Sequence[gs.Tensor], context: Context) -> tuple[list[Any], Format]:
    """Return codes for ``tensors`` in one format, and the format: the finest grid, as wide as the widest range needs.

    Every number of every input has a code in it; log codes of the same format stay as they are. Declines what needs
    more than 16 bits.
    """
    states = [context.states.get(id(tensor)) for tensor in tensors]
    formats_given = {(state.format, state.axis) if isinstance(state, Coded) else None for state in states}
    if len(formats_given) == 1 and all(isinstance(state, Coded) and isinstance(state.format, Log) for state in states):
        given = [context.uniform(tensor) for tensor in tensors]
        return [each.tensor for each in given], given[0].format
    parts = [context.activation(tensor) for tensor in tensors]
    formats = [of for _, of in parts]
    bits, frac, signed = common_grid(formats)
    if bits > WIDEST_COMMON and len(set(formats)) > 1:
        raise Declined(f"its inputs need {bits} bits on one grid; give them the same format")
    common = formats[0] if len(set(formats)) == 1 else FixedPoint(bits, frac, signed)
    target = Target(common, "half_even", *common.code_range)
    codes = []
    for (coded, own), tensor in zip(parts, tensors, strict=True):
        if own == common:
            codes.append(coded.tensor)
        elif is_constant(coded.tensor):
            wide = constant_value(coded.tensor).astype(np.int64) << (frac - coded.frac)
            codes.append(context.emitter.constant(f"{tensor.name}.aligned", wide, common.carrier))
        else:
            shift = context.emitter.constant(f"{tensor.name}.shift", coded.frac - frac, np.int64)
            made = context.emitter.node("Requantize", [coded.tensor, shift], target.attributes, tensor, common.carrier)
            codes.append(made)
    return codes, common
