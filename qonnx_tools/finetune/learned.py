"""What training taught, as a plan: formats with learned scales, and the values of constants."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from qonnx_tools.finetune.network import Student
from qonnx_tools.fitted import Fitted
from qonnx_tools.graph import gs, nodes
from qonnx_tools.plan import Plan
from qonnx_tools.schemes.addends import refitted
from qonnx_tools.topology import layers, normalizations

Values = npt.NDArray[np.float32]


def learned_plan(student: Student, plan: Plan, graph: gs.Graph) -> Plan:
    """Return ``plan`` with what ``student`` learned; ``graph`` is the network that plans are for, without quantizers.

    Biases and offsets lie on the grids of the learned formats.
    """
    tensors = dict(plan.tensors)
    for name, weights in student.each_weights():
        tensors[name] = replace(weights.quantizer.plan, format=weights.quantizer.format)
    for name, quantizer in student.each_activation():
        tensors[name] = replace(tensors[name], format=quantizer.format)
    values = learned_values(student, graph)
    maps = dict(plan.feature_maps) | {name: found.plan for name, found in student.each_map()}
    taught = replace(plan, tensors=tensors, feature_maps=maps, fitted=Fitted({**plan.fitted, **values}))
    return refitted(taught, values, layers(graph), normalizations(graph))


def settle_formats(student: Student, plan: Plan, graph: gs.Graph) -> None:
    """Give the constants of ``student`` the formats that their present values and scales ask for."""
    settled = learned_plan(student, plan, graph).tensors
    for name, weights in student.each_weights():
        if not weights.quantizer.exponent.requires_grad:
            weights.quantizer.set_plan(settled[name])


def learned_values(student: Student, graph: gs.Graph) -> dict[str, Values]:
    """Return the values of the trained constants, batch normalizations as a scale and an offset."""
    values = {
        name: weights.values().detach().cpu().numpy().astype(np.float32) for name, weights in student.each_weights()
    }
    found = {node.name: node for node in nodes(graph)}
    for name, unit in student.each_normalization():
        parameters = list(found[name].inputs)[1:3]
        for tensor, part in zip(parameters, unit.affine(), strict=True):
            values[tensor.name] = part.detach().cpu().numpy().astype(np.float32)
    return values
