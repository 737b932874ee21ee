"""Add and Mul of two tensors of codes, and functions of one."""

from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.integer import MOST_SHIFT
from qonnx_tools.graph import evaluate_node, gs, input_value, is_given
from qonnx_tools.lowering.log_codes import LOOKUP_BITS, is_signed, table_codes
from qonnx_tools.lowering.rule import Context, Declined, Rule
from qonnx_tools.lowering.state import Pending, State, Target, per_tensor

TABLE_BITS = 32
"""Bits of a table's entries where no format is given to them."""


class AddRule(Rule):
    """``Add``: align to the finer grid by left shifts, add, round once."""

    ops = frozenset({"Add"})

    def lower(self, node: gs.Node, context: Context) -> Pending:
        (a, a_format), (b, b_format) = (context.activation(tensor) for tensor in node.inputs)
        fracs = [per_tensor(a_format.frac), per_tensor(b_format.frac)]
        grid = max(fracs)
        lefts = [grid - frac for frac in fracs]
        width = 1 + max(a.bits + lefts[0], b.bits + lefts[1]) + 1
        if width > MOST_SHIFT:
            raise Declined(f"the sum needs {width} bits on one grid; give its inputs closer formats")

        def emit(target: Target) -> Any:
            make = context.emitter
            left_a, left_b = (
                make.constant(f"{node.name}.{side}", left, np.int64)
                for side, left in zip(("left_a", "left_b"), lefts, strict=True)
            )
            shift = make.constant(f"{node.name}.shift", grid - target.frac, np.int64)
            inputs = [a.tensor, b.tensor, left_a, left_b, shift]
            return make.node("FixedAdd", inputs, target.attributes, node.outputs[0], target.format.carrier)

        return Pending(emit, np.array(grid), width)


class MulRule(Rule):
    """``Mul``: the product of two codes, rounded once."""

    ops = frozenset({"Mul"})

    def lower(self, node: gs.Node, context: Context) -> Pending:
        (a, a_format), (b, b_format) = (context.activation(tensor) for tensor in node.inputs)
        grid = per_tensor(a_format.frac) + per_tensor(b_format.frac)

        def emit(target: Target) -> Any:
            down = min(grid - target.frac, MOST_SHIFT)  # beyond, the result rounds in the same way
            shift = context.emitter.constant(f"{node.name}.shift", down, np.int64)
            inputs = [a.tensor, b.tensor, shift]
            return context.emitter.node("FixedMul", inputs, target.attributes, node.outputs[0], target.format.carrier)

        return Pending(emit, np.array(grid), a_format.bits + b_format.bits + 1)


class ClippingRule(Rule):
    """``Relu`` and ``Clip``: bounds on what comes before, or a table of codes."""

    ops = frozenset({"Clip", "Relu"})

    def lower(self, node: gs.Node, context: Context) -> State:
        pending = context.pending(node.inputs[0])
        if pending is None:
            return LookupRule().lower(node, context)
        if node.op == "Relu":
            return pending.clipped(0.0, np.inf)
        bounds = [input_value(node, index) for index in (1, 2)]
        if any(bound is None and is_given(node, index) for index, bound in zip((1, 2), bounds, strict=True)):
            raise Declined("its bounds are not constant")
        low, high = (
            float(bound.item()) if bound is not None else limit
            for bound, limit in zip(bounds, (-np.inf, np.inf), strict=True)
        )
        return pending.clipped(low, high)


class LookupRule(Rule):
    """A function of one number: a table with a code for each code of the input."""

    ops = frozenset(
        {"Elu", "Exp", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "Neg", "Sigmoid", "Softplus", "Tanh"}
    )

    def lower(self, node: gs.Node, context: Context) -> Pending:
        x = context.uniform(node.inputs[0])
        bits, signed = x.format.bits, is_signed(x.format)
        if bits > LOOKUP_BITS:
            raise Declined(f"a table for {bits}-bit codes is too large; use {LOOKUP_BITS} bits or fewer")
        values = _values(node, x.format.decode(table_codes(x.format)), context)

        def emit(target: Target) -> Any:
            codes = np.clip(target.format.encode(values, target.rounding), target.low, target.high)
            table = context.emitter.constant(f"{node.name}.table", codes, target.format.carrier)
            attributes = {"input_bits": bits, "input_signed": int(signed), "to": target.attributes["to"]}
            return context.emitter.node("Lookup", [x.tensor, table], attributes, node.outputs[0], target.format.carrier)

        return Pending(emit, np.array(TABLE_BITS - 1 - _octave(values)), TABLE_BITS)


def _octave(values: npt.NDArray[np.float32]) -> int:
    """Return the smallest e such that all finite ``values`` are below 2**e in size."""
    return int(np.frexp(np.abs(values[np.isfinite(values)]).max(initial=0))[1])


def _values(node: gs.Node, x: npt.NDArray[np.float32], context: Context) -> npt.NDArray[np.float32]:
    """Return what the function of ``node`` makes of the numbers ``x``."""
    copy = gs.Node(
        op=node.op,
        name=node.name,
        attrs=dict(node.attrs),
        inputs=[gs.Constant("x", x), *list(node.inputs)[1:]],
        outputs=[gs.Variable("y")],
    )
    try:
        return np.asarray(evaluate_node(copy, context.emitter.graph.opset)[0], dtype=np.float32)
    except Exception as error:  # the reference evaluator raises whatever it likes
        raise Declined(f"onnx cannot evaluate it: {error}") from error
