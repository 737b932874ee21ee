"""Lower the quantizers of a graph to integer codes on its wires."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.errors import UnsupportedError
from qonnx_tools.graph import disconnect, gs, is_constant, nodes, op_of
from qonnx_tools.lowering.rule import Context, Declined, rules
from qonnx_tools.lowering.state import Coded, Emitter, Pending, State, Target, per_tensor
from qonnx_tools.outcome import Outcome, Rewrite, Skip
from qonnx_tools.passes.base import Pass
from qonnx_tools.quantizers import Quantizer, quantizer_of

SETTLED_BITS = 32


@dataclass(frozen=True)
class LowerToNative(Pass):
    """Let codes travel on the wires, and the accelerator's integer ops compute them.

    ``Quant(x) -> Conv(Quant(W), Quant(b)) -> Relu -> Quant -> ..`` becomes
    ``Quantize -> FixedConv -> ..``: accumulator, bias, activation function, rounding and saturation are one node.
    What has no integer form stays in float between ``Dequantize`` and ``Quantize``.

    Declines a node that reads quantized tensors but has no integer form, with the reason; ``strict`` raises
    ``UnsupportedError`` for it instead.
    """

    name: ClassVar[str] = "lower-to-native"
    strict: bool = False

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        lowering = _Lowering(graph)
        for node in nodes(graph):
            outcome = lowering.visit(node)
            if isinstance(outcome, Skip) and self.strict:
                raise UnsupportedError(outcome.node, f"{outcome.reason} (--strict)")
            if outcome is not None:
                yield outcome
        lowering.finish()


class _Lowering:
    def __init__(self, graph: gs.Graph) -> None:
        self.graph = graph
        self.states: dict[int, State] = {}
        self.floats: dict[int, Any] = {}
        self.emitter = Emitter(graph)
        self.context = Context(self.emitter, self.states, self.settle)

    def visit(self, node: gs.Node) -> Outcome | None:
        quantizer = quantizer_of(node)
        if quantizer is not None:
            return None if is_constant(node.inputs[0]) else self._quantize(node, quantizer)
        rule = rules().get(op_of(node))
        coded = any(id(tensor) in self.states for tensor in node.inputs)
        if rule is None or not coded:
            self._stay_in_float(node)
            return Skip(node.name, f"{op_of(node)} has no integer form") if coded else None
        try:
            self.states[id(node.outputs[0])] = rule.lower(node, self.context)
        except Declined as declined:
            self._stay_in_float(node)
            return Skip(node.name, declined.reason)
        return Rewrite(node.name, f"{op_of(node)} on integer codes")

    def settle(self, tensor: Any, pending: Pending) -> Coded:
        """Give a result that several nodes read, or that leaves the integer part, 32-bit codes."""
        whole = int((pending.width - pending.grid).max())
        frac = min(int(pending.grid.max()), SETTLED_BITS - whole)
        coded = self._emit(pending, FixedPoint(SETTLED_BITS, frac), "half_even")
        self.states[id(tensor)] = coded
        return coded

    def finish(self) -> None:
        """Make the graph outputs that are codes into floats."""
        for output in self.graph.outputs:
            state = self.states.get(id(output))
            if state is not None:
                maker = output.inputs[0]
                kept = self._as_float(output)
                node = kept.inputs[0]
                disconnect(maker)
                node.outputs = [output]

    def _quantize(self, node: gs.Node, quantizer: Quantizer) -> Outcome:
        source, output = node.inputs[0], node.outputs[0]
        of = quantizer.format
        if not isinstance(of, FixedPoint) or quantizer.axis is not None:
            self._stay_in_float(node)
            return Skip(node.name, f"activations in the format {of} have no integer form yet")
        state = self.states.get(id(source))
        if isinstance(state, Pending):
            self.states[id(output)] = self._emit(state, of, quantizer.rounding)
        elif isinstance(state, Coded) and isinstance(state.format, FixedPoint) and state.axis is None:
            shift = self.emitter.constant(
                f"{node.name}.shift", per_tensor(state.format.frac) - per_tensor(of.frac), np.int64
            )
            target = Target(of, quantizer.rounding, *of.code_range)
            codes = self.emitter.node("Requantize", [state.tensor, shift], target.attributes, output, of.carrier)
            self.states[id(output)] = Coded(codes, of)
        else:
            frac = self.emitter.constant(f"{node.name}.frac", per_tensor(of.frac), np.int64)
            target = Target(of, quantizer.rounding, *of.code_range)
            codes = self.emitter.node("Quantize", [source, frac], target.attributes, output, of.carrier)
            self.states[id(output)] = Coded(codes, of)
        return Rewrite(node.name, f"codes of {of}")

    def _emit(self, pending: Pending, of: FixedPoint, rounding: str) -> Coded:
        low, high = (int(of.encode(np.float64(bound), rounding)) for bound in (pending.low, pending.high))
        target = Target(of, rounding, low, high)
        codes = pending.emit(target)
        if (low, high) != of.code_range:
            codes = self._clip(codes, target)
        return Coded(codes, of)

    def _clip(self, codes: Any, target: Target) -> Any:
        """Bound codes below the format's own range: a Clip on codes, in 32 bits where 16-bit kernels are missing."""
        wide = codes.dtype in (np.dtype(np.int16), np.dtype(np.uint16))
        make, to = self.emitter, target.attributes["to"]
        dtype = np.dtype(np.int32) if wide else codes.dtype
        source = make.node("Cast", [codes], {"to": 6}, codes, dtype, domain="", suffix="wide") if wide else codes
        bounds = [
            make.constant(f"{codes.name}.{side}", bound, dtype)
            for side, bound in (("low", target.low), ("high", target.high))
        ]
        clipped = make.node("Clip", [source, *bounds], {}, codes, dtype, domain="", suffix="clipped")
        return (
            make.node("Cast", [clipped], {"to": to}, codes, codes.dtype, domain="", suffix="narrow")
            if wide
            else clipped
        )

    def _stay_in_float(self, node: gs.Node) -> None:
        node.inputs = [self._as_float(tensor) if id(tensor) in self.states else tensor for tensor in node.inputs]

    def _as_float(self, tensor: Any) -> Any:
        """Return a float tensor for one that is in codes, made once."""
        if id(tensor) not in self.floats:
            state = self.states[id(tensor)]
            coded = state if isinstance(state, Coded) else self.settle(tensor, state)
            frac = coded.format.frac if isinstance(coded.format, FixedPoint) else 0
            constant = self.emitter.constant(f"{tensor.name}.frac", frac, np.int64)
            self.floats[id(tensor)] = self.emitter.node(
                "Dequantize", [coded.tensor, constant], {}, tensor, np.float32, suffix="float"
            )
        return self.floats[id(tensor)]
