"""The search of Goyal et al. on a network: its components, and the measurements that it asks for."""

from dataclasses import replace

import numpy as np

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.rounding import Rounding
from qonnx_tools.plan import Plan, TensorPlan
from qonnx_tools.search.joint import Measured
from qonnx_tools.search.sequential import (
    FIRST_BIAS_BITS,
    FIRST_BITS,
    Component,
    Formats,
    component_budgets,
    sequential,
)
from qonnx_tools.search.space import ACTIVATION, BIAS, WEIGHTS, Choice
from qonnx_tools.search.task import Task
from qonnx_tools.targets import NATIVE, SIMULATION

KINDS = (WEIGHTS, BIAS, ACTIVATION)
"""In the order in which they are searched."""


def search_one_by_one(task: Task) -> list[Measured]:
    """Return the plan at the end.

    Batch-norm constants that are not folded, which the paper leaves in float, have the scheme's formats all along.
    """
    joint, space = task.joint, task.space
    proposed = space.scheme.propose(space.network)
    choices = _choices(task)
    searched = {name for choice in choices for name in choice.tensors}
    others = {name: of for name, of in proposed.tensors.items() if name not in searched}

    def plan(formats: Formats) -> Plan:
        known = {**others, **{name: _tensor(proposed.tensors[name], of) for name, of in formats.items()}}
        return replace(proposed, tensors={name: known[name] for name in proposed.tensors if name in known})

    def loss(formats: Formats) -> float:
        target = NATIVE if searched <= formats.keys() else SIMULATION  # which has floats on the wires, but is slower
        return joint.measure_plan({}, plan(formats), target).loss

    formats: Formats = {}
    for done, formats in enumerate(sequential(_components(task), loss, task.most), 1):  # noqa: B007  # the last one
        task.report(f"tensor after tensor, {joint.evaluations} plans measured", done, len(choices))
    widths = {choice.key: formats[choice.tensors[0]].bits for choice in choices}
    return [joint.keep(joint.measure_plan(widths, plan(formats), NATIVE))]


def _tensor(proposed: TensorPlan, of: FixedPoint) -> TensorPlan:
    return TensorPlan(proposed.role, of, Rounding.HALF_EVEN)


def _choices(task: Task) -> list[Choice]:
    """Return the choices of weights and biases of layers, and of activations."""
    layers = {layer.node for layer in task.space.network.layers}
    return [choice for choice in task.space.choices if choice.kind == ACTIVATION or choice.name in layers]


def _components(task: Task) -> tuple[Component, ...]:
    choices = {kind: [choice for choice in _choices(task) if choice.kind == kind] for kind in KINDS}
    budgets = component_budgets(task.most, *(len(choices[kind]) for kind in KINDS))
    return tuple(
        Component(
            name="biases" if kind == BIAS else "activations" if kind == ACTIVATION else kind,
            groups=tuple(choice.tensors for choice in choices[kind]),
            largest=tuple(_largest(task, choice) for choice in choices[kind]),
            bits=FIRST_BIAS_BITS if kind == BIAS else FIRST_BITS,
            budgets=allowed,
        )
        for kind, allowed in zip(KINDS, budgets, strict=True)
    )


def _largest(task: Task, choice: Choice) -> float:
    """Return the largest magnitude of what a choice is for."""
    network = task.space.network
    if choice.kind == ACTIVATION:
        seen = [network.histograms[name] for name in choice.tensors]
        return max(max(-each.minimum, each.maximum) for each in seen)
    return max(float(np.abs(network.values[name]).max(initial=0.0)) for name in choice.tensors)
