"""Batch normalization on codes: merged behind the accumulator, or a unit of its own."""

from typing import Any

import numpy as np

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.integer import MOST_SHIFT
from qonnx_tools.graph import gs, input_value
from qonnx_tools.lowering.multiplication import multiplication
from qonnx_tools.lowering.rule import Context, Declined, Rule, codes_of, name_of
from qonnx_tools.lowering.state import Affine, Pending, Target
from qonnx_tools.plan import Role


class BatchNormRule(Rule):
    """A reduced ``BatchNormalization`` y = a * x + b.

    Behind an accumulator that has no format of its own: the accumulator's node multiplies, adds and rounds once.
    Behind codes (a convolution with an intermediate format): an ``Affine`` node, the second unit. It also follows what
    cannot multiply or has been clipped: the unit then reads the sums themselves, in 32 bits.
    """

    ops = frozenset({"BatchNormalization"})

    def lower(self, node: gs.Node, context: Context) -> Pending:
        mean, variance = input_value(node, 3), input_value(node, 4)
        if mean is None or variance is None or mean.any() or np.any(variance != 1) or node.attrs.get("epsilon") != 0.0:
            raise Declined("it is not reduced to one multiplication and one addition; its parameters must be constant")
        affine = _affine(node, context)
        pending = context.pending(node.inputs[0])
        if pending is not None and pending.affine is not None:
            return pending.affine(affine)
        x, x_format = context.activation(node.inputs[0])
        channels = len(affine.scale)
        bits = x_format.bits + (not x_format.signed)
        found = multiplication(affine, np.ones(channels), np.full(channels, x.frac), bits)

        def emit(target: Target) -> Any:
            make, name = context.emitter, node.name
            shift = np.minimum(found.grid - target.frac, MOST_SHIFT)
            parameters = (
                make.constant(f"{name}.multiplier", found.multiplier, np.int32),
                make.constant(f"{name}.addend", found.addend, np.int64),
                make.constant(f"{name}.shift", shift, np.int64),
            )
            attributes = {"axis": 1} | target.attributes
            return make.node("Affine", [x.tensor, *parameters], attributes, node.outputs[0], target.format.carrier)

        return Pending(emit, found.grid, found.width)


def _affine(node: gs.Node, context: Context) -> Affine:
    parts = []
    for tensor in list(node.inputs)[1:3]:
        coded = context.constant(tensor, Role.BATCH_NORM)
        if coded is None or not isinstance(coded.format, FixedPoint):
            raise Declined(f"'{name_of(tensor)}' is not a constant in fixed point; give it a format in the plan")
        codes = codes_of(coded)
        parts += [codes, np.broadcast_to(np.asarray(coded.format.frac, np.int64), codes.shape)]
    return Affine(*parts)
