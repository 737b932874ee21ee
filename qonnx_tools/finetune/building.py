"""From a graph of quantizers to the module that is trained."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from qonnx_tools.arithmetic.wavelet import Wavelet
from qonnx_tools.errors import ConfigError
from qonnx_tools.feature_map_plan import FeatureMapPlan
from qonnx_tools.finetune.feature_maps import FeatureMap
from qonnx_tools.finetune.network import Step, Student, Values
from qonnx_tools.finetune.normalization import Mode, Normalization, along_channels
from qonnx_tools.finetune.operators import Operator, operator_of
from qonnx_tools.finetune.quantizers import quantizer_for
from qonnx_tools.finetune.selection import Member, Selection
from qonnx_tools.finetune.weights import Weights
from qonnx_tools.graph import Model, constant_value, gs, is_constant, nodes, op_of, sole_consumer
from qonnx_tools.plan import Plan, Role
from qonnx_tools.quantizers import quantizer_of

Operand = Callable[[Values], Any]


def student_of(
    quantized: Model, plan: Plan, *, learn_scales: bool, retain: float | None = None, together: bool = True
) -> Student:
    """Return the module that computes what a graph of the quantizers of ``plan`` does.

    Args:
        quantized: the graph, with its feature maps not yet compressed.
        plan: constants that it gives a format are trained, others are not; it says which feature maps are compressed.
        learn_scales: whether scales of weights and activations are trained.
        retain: the share of compressed maps that keeps its finest bands, where it is learned which channels do.
        together: whether it is a share of all maps, or of each.

    Raises:
        ConfigError: maps without a wavelet are more than the share to retain, or their size is not known.
        UnsupportedError: an operator is not trained through.
    """
    builder = _Builder(quantized.graph, plan, learn_scales=learn_scales, retain=retain, together=together)
    return builder.build()


class _Builder:
    def __init__(
        self, graph: gs.Graph, plan: Plan, *, learn_scales: bool, retain: float | None, together: bool
    ) -> None:
        self.graph, self.plan, self.learns = graph, plan, learn_scales
        self.retain, self.together = retain, together
        self.student = Student(graph.inputs[0].name, graph.outputs[0].name)
        self.trained: dict[str, Weights] = {}
        """By the name of the quantized tensor."""

    def build(self) -> Student:
        student = self.student
        made = [(step, reads) for node in nodes(self.graph) for step, reads in self._visit(node)]
        last = {name: at for at, (_, reads) in enumerate(made) for name in reads}
        last.pop(student.result, None)
        student.steps = tuple(
            replace(step, done=tuple(name for name in dict.fromkeys(reads) if last.get(name) == at))
            for at, (step, reads) in enumerate(made)
        )
        for selection in student.selections:
            selection.begin()
        return student

    def _visit(self, node: gs.Node) -> Iterator[tuple[Step, list[str]]]:
        makes = tuple(tensor.name for tensor in node.outputs if not tensor.is_empty())
        if quantizer_of(node) is None:
            run = self._special(node) or _plain(node, operator_of(node, op_of(node)), self._operands(node))
            yield Step(run, makes), [tensor.name for tensor in node.inputs if self._flows(tensor)]
        elif is_constant(node.inputs[0]):
            self._add_weights(node)
        else:
            yield Step(self._quantizer(node), makes), [node.inputs[0].name]

    def _flows(self, tensor: Any) -> bool:
        return not tensor.is_empty() and not is_constant(tensor) and tensor.name not in self.trained

    def _add_weights(self, node: gs.Node) -> None:
        name, value = node.inputs[0].name, constant_value(node.inputs[0])
        plan = self.plan.tensors[name]
        quantizer = quantizer_for(plan, value.ndim, learns=self.learns and plan.role is Role.WEIGHT)
        weights = Weights(torch.tensor(value), quantizer)
        self.student.weights[self.student.key(name)] = weights
        self.trained[node.outputs[0].name] = weights

    def _quantizer(self, node: gs.Node) -> Callable[[Values], Tensor]:
        source = node.inputs[0]
        plan, student = self.plan.tensors[source.name], self.student
        quantizer = quantizer_for(plan, len(source.shape), learns=self.learns)
        student.quantizers[student.key(source.name)] = quantizer
        if source.name not in self.plan.feature_maps:
            return lambda values: quantizer(values[source.name])
        compressed = self.plan.feature_maps[source.name]
        stored = FeatureMap(compressed, quantizer, int(source.shape[1]), self._member(source, compressed))
        student.maps[student.key(source.name)] = stored
        return lambda values: stored(quantizer(values[source.name]))

    def _member(self, source: Any, compressed: FeatureMapPlan) -> Member | None:
        """Return the part of a feature map in the learned choice of channels, or None."""
        if self.retain is None:
            return None
        _, channels, *sides = source.shape
        if not all(isinstance(side, int) for side in sides):
            raise ConfigError(
                f"retain: the size of the feature map '{source.name}' is not known; fix that of the input"
            )
        if not self.together and compressed.transform not in list(Wavelet):
            raise ConfigError(
                f"retain: the feature map '{source.name}' has the transform {compressed.transform}, without bands to "
                "drop; take a wavelet for it, or choose from all maps"
            )
        if not (self.together and self.student.selections):
            self.student.selections.append(Selection(self.retain))
        return self.student.selections[-1].join(compressed, channels, math.prod(sides))

    def _operands(self, node: gs.Node) -> list[Operand]:
        return [self._operand(tensor) for tensor in node.inputs]

    def _operand(self, tensor: Any) -> Operand:
        if tensor.is_empty():
            return lambda _: None
        if tensor.name in self.trained:
            weights = self.trained[tensor.name]
            return lambda _: weights()
        if is_constant(tensor):
            return self._constant(constant_value(tensor))
        name = str(tensor.name)
        return lambda values: values[name]

    def _constant(self, value: np.ndarray[Any, Any]) -> Operand:
        if value.dtype != np.float32:
            return lambda _: None  # sizes and indices: operators read them from the node
        student, key = self.student, f"constant{len(list(self.student.buffers(recurse=False)))}"
        student.register_buffer(key, torch.tensor(value), persistent=False)
        return lambda _: getattr(student, key)

    def _special(self, node: gs.Node) -> Callable[[Values], Tensor] | None:
        """Return what computes a batch normalization that trains or a Relu for codes without a sign, else None."""
        if op_of(node) == "Relu" and self._makes_no_sign(node.outputs[0]):
            return self._operand(node.inputs[0])  # its quantizer does the same, gradient included
        parameters = [self.trained.get(tensor.name) for tensor in list(node.inputs)[1:3]]
        if op_of(node) != "BatchNormalization" or None in parameters:
            return None
        scale, offset = (item for item in parameters if item is not None)
        unit = Normalization(scale.values().detach(), offset.values().detach())
        self.student.normalizations[self.student.key(node.name)] = unit
        return _unit(self._operand(node.inputs[0]), scale, offset, unit)

    def _makes_no_sign(self, tensor: Any) -> bool:
        """Tell whether all that reads ``tensor`` is a quantizer to numbers from 0 up."""
        reader = sole_consumer(tensor)
        quantizer = None if reader is None else quantizer_of(reader)
        return quantizer is not None and quantizer.format.code_range[0] == 0


def _plain(node: gs.Node, operator: Operator, operands: list[Operand]) -> Callable[[Values], Any]:
    return lambda values: operator(node, [operand(values) for operand in operands])


def _unit(x: Operand, scale: Weights, offset: Weights, unit: Normalization) -> Callable[[Values], Tensor]:
    """A batch normalization behind a layer: y = a z + b."""

    def run(values: Values) -> Tensor:
        z = x(values)
        if unit.by_batch:
            return unit.normalize(z)
        if unit.mode is Mode.OBSERVE:
            unit.observe(z)
        a, b = unit.affine()
        return torch.addcmul(along_channels(offset.quantized(b), z), z, along_channels(scale.quantized(a), z))

    return run
