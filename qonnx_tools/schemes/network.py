"""A network as a scheme sees it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from qonnx_tools.histogram import Histogram
from qonnx_tools.plan import TensorPlan
from qonnx_tools.topology import Layer, Normalization


@dataclass(frozen=True)
class Network:
    """A canonical network, and what calibration saw of its activations.

    ``values`` holds the weights, biases and other constants by tensor name; ``histograms`` the activations to
    quantize, in graph order; ``constants`` names the constant operands of elementwise operators, ``joined`` the
    groups of activations that one wire carries side by side (Concat), which therefore share a format, and
    ``normalizations`` the batch normalizations that are not folded. ``entries`` are the inputs of the graph, and
    ``read_by_layers_alone`` the activations that nothing else computes with. ``given`` holds the formats of weights
    and activations that are chosen already.
    """

    layers: tuple[Layer, ...]
    constants: tuple[str, ...]
    values: Mapping[str, npt.NDArray[np.float32]]
    histograms: Mapping[str, Histogram]
    joined: tuple[tuple[str, ...], ...] = ()
    normalizations: tuple[Normalization, ...] = ()
    entries: frozenset[str] = frozenset()
    read_by_layers_alone: frozenset[str] = frozenset()
    given: Mapping[str, TensorPlan] = field(default_factory=dict)

    @property
    def names(self) -> set[str]:
        """Every layer, batch normalization and tensor that a format or an option can be for."""
        names = {name for layer in self.layers for name in (layer.node, layer.weight, layer.bias) if name}
        names |= {name for unit in self.normalizations for name in (unit.node, unit.scale, unit.offset)}
        return names | {*self.histograms, *self.constants}

    def wire(self, name: str) -> tuple[str, ...]:
        """Return the activations that share the format of the activation ``name``, itself among them."""
        return tuple(item for item in self._partners.get(name, (name,)) if item in self.histograms)

    @cached_property
    def left_for_batch_norm(self) -> frozenset[str]:
        """What layers leave for batch-norm units, which read it in a format of their own."""
        results = {layer.output for layer in self.layers}
        return frozenset(name for unit in self.normalizations for name in unit.sources if name in results)

    @cached_property
    def _partners(self) -> Mapping[str, tuple[str, ...]]:
        return {name: group for group in self.joined for name in group}
