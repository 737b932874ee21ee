"""A fully connected layer without factors and without a transposed input."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qonnx_tools.graph import constant_value, gs, is_constant, is_given, nodes, set_constant, unique_name
from qonnx_tools.passes.base import Outcome, Pass, Rewrite, Skip


@dataclass(frozen=True)
class SimplifyGemm(Pass):
    """Bring ``Gemm(x, W, c)`` to the form y = x W + c.

        alpha x W + beta c        becomes  x (alpha W) + (beta c)
        transA: x^T W + c         becomes  Transpose(x) W + c

    alpha W and beta c are computed in float64 and rounded once; a c with beta = 0 is dropped. A weight or bias that
    another node reads is copied. Declines factors of what is not constant.
    """

    name: ClassVar[str] = "simplify-gemm"

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        for gemm in nodes(graph, "Gemm"):
            done = []
            for index, factor in ((1, "alpha"), (2, "beta")):
                value = float(gemm.attrs.get(factor, 1.0))
                if value == 1.0 or (index == 2 and not is_given(gemm, 2)):
                    gemm.attrs[factor] = 1.0
                elif index == 2 and value == 0.0:
                    gemm.inputs, gemm.attrs[factor] = list(gemm.inputs)[:2], 1.0
                    done.append("no bias, as beta is 0")
                elif not is_constant(gemm.inputs[index]):
                    yield Skip(gemm.name, f"{factor} is {value:g}, and '{gemm.inputs[index].name}' is not constant")
                else:
                    tensor = gemm.inputs[index]
                    scaled = (value * constant_value(tensor).astype(np.float64)).astype(tensor.dtype)
                    set_constant(graph, gemm, index, scaled, tensor.name)
                    gemm.attrs[factor] = 1.0
                    done.append(f"{factor} into '{tensor.name}'")
            if gemm.attrs.get("transA", 0):
                _transpose(graph, gemm)
                done.append("a Transpose before it")
            if done:
                yield Rewrite(gemm.name, ", ".join(done))


def _transpose(graph: gs.Graph, gemm: gs.Node) -> None:
    source = gemm.inputs[0]
    name = unique_name(graph, f"{gemm.name}.transposed")
    shape = None if source.shape is None else list(source.shape)[::-1]
    turned = gs.Variable(name, dtype=source.dtype, shape=shape)
    graph.nodes.append(gs.Node("Transpose", f"{name}.node", {"perm": [1, 0]}, [source], [turned]))
    gemm.inputs = [turned, *list(gemm.inputs)[1:]]
    gemm.attrs["transA"] = 0
