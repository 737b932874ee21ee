"""Unsigned formats stand behind a Relu, and only these."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from qonnx_tools.graph import Names, constant_value, gs, is_constant, nodes, op_of, producer
from qonnx_tools.ops import QONNX_DOMAINS
from qonnx_tools.passes.base import Outcome, Pass, Rewrite


@dataclass(frozen=True)
class SignsForRelu(Pass):
    """Let unsigned activations come from a ``Relu``, and what comes from one be unsigned, as FINN wants it.

    ::

        Quant<unsigned>(x)          becomes    Quant<unsigned>(Relu(x))
        Quant<signed, n>(Relu(x))   becomes    Quant<unsigned, n - 1>(Relu(x))

    The numbers are the same: an unsigned format saturates at 0, and of a signed one its lower half is never used.
    """

    name: ClassVar[str] = "signs-for-relu"

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        names = Names(graph)
        for node in nodes(graph, f"{QONNX_DOMAINS[0]}::Quant"):
            if is_constant(node.inputs[0]) or not is_constant(*list(node.inputs)[1:]):
                continue
            source: Any = node.inputs[0]
            maker = producer(source)
            behind_relu = maker is not None and op_of(maker) == "Relu"
            bits = constant_value(node.inputs[3])
            if node.attrs["signed"] and behind_relu and bits.item() > 1:
                fewer = gs.Constant(names.unique(f"{node.name}.bitwidth"), np.array(bits - 1, np.float32))
                node.inputs = [*list(node.inputs)[:3], fewer]
                node.attrs = {**node.attrs, "signed": 0, "narrow": 0}
                yield Rewrite(node.name, f"unsigned, {bits.item() - 1:g} bits: a Relu comes before it")
            elif not node.attrs["signed"] and not behind_relu:
                positive = gs.Variable(names.unique(f"{source.name}.positive"), source.dtype, source.shape)
                graph.nodes.append(gs.Node("Relu", names.unique(f"{node.name}.Relu"), {}, [source], [positive]))
                node.inputs = [positive, *list(node.inputs)[1:]]
                yield Rewrite(node.name, "a Relu before it")
