"""Put the quantizers of a plan into the graph."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from qonnx_tools.errors import ConfigError
from qonnx_tools.graph import Names, consumers, gs
from qonnx_tools.passes.base import Outcome, Pass, Rewrite, Skip
from qonnx_tools.plan import Plan
from qonnx_tools.quantizers import quantizer_node, quantizer_of


@dataclass(frozen=True)
class InsertQuantizers(Pass):
    """Quantize each tensor that the plan names, for every node that reads it.

    ``t -> readers``  becomes  ``t -> FixedQuant | LogQuant -> t.quantized -> readers``. A graph output keeps the
    tensor as it was. Weights stay as they are, behind a quantizer of their own: the graph then says both what was
    trained and what the accelerator stores.

    Declines a tensor that is quantized already, and one that nothing reads.
    Raises ``ConfigError`` for a plan tensor that the graph does not have or that is not float32, or whose channels do
    not fit.
    """

    name: ClassVar[str] = "insert-quantizers"
    plan: Plan = field(default_factory=Plan)

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        tensors, names = graph.tensors(), Names(graph)
        for name, tensor_plan in self.plan.tensors.items():
            tensor = tensors.get(name)
            if tensor is None:
                raise ConfigError(f"plan tensor '{name}' is not in the model{_nearest(name, list(tensors))}")
            readers = consumers(tensor)
            if any(quantizer_of(node) for node in readers):
                yield Skip(name, "is quantized already")
                continue
            if not readers:
                yield Skip(name, "nothing reads it")
                continue
            if tensor.dtype != np.float32:
                kind = np.dtype(tensor.dtype).name
                raise ConfigError(f"plan tensor '{name}' is {kind}; only float32 tensors are quantized: take it out")
            _check_channels(name, tensor, tensor_plan.format.channels, tensor_plan.axis)
            output = gs.Variable(names.unique(f"{name}.quantized"), dtype=tensor.dtype, shape=tensor.shape)
            for node in readers:
                node.inputs = [output if item is tensor else item for item in node.inputs]
            quantizer = quantizer_node(tensor, output, names.unique(f"{name}.quantizer"), tensor_plan)
            graph.nodes.append(quantizer)
            yield Rewrite(quantizer.name, f"{tensor_plan.role} '{name}' as {tensor_plan.format}")


def _check_channels(name: str, tensor: object, channels: int | None, axis: int | None) -> None:
    if channels is None or axis is None:
        return
    shape = tuple(getattr(tensor, "shape", None) or ())
    if not 0 <= axis < len(shape) or shape[axis] != channels:
        raise ConfigError(
            f"plan tensor '{name}': {channels} channels along axis {axis} do not fit its shape {list(shape)}"
        )


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean '{near[0]}'?" if near else "; `qonnx inspect` lists its tensors"
