"""Names that are identifiers, which tools can write into their code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from qonnx_tools.graph import gs, nodes
from qonnx_tools.origin import note_tensor
from qonnx_tools.passes.base import Outcome, Pass, Rewrite

_OTHER = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True)
class PlainNames(Pass):
    """Give nodes and tensors names of letters, digits and underscores that begin with a letter, each once.

    A node that makes a tensor keeps its trained name in the metadata property ``qonnx_tools.tensor``.

    ``/layer1/conv1/Conv_output_0``  becomes  ``layer1_conv1_Conv_output_0``. Inputs and outputs of the graph keep
    theirs.
    """

    name: ClassVar[str] = "plain-names"

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        ends = {id(tensor) for tensor in [*graph.inputs, *graph.outputs]}
        taken = {tensor.name.lower() for tensor in [*graph.inputs, *graph.outputs]}
        order = list(nodes(graph))
        tensors = {id(tensor): tensor for node in order for tensor in [*node.inputs, *node.outputs]}
        inner = [tensor for key, tensor in tensors.items() if key not in ends]
        for kind, items in (("tensor", inner), ("node", order)):
            for item in items:
                if item.name:
                    name = _unique(item.name, kind, taken)
                    if name != item.name:
                        yield Rewrite(item.name, f"the {kind} '{name}'")
                        if kind == "tensor" and item.inputs:
                            note_tensor(item.inputs[0], item.name)
                        item.name = name


def _unique(name: str, kind: str, taken: set[str]) -> str:
    """Return a plain name that differs from those taken by more than the case of its letters, and take it."""
    plain = _OTHER.sub("_", name).strip("_")
    wish = plain if plain[:1].isalpha() else f"{kind}_{plain}"
    found, count = wish, 1
    while found.lower() in taken:
        count += 1
        found = f"{wish}_{count}"
    taken.add(found.lower())
    return found
