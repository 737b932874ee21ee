"""The ops of a native graph become standard ones: QuantizeLinear, DequantizeLinear and float or integer ops."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from qonnx_tools.graph import Names, disconnect, gs, nodes
from qonnx_tools.ops import DOMAIN
from qonnx_tools.origin import note_origin, origin_noted
from qonnx_tools.passes.base import Outcome, Pass, Rewrite, Skip
from qonnx_tools.standard_ops.bodies import inlined
from qonnx_tools.standard_ops.maker import Maker
from qonnx_tools.standard_ops.rule import NotInFloat, standard_rules


@dataclass(frozen=True)
class LowerToQdq(Pass):
    """Write the ops of ``lower-to-native`` in standard ONNX that gives the same codes in any runtime.

    ::

        Quantize(x, f)        becomes  Clip -> QuantizeLinear(x, 2^-f)
        FixedConv(x, w, ..)   becomes  DequantizeLinear(x), DequantizeLinear(w) -> Conv -> Add(bias) -> Clip
                                       -> QuantizeLinear
        Dequantize(x, f)      becomes  DequantizeLinear(x, 2^-f)

    where float32 is exact: scales are powers of two, sums have at most 24 bits and a sign. 16-bit codes are made by
    Mul, Round, Clip and Cast. Elsewhere (wider sums, multipliers, rounding rules that no standard op has, tables,
    average poolings) the node's function body takes its place: integer arithmetic in standard ops. No form is one that
    onnxruntime's optimizer computes in another way. NaN, of which no integer is made, is not looked at.

    Nodes that make codes keep the metadata that say what these stand for. Declines an op that has no function body, or
    one with loops, as those of compressed feature maps are.
    """

    name: ClassVar[str] = "lower-to-qdq"
    after: ClassVar[str] = "lower-to-native"

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        names = Names(graph)
        for node in nodes(graph):
            if node.domain == DOMAIN:
                yield _lower(node, graph, names)


def _lower(node: gs.Node, graph: gs.Graph, names: Names) -> Outcome:
    origin, rule = origin_noted(node), standard_rules().get(node.op)
    make, why = Maker(graph, names, node), "it has no form in float"
    if rule is not None:
        try:
            rule.lower(node, origin, make)
        except NotInFloat as answer:
            why = answer.reason
            for each in make.made:
                disconnect(each)
            make.made.clear()
    if make.made:
        made, how = make.made, ", ".join(dict.fromkeys(each.op for each in make.made))
    else:
        body = inlined(node, graph.opset, names)
        if body is None:
            return Skip(node.name, f"{node.op} has no form in standard ONNX without loops")
        made, how = body, f"its function body: {why}"
    output = node.outputs[0]
    disconnect(node)
    graph.nodes.extend(made)
    if origin is not None:
        note_origin(output.inputs[0], origin)
    return Rewrite(node.name, f"{node.op} as {how}")
