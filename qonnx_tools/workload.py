"""The work that a network is under a plan, for its cost."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from qonnx_tools.arithmetic.fixed_point import FixedPoint, common_grid
from qonnx_tools.arithmetic.formats import Format
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.cost import LayerWork, Stored, Work
from qonnx_tools.feature_maps import kept_maps
from qonnx_tools.graph import Model, constant_value
from qonnx_tools.plan import Plan, Role, TensorPlan
from qonnx_tools.topology import Layer, layers, normalizations

FLOAT_BITS = 32


def work_of(model: Model, plan: Plan) -> Work:
    """Return the work of ``model`` in the formats of ``plan``.

    A layer whose multiplications are not known for one image counts none.

    Args:
        model: the canonical graph that the plan is for, without quantizers.
        plan: what has no format in it counts as float.
    """
    graph, formats = model.graph, {name: tensor.format for name, tensor in plan.tensors.items()}
    tensors: dict[str, Any] = graph.tensors()
    maps = {name: of for name, of in formats.items() if plan.tensors[name].role is Role.ACTIVATION and name in tensors}
    kept = kept_maps(graph, lambda tensor: tensor.name if tensor.name in maps else None)
    return Work(
        layers=tuple(_layer_work(layer, formats, tensors) for layer in layers(graph)),
        maps=tuple(Stored(name, elements(tensors[name]), of.bits) for name, of in maps.items()),
        kept=kept,
        normalizations=tuple(
            Stored(name, math.prod(tensors[name].shape), formats[name].bits if name in formats else FLOAT_BITS)
            for unit in normalizations(graph)
            for name in (unit.scale, unit.offset)
        ),
    )


def pruned(model: Model, plan: Plan) -> tuple[str, ...]:
    """Return the tensors that a plan makes zero: their format has no other number, or weights round to nothing else."""
    tensors: dict[str, Any] = model.graph.tensors()
    return tuple(name for name, of in plan.tensors.items() if name in tensors and _is_pruned(name, of, plan, tensors))


def _is_pruned(name: str, of: TensorPlan, plan: Plan, tensors: dict[str, Any]) -> bool:
    if of.format.code_range == (0, 0):
        return True
    if of.role is not Role.WEIGHT:
        return False
    values = plan.fitted[name] if name in plan.fitted else constant_value(tensors[name])
    return not np.any(of.format.quantize(values, of.rounding, of.axis))


def _layer_work(layer: Layer, formats: dict[str, Format], tensors: dict[str, Any]) -> LayerWork:
    weights = math.prod(layer.weight_shape)
    outputs = elements(tensors[layer.output])
    weight = formats.get(layer.weight)
    result = next((formats[name] for name in (layer.result, layer.output, layer.sum) if name in formats), None)
    read = [formats.get(name) for name in layer.sources]
    macs = layer.macs or 0
    return LayerWork(
        name=layer.node,
        macs=macs,
        fan_in=max(1, macs // outputs) if outputs else 1,
        weights=weights,
        biases=math.prod(tensors[layer.bias].shape) if layer.bias else 0,
        weight_bits=weight.bits if weight else FLOAT_BITS,
        bias_bits=formats[layer.bias].bits if layer.bias in formats else FLOAT_BITS,
        input_bits=common_bits(of for of in read if of is not None) if all(read) else FLOAT_BITS,
        output_bits=result.bits if result else None,
        weight_places=places(weight),
        weight_steps=weight.steps if isinstance(weight, Log) else None,
        input_places=places(read[0]) if len(read) == 1 else None,
    )


def common_bits(formats: Iterable[Format]) -> int:
    """Return the width of the codes that hold the values of all these formats."""
    known = set(formats)
    fixed = [of for of in known if isinstance(of, FixedPoint)]
    if len(known) > 1 and len(fixed) == len(known):
        return int(common_grid(fixed)[0])
    return max((of.bits for of in known), default=FLOAT_BITS)


def places(of: Format | None) -> int | None:
    """Return how many powers of two the magnitudes of a log format may be; None of another."""
    return (of.count - 1) // of.steps + 1 if isinstance(of, Log) else None


def elements(tensor: Any) -> int:
    """Return the numbers of one image in ``tensor``; 0 where a size is not known."""
    sizes = (tensor.shape or (0,))[1:]
    return math.prod(sizes) if all(isinstance(size, int) for size in sizes) else 0
