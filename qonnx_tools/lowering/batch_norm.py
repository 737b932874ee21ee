"""Batch normalization on codes: merged behind the accumulator, or a unit of its own."""

from typing import Any

import numpy as np

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.graph import gs, input_value
from qonnx_tools.lowering.rule import Context, Declined, Rule, codes_of
from qonnx_tools.lowering.state import Affine, Pending, Target, per_tensor


class BatchNormRule(Rule):
    """A reduced ``BatchNormalization`` y = a * x + b.

    Behind an accumulator that has no format of its own: the accumulator's node multiplies, adds and rounds once.
    Behind codes (a convolution with an intermediate format): an ``Affine`` node, the second unit.
    """

    ops = frozenset({"BatchNormalization"})

    def lower(self, node: gs.Node, context: Context) -> Pending:
        mean, variance = input_value(node, 3), input_value(node, 4)
        if mean is None or variance is None or mean.any() or np.any(variance != 1) or node.attrs.get("epsilon") != 0.0:
            raise Declined("it is not reduced to one multiplication and one addition")
        affine = _affine(node, context)
        pending = context.pending(node.inputs[0])
        if pending is not None:
            if pending.affine is None:
                raise Declined("the node before it cannot multiply behind its sum")
            return pending.affine(affine)
        x, x_format = context.activation(node.inputs[0])
        grid = affine.scale_frac + per_tensor(x_format.frac)
        if np.any(affine.offset_frac > grid):
            raise Declined("its offset has more fraction bits than the product before it")
        addend = affine.offset << (grid - affine.offset_frac)

        def emit(target: Target) -> Any:
            make, name = context.emitter, node.name
            parameters = (
                make.constant(f"{name}.multiplier", affine.scale, np.int32),
                make.constant(f"{name}.addend", addend, np.int64),
                make.constant(f"{name}.shift", grid - target.frac, np.int64),
            )
            attributes = {"axis": 1} | target.attributes
            return make.node("Affine", [x.tensor, *parameters], attributes, node.outputs[0], target.format.carrier)

        products = x_format.bits + int(np.abs(affine.scale).max()).bit_length()
        return Pending(emit, grid, max(products, int(np.abs(addend).max()).bit_length() + 1) + 1)


def _affine(node: gs.Node, context: Context) -> Affine:
    parts = []
    for tensor in list(node.inputs)[1:3]:
        coded = context.constant(tensor)
        if coded is None or not isinstance(coded.format, FixedPoint):
            raise Declined(f"'{tensor.name}' is not a fixed-point constant")
        codes = codes_of(coded)
        parts += [codes, np.broadcast_to(np.asarray(coded.format.frac, np.int64), codes.shape)]
    return Affine(*parts)
