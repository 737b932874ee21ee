"""A quantized network cut at its feature maps: the codes of each, and what others in their place do to the outputs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.divergence import divergence
from qonnx_tools.errors import ConfigError
from qonnx_tools.graph import Model, constant_value, consumers, gs, is_constant, nodes, part_model
from qonnx_tools.ops import DOMAIN, DOMAIN_VERSION
from qonnx_tools.quantizers import quantizer_of
from qonnx_tools.runtime import run, session

BATCH = 64
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class CutMap:
    """A feature map of some images: the ``codes`` ``[N, C, H, W]`` in their ``format``, and the network behind it."""

    name: str
    format: FixedPoint
    codes: npt.NDArray[np.integer]
    tail: "Tail"

    def damage(self, codes: npt.NDArray[np.integer]) -> float:
        """Return the mean divergence of the outputs where the map holds other codes."""
        return self.tail.damage(np.asarray(self.format.decode(codes), np.float32))

    def error(self, codes: npt.NDArray[np.integer]) -> float:
        """Return the mean squared change of the outputs where the map holds other codes."""
        return self.tail.error(np.asarray(self.format.decode(codes), np.float32))


class Tail:
    """The part of a network that depends on one tensor, to be run on other values of it."""

    def __init__(self, model: Model, start: str, order: Sequence[gs.Node]) -> None:
        self._model, self._start = model, start
        self._output = model.graph.outputs[0].name
        reached = {start}
        self._part: list[gs.Node] = []
        for node in order:
            if any(tensor.name in reached for tensor in node.inputs):
                reached.update(tensor.name for tensor in node.outputs)
                self._part.append(node)
        read = {tensor.name: tensor for node in self._part for tensor in node.inputs if not tensor.is_empty()}
        self._beside = {name: tensor for name, tensor in read.items() if name not in reached}
        self._values: dict[str, Array] = {}
        self._reference: Array = np.empty(0)

    @property
    def reads(self) -> list[str]:
        """The other tensors that the part reads and that depend on the image."""
        return [name for name, tensor in self._beside.items() if not is_constant(tensor) and not _of_constants(tensor)]

    def feed(self, values: Mapping[str, Array], reference: Array) -> None:
        """Give the values of what the part reads beside, and the outputs to compare with."""
        self._values = {name: values[name] for name in self.reads}
        self._reference = reference

    def damage(self, values: npt.NDArray[np.float32]) -> float:
        """Return the mean divergence of the outputs with ``values``."""
        return max(0.0, divergence([self._reference], [self._outputs(values)]))

    def error(self, values: npt.NDArray[np.float32]) -> float:
        """Return the mean squared change of the outputs with ``values``; of logits, without what moves all alike."""
        change = self._outputs(values).astype(np.float64) - self._reference
        if change.ndim == 2:
            change -= change.mean(axis=1, keepdims=True)
        return float(np.square(change).mean())

    def _outputs(self, values: npt.NDArray[np.float32]) -> Array:
        given = {self._start: values, **self._values}
        size = self._model.graph.inputs[0].shape[0]
        batch = size if isinstance(size, int) else BATCH
        found = []
        for at in range(0, len(values), batch):
            fed = {name: each[at : at + batch] for name, each in given.items()}
            count = len(fed[self._start])
            if isinstance(size, int) and count < size:  # the network may hold its batch size: fill up, and drop again
                fed = {name: np.concatenate([each, each[-1:].repeat(size - count, 0)]) for name, each in fed.items()}
            found.append(self._runner.run([self._output], fed)[0][:count])
        return np.concatenate(found)

    @cached_property
    def _runner(self) -> Any:
        constants = {name: constant_value(tensor) for name, tensor in self._beside.items() if is_constant(tensor)}
        before = [
            tensor.inputs[0] for tensor in self._beside.values() if not is_constant(tensor) and _of_constants(tensor)
        ]
        for node in before:
            constants |= {tensor.name: constant_value(tensor) for tensor in node.inputs if not tensor.is_empty()}
        inputs = {self._start: np.empty(self._shape(self._start), np.float32)}
        inputs |= {name: values[:1] for name, values in self._values.items()}
        opsets = {DOMAIN: DOMAIN_VERSION, **self._model.opsets}
        return session(part_model([*before, *self._part], inputs, [self._output], opsets, constants))

    def _shape(self, name: str) -> tuple[int, ...]:
        return tuple(size if isinstance(size, int) else 1 for size in self._model.graph.tensors()[name].shape)


def cut(quantized: Model, names: Iterable[str], images: npt.NDArray[np.float32]) -> dict[str, CutMap]:
    """Return the feature maps ``names`` of a graph of quantizers on ``images``, each with the network behind it."""
    tensors, order = quantized.graph.tensors(), list(nodes(quantized.graph))
    held = {name: _quantizer(tensors[name]) for name in names}
    tails = {name: Tail(quantized, node.outputs[0].name, order) for name, (node, _) in held.items()}
    wanted = [node.outputs[0].name for node, _ in held.values()]
    wanted += [name for tail in tails.values() for name in tail.reads]
    entry = quantized.graph.inputs[0].name
    output = quantized.graph.outputs[0].name
    asked = [*dict.fromkeys(name for name in (*wanted, output) if name != entry)]
    runner = session(quantized, outputs=asked)
    parts = [run(runner, images[at : at + BATCH], asked) for at in range(0, len(images), BATCH)]
    values = {name: np.concatenate([part[at] for part in parts]) for at, name in enumerate(asked)} | {entry: images}
    found = {}
    for name, (node, of) in held.items():
        tails[name].feed(values, values[output])
        codes = of.encode(values[node.outputs[0].name]).astype(of.carrier)
        found[name] = CutMap(name, of, codes, tails[name])
    return found


def _quantizer(tensor: Any) -> tuple[gs.Node, FixedPoint]:
    for node in consumers(tensor):
        quantizer = quantizer_of(node)
        if quantizer is not None and isinstance(quantizer.format, FixedPoint):
            return node, quantizer.format
    raise ConfigError(f"feature map '{tensor.name}' has no fixed-point format; give it one in the plan")


def _of_constants(tensor: Any) -> bool:
    """Tell whether ``tensor`` is made of constants, as a quantized weight is."""
    return bool(tensor.inputs) and all(is_constant(item) for item in tensor.inputs[0].inputs)
