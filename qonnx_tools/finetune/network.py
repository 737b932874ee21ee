"""A quantized graph as a PyTorch module: what the graph computes, with everything in it that can be trained."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from qonnx_tools.finetune.feature_maps import FeatureMap
from qonnx_tools.finetune.normalization import Normalization
from qonnx_tools.finetune.quantizers import FormatQuantizer
from qonnx_tools.finetune.weights import Weights

if TYPE_CHECKING:
    from qonnx_tools.finetune.selection import Selection

Values = dict[str, Tensor]


@dataclass(frozen=True)
class Step:
    """One node: what computes it from the values known so far, what it makes, and what nobody reads after it."""

    run: Callable[[Values], Any]
    makes: tuple[str, ...]
    done: tuple[str, ...] = ()


class Student(nn.Module):
    """A network of :class:`Step`; made by :func:`qonnx_tools.finetune.building.student_of`.

    Modules are known by the number of the tensor or node, as their names may not hold dots; ``names`` has it.
    """

    def __init__(self, entry: str, result: str) -> None:
        super().__init__()
        self.entry, self.result = entry, result
        self.names: dict[str, str] = {}
        self.weights, self.quantizers = nn.ModuleDict(), nn.ModuleDict()
        self.normalizations, self.maps = nn.ModuleDict(), nn.ModuleDict()
        self.selections: list[Selection] = []
        """Of the channels of feature maps."""
        self.steps: tuple[Step, ...] = ()

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of the graph, ``[N, ...]``, for its input."""
        values: Values = {self.entry: x}
        for step in self.steps:
            made = step.run(values)
            values.update(zip(step.makes, made if len(step.makes) > 1 else [made], strict=True))
            for name in step.done:
                del values[name]
        return values[self.result]

    def key(self, name: str) -> str:
        """Return the name under which modules know a tensor or node."""
        return self.names.setdefault(name, f"at{len(self.names)}")

    def each_weights(self) -> Iterator[tuple[str, Weights]]:
        """Yield the trained constants by tensor name."""
        return ((name, self.weights[key]) for name, key in self.names.items() if key in self.weights)  # type: ignore[misc]

    def each_activation(self) -> Iterator[tuple[str, FormatQuantizer]]:
        """Yield the quantizers of activations by tensor name."""
        return ((name, self.quantizers[key]) for name, key in self.names.items() if key in self.quantizers)  # type: ignore[misc]

    def each_normalization(self) -> Iterator[tuple[str, Normalization]]:
        """Yield the batch normalizations by the name of their node."""
        return ((name, self.normalizations[key]) for name, key in self.names.items() if key in self.normalizations)  # type: ignore[misc]

    def each_map(self) -> Iterator[tuple[str, FeatureMap]]:
        """Yield the compressed feature maps by tensor name."""
        return ((name, self.maps[key]) for name, key in self.names.items() if key in self.maps)  # type: ignore[misc]

    def each_quantizer(self) -> Iterator[FormatQuantizer]:
        """Yield every quantizer."""
        return (module for module in self.modules() if isinstance(module, FormatQuantizer))

    def freeze_statistics(self, *, frozen: bool) -> None:
        """Let batch normalizations compute with their running statistics, or with those of each batch."""
        for _, unit in self.each_normalization():
            unit.frozen = frozen

    @contextmanager
    def in_float(self) -> Iterator[None]:
        """Compute without quantization for a while."""
        everything: list[Any] = [*self.each_quantizer(), *(found for _, found in self.each_map())]
        for module in everything:
            module.active = False
        try:
            yield
        finally:
            for module in everything:
                module.active = True

    @contextmanager
    def as_exported(self) -> Iterator[None]:
        """Compute for a while what the integer graph does: with running statistics, and no width but the plan's."""
        widths = [(quantizer, quantizer.wider) for quantizer in self.each_quantizer()]
        states = [(unit, unit.frozen) for _, unit in self.each_normalization()]
        was_training = self.training
        self.eval()
        self.freeze_statistics(frozen=True)
        for quantizer, _ in widths:
            quantizer.wider = 0
        try:
            yield
        finally:
            self.train(was_training)
            for quantizer, wider in widths:
                quantizer.wider = wider
            for unit, frozen in states:
                unit.frozen = frozen
