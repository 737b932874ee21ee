"""Batch normalization as the accelerator's unit sees it: one multiplication and one addition a channel."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qonnx_tools.graph import (
    constant_value,
    gs,
    is_constant,
    is_given,
    nodes,
    op_of,
    producer,
    sole_consumer,
    unique_name,
)
from qonnx_tools.outcome import Outcome, Rewrite, Skip
from qonnx_tools.passes._batch_norm import affine, reason_against
from qonnx_tools.passes.base import Pass


@dataclass(frozen=True)
class ReduceBatchNorm(Pass):
    """Reduce an inference-mode ``BatchNormalization`` to y = a * x + b, and take the bias before it along.

    With a = gamma / sqrt(var + epsilon) and s = beta - a * mean:

        Conv(x) + c -> BN(gamma, beta, mean, var)   becomes   Conv(x) -> BN(a, a * c + s, 0, 1) with epsilon = 0

    The weights stay as they were trained; the node stays a BatchNormalization, so that the layer keeps its unit.
    a and b are initializers ``<node>.scale`` and ``<node>.offset``, computed in float64 and rounded once.
    Declines parameters that are not constant, and training mode.
    """

    name: ClassVar[str] = "reduce-batch-norm"

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        for norm in nodes(graph, "BatchNormalization"):
            reason = reason_against(norm)
            if reason:
                yield Skip(norm.name, reason)
                continue
            scale, shift = affine(norm)
            before = producer(norm.inputs[0])
            if before is not None and op_of(before) in {"Conv", "ConvTranspose", "Gemm"} and is_given(before, 2):
                alone = sole_consumer(before.outputs[0]) is norm
                if alone and is_constant(before.inputs[2]) and before.attrs.get("beta", 1.0) == 1.0:
                    shift = shift + scale * constant_value(before.inputs[2]).astype(np.float64).reshape(-1)
                    before.inputs = list(before.inputs)[:2]
            if _is_reduced(norm) and np.array_equal(shift.astype(np.float32), constant_value(norm.inputs[2])):
                continue
            names = [unique_name(graph, f"{norm.name}.{part}") for part in ("scale", "offset", "mean", "variance")]
            values = (scale, shift, np.zeros_like(scale), np.ones_like(scale))
            norm.inputs = [
                norm.inputs[0],
                *(gs.Constant(name, value.astype(np.float32)) for name, value in zip(names, values, strict=True)),
            ]
            norm.attrs["epsilon"] = 0.0
            yield Rewrite(norm.name, "to one multiplication and one addition a channel")


def _is_reduced(norm: gs.Node) -> bool:
    mean, variance = (constant_value(tensor) for tensor in list(norm.inputs)[3:5])
    return not mean.any() and bool((variance == 1).all()) and norm.attrs.get("epsilon") == 0.0
