"""Lower the quantizers of a graph to integer codes on its wires."""

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from qonnx_tools.arithmetic.fixed_point import FRAC_RANGE, FixedPoint
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.errors import ConfigError, UnsupportedError
from qonnx_tools.graph import disconnect, gs, is_constant, nodes, op_of
from qonnx_tools.lowering.encoding import as_float, clipped, encoded
from qonnx_tools.lowering.log_codes import by_thresholds, is_signed, unrounded
from qonnx_tools.lowering.rule import Context, Declined, Reading, rules
from qonnx_tools.lowering.state import Coded, Emitter, Pending, State, Target
from qonnx_tools.ops import DOMAIN
from qonnx_tools.origin import Origin, note_origin
from qonnx_tools.outcome import Outcome, Rewrite, Skip
from qonnx_tools.passes.base import Pass
from qonnx_tools.plan import Role, TensorPlan
from qonnx_tools.quantizers import Quantizer, quantizer_of
from qonnx_tools.topology import WEIGHTED

SETTLED_BITS = 32
SIZES = frozenset({"Shape", "Size"})
"""Operators that read the sizes of a tensor, which codes have as well."""


@dataclass(frozen=True)
class LowerToNative(Pass):
    """Let codes travel on the wires, and the accelerator's integer ops compute them.

    ``Quant(x) -> Conv(Quant(W), Quant(b)) -> Relu -> Quant -> ..`` becomes
    ``Quantize -> FixedConv -> ..``: accumulator, bias, activation function, rounding and saturation are one node.
    What has no integer form stays in float between ``Dequantize`` and ``Quantize``.

    Every accumulator is as wide as it must be for no input to overflow it. ``accumulator_bits`` makes those that would
    be wider narrower: their sums wrap. ``accumulators`` does so for single layers, by node name; 0 is the safe width.

    Each node says in its metadata which node and which tensors it stands for (``qonnx_tools.origin``).

    Declines a node in float that has no integer form or whose input is in float, with the reason; ``strict`` raises
    ``UnsupportedError`` for it instead. Raises ``ConfigError`` for an accumulator of a layer that there is not.
    """

    name: ClassVar[str] = "lower-to-native"
    strict: bool = False
    accumulator_bits: int = 0
    accumulators: Mapping[str, int] = field(default_factory=dict)

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        self._check_accumulators(graph)
        lowering = _Lowering(graph, self._accumulator_of)
        for node in nodes(graph):
            outcome = lowering.visit(node)
            if isinstance(outcome, Skip) and self.strict:
                raise UnsupportedError(outcome.node, f"{outcome.reason} (--strict)")
            if outcome is not None:
                yield outcome
        lowering.finish()

    def _accumulator_of(self, layer: str) -> int:
        return self.accumulators.get(layer, self.accumulator_bits)

    def _check_accumulators(self, graph: gs.Graph) -> None:
        known = [node.name for node in nodes(graph, *WEIGHTED)]
        for layer in self.accumulators:
            if layer not in known:
                near = difflib.get_close_matches(layer, known, n=1)
                hint = f"did you mean '{near[0]}'?" if near else "`qonnx inspect` lists the layers"
                raise ConfigError(f"accumulator of '{layer}': the model has no such layer; {hint}")


class _Lowering:
    def __init__(self, graph: gs.Graph, accumulator_bits: Callable[[str], int]) -> None:
        self.graph = graph
        self.states: dict[int, State] = {}
        self.floats: dict[int, Any] = {}
        self.emitter = Emitter(graph)
        self.context = Context(self.emitter, self.states, self.settle, accumulator_bits)

    def visit(self, node: gs.Node) -> Outcome | None:
        quantizer = quantizer_of(node)
        if quantizer is not None:
            return None if is_constant(node.inputs[0]) else self._quantize(node, quantizer)
        if op_of(node) in SIZES:
            node.inputs = [self._as_stored(tensor) for tensor in node.inputs]
            return None
        rule = rules().get(op_of(node))
        coded = any(id(tensor) in self.states for tensor in node.inputs)
        if rule is None or not coded:
            self._stay_in_float(node)
            return _in_float(node, coded=coded)
        context = replace(self.context, reading=Reading())
        try:
            state = rule.lower(node, context)
        except Declined as declined:
            self._stay_in_float(node)
            return Skip(node.name, declined.reason)
        if isinstance(state, Pending):
            origin = context.origin(node)
            state = replace(state, origin=state.origin.with_constants_of(origin) if state.origin else origin)
        self.states[id(node.outputs[0])] = state
        return Rewrite(node.name, f"{op_of(node)} on integer codes{self._warning(node, state)}")

    def _warning(self, node: gs.Node, state: State) -> str:
        origin = state.origin if isinstance(state, Pending) else None
        if origin is None or origin.node != node.name or origin.safe_accumulator_bits is None:
            return ""
        bits = self.context.accumulator_bits(node.name)
        return f"; its accumulator has {bits} bits, {origin.safe_accumulator_bits} are safe: sums can wrap"

    def settle(self, tensor: Any, pending: Pending) -> Coded:
        """Give a result that several nodes read, or that leaves the integer part, 32-bit codes.

        Bits below the finest format that there is are rounded off.
        """
        whole = int((pending.width - pending.grid).max())
        frac = min(int(pending.grid.max()), SETTLED_BITS - whole, FRAC_RANGE[1])
        coded = replace(self._emit(pending, FixedPoint(SETTLED_BITS, frac), "half_even", tensor), width=whole + frac)
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
        if not isinstance(of, FixedPoint | Log) or quantizer.axis is not None or of.bits > _most_bits(of):
            self._stay_in_float(node)
            return Skip(
                node.name,
                f"'{source.name}' has the format {of}; only fixed point and log codes with one format for the whole "
                "tensor travel as codes: give it one in the plan",
            )
        line = {source.name: TensorPlan(Role.ACTIVATION, of, quantizer.rounding)}
        state = self.states.get(id(source))
        if isinstance(state, Pending):
            self.states[id(output)] = self._emit(state, of, quantizer.rounding, output, line)
            return Rewrite(node.name, f"codes of {of}")
        before = state if isinstance(state, Coded) and state.axis is None else None
        codes = encoded(before, source, of, quantizer.rounding, self.emitter, output)
        reads = () if before is None else (before.format,)
        note_origin(codes.inputs[0], Origin(node.name, node.op, reads, of, line))
        self.states[id(output)] = Coded(codes, of)
        return Rewrite(node.name, f"codes of {of}")

    def _emit(
        self,
        pending: Pending,
        of: FixedPoint | Log,
        rounding: str,
        like: Any,
        line: Mapping[str, TensorPlan] | None = None,
    ) -> Coded:
        """Make the codes of a result, of the tensor ``like``; ``line`` is what the plan says of them, where it does."""
        low, high = (int(of.encode(np.float64(bound), rounding)) for bound in (pending.low, pending.high))
        before = len(self.graph.nodes)
        if isinstance(of, FixedPoint):
            result = Coded(pending.emit(Target(of, rounding, low, high)), of)
        else:
            result, of_result = unrounded(pending, of)
        made = [node for node in list(self.graph.nodes)[before:] if node.domain == DOMAIN]
        if made and pending.origin is not None:
            tensors = {**pending.origin.tensors, **(line or {})}
            note_origin(made[-1], replace(pending.origin, makes=result.format, tensors=tensors))
        codes = result.tensor
        if isinstance(of, Log):
            codes = by_thresholds(result, of_result, rounding, self.emitter, like)
            quantizer = like.inputs[0]
            note_origin(codes.inputs[0], Origin(quantizer.name, quantizer.op, (result.format,), of, line or {}))
            if (low, high) != of.code_range:
                codes = clipped(codes, (low, high), self.emitter)
        return Coded(codes, of)

    def _stay_in_float(self, node: gs.Node) -> None:
        node.inputs = [self._as_float(tensor) if id(tensor) in self.states else tensor for tensor in node.inputs]

    def _as_stored(self, tensor: Any) -> Any:
        """Return the codes that stand for ``tensor``, or itself where it is in float."""
        state = self.states.get(id(tensor))
        return state.tensor if isinstance(state, Coded) else self._as_float(tensor) if state else tensor

    def _as_float(self, tensor: Any) -> Any:
        """Return a float tensor for one that is in codes, made once."""
        if id(tensor) not in self.floats:
            state = self.states[id(tensor)]
            coded = state if isinstance(state, Coded) else self.settle(tensor, state)
            self.floats[id(tensor)] = as_float(coded, self.emitter, tensor)
        return self.floats[id(tensor)]


def _most_bits(of: FixedPoint | Log) -> int:
    """Return how wide codes of that kind travel: unsigned ones of 32 bits have no element type."""
    return SETTLED_BITS - (not is_signed(of))


def _in_float(node: gs.Node, *, coded: bool) -> Skip | None:
    """Say of a node that computes floats why it goes on doing so; None of one that does not."""
    if node.domain == DOMAIN or not any(tensor.dtype == np.float32 for tensor in node.outputs):
        return None
    if coded:
        return Skip(node.name, f"{op_of(node)} has no integer form; compute it outside the accelerator")
    source = next((tensor for tensor in node.inputs if tensor.dtype == np.float32 and not is_constant(tensor)), None)
    if source is None:
        return None
    advice = "; give it a format in the plan" if op_of(node) in rules() else ""
    return Skip(node.name, f"its input '{source.name}' is in float{advice}")
