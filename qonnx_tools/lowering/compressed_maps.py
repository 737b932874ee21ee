"""Feature maps that are stored compressed."""

from qonnx_tools.graph import gs, own_metadata, set_node_metadata
from qonnx_tools.lowering.rule import Context, Rule
from qonnx_tools.lowering.state import Coded
from qonnx_tools.ops import DOMAIN
from qonnx_tools.round_trips import KEY, ROUND_TRIP


class CodesRule(Rule):
    """The same codes: of a quantized tensor they are there already, and go on being codes behind."""

    ops = frozenset({f"{DOMAIN}::Quantize", f"{DOMAIN}::Dequantize"})

    def lower(self, node: gs.Node, context: Context) -> Coded:
        return context.codes(node.inputs[0])


class RoundTripRule(Rule):
    """The same node, between codes that travel."""

    ops = frozenset({f"{DOMAIN}::{ROUND_TRIP}"})

    def lower(self, node: gs.Node, context: Context) -> Coded:
        x, like = context.codes(node.inputs[0]), node.outputs[0]
        inputs = [x.tensor, *list(node.inputs)[1:]]
        codes = context.emitter.node(ROUND_TRIP, inputs, node.attrs, like, x.tensor.dtype)
        set_node_metadata(codes.inputs[0], KEY, own_metadata(node)[KEY])
        return Coded(codes, x.format)
