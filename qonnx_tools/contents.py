"""What the nodes of a model say of its layers, formats and activations: quantizers on floats, ops on codes."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qonnx_tools.arithmetic.formats import Format
from qonnx_tools.cost import LayerWork, Stored, Work
from qonnx_tools.feature_maps import kept_maps
from qonnx_tools.graph import Model, constant_value, consumers, gs, is_constant, nodes, op_of, producer
from qonnx_tools.ops import DOMAIN
from qonnx_tools.origin import Origin, origin_of
from qonnx_tools.plan import Role, TensorPlan
from qonnx_tools.quantizers import quantizer_of
from qonnx_tools.topology import Layer, layers
from qonnx_tools.units import Unit, unit_of
from qonnx_tools.workload import FLOAT_BITS, common_bits, elements


@dataclass(frozen=True)
class TensorFormat:
    """A quantized tensor: its name, format and rounding rule."""

    name: str
    format: Format
    rounding: str


@dataclass(frozen=True)
class LayerReport:
    """A weighted layer. Bits are None where a tensor is in float or absent; ``macs`` are those of one image.

    ``accumulator_bits`` is the width of the accumulator in a native graph, ``safe_accumulator_bits`` the smallest that
    no input overflows: where that is larger, sums can wrap. ``unit`` is what a native layer asks of the unit that
    computes its sums. ``biases`` and ``outputs`` count numbers, the latter those of one image, 0 where a size is not
    known.
    """

    name: str
    op: str
    weight_shape: tuple[int, ...]
    weight_kind: str | None
    weight_bits: int | None
    bias_bits: int | None
    input_bits: int | None
    output_bits: int | None
    accumulator_bits: int | None
    safe_accumulator_bits: int | None
    macs: int | None
    biases: int = 0
    outputs: int = 0
    unit: Unit | None = None


class Contents:
    """The layers and formats of a model: of quantizers on floats, and of ops on codes with what they say of both.

    Attributes:
        formats: of quantized tensors, by the name of the tensor in float.
        maps: how many numbers of one image the activations among them have.
        origins: what nodes on codes stand for, by their name.
        in_float: the layers that compute floats, by the name of their node.
        sizes: how many numbers the weights and biases of the layers have, by name.
    """

    def __init__(self, model: Model) -> None:
        self.graph = model.graph
        self.formats: dict[str, TensorFormat] = {}
        self.maps: dict[str, int] = {}
        self.origins: dict[str, Origin] = {}
        for node in nodes(self.graph):
            origin, quantizer = origin_of(model, node), quantizer_of(node)
            if origin is not None:
                self.origins[node.name] = origin
                lines = [item for part in origin.parts for item in part.tensors.items()]
                self.formats |= {name: _tensor_format(name, line) for name, line in lines}
                made = [name for name, line in lines if line.role is Role.ACTIVATION]
                self.maps |= dict.fromkeys(made, elements(node.outputs[0]))
            elif quantizer is not None:
                name = node.inputs[0].name
                self.formats[name] = TensorFormat(name, quantizer.format, quantizer.rounding)
                if not is_constant(node.inputs[0]):
                    self.maps[name] = elements(node.outputs[0])
        self.in_float = {layer.node: layer for layer in layers(self.graph, self._source)}
        tensors = self.graph.tensors()
        stored = [name for layer in self.in_float.values() for name in (layer.weight, layer.bias) if name]
        self.sizes = {name: int(np.size(constant_value(tensors[name]))) for name in stored}
        for origin in self.origins.values():
            if origin.first(Role.WEIGHT):
                names = [name for name in (origin.first(Role.WEIGHT), origin.first(Role.BIAS)) if name]
                self.sizes |= {name: math.prod(origin.shapes.get(name, ())) for name in names}

    def bits(self, name: str | None) -> int | None:
        """Return the width of a quantized tensor."""
        return self.formats[name].format.bits if name in self.formats else None

    def reports(self) -> Iterator[LayerReport]:
        """Yield the layers in topological order, each once: a result in two formats is rounded by two nodes."""
        seen: set[str] = set()
        for node in nodes(self.graph):
            origin, layer = self.origins.get(node.name), self.in_float.get(node.name)
            if layer is not None:
                yield self._of_floats(layer)
            elif origin is not None and origin.first(Role.WEIGHT) and origin.node not in seen:
                seen.add(origin.node)
                yield self._of_codes(node, origin)

    def _of_floats(self, layer: Layer) -> LayerReport:
        return LayerReport(
            name=layer.node,
            op=layer.op,
            weight_shape=layer.weight_shape,
            weight_kind=self.formats[layer.weight].format.kind if layer.weight in self.formats else None,
            weight_bits=self.bits(layer.weight),
            bias_bits=self.bits(layer.bias),
            input_bits=self._common_bits(layer.sources),
            output_bits=self.bits(layer.result),
            accumulator_bits=None,
            safe_accumulator_bits=None,
            macs=layer.macs,
            biases=self.sizes.get(layer.bias or "", 0),
            outputs=elements(self.graph.tensors()[layer.output]),
        )

    def _of_codes(self, node: gs.Node, origin: Origin) -> LayerReport:
        weight = origin.first(Role.WEIGHT) or ""
        accumulator_bits = node.attrs.get("accumulator_bits")
        return LayerReport(
            name=origin.node,
            op=node.op,
            weight_shape=origin.shapes.get(weight, ()),
            weight_kind=origin.tensors[weight].format.kind,
            weight_bits=self.bits(weight),
            bias_bits=self.bits(origin.first(Role.BIAS)),
            input_bits=origin.reads[0].bits if origin.reads else None,
            output_bits=self.bits(self._result_of(node, origin)),
            accumulator_bits=accumulator_bits,
            safe_accumulator_bits=origin.safe_accumulator_bits or accumulator_bits,
            macs=origin.macs,
            biases=self.sizes.get(origin.first(Role.BIAS) or "", 0),
            outputs=elements(node.outputs[0]),
            unit=unit_of(node, origin),
        )

    def _result_of(self, node: gs.Node, origin: Origin) -> str | None:
        """Return the activation that a layer makes, behind an addition in the same node or units that read its sums."""
        made = [name for part in origin.parts if (name := part.first(Role.ACTIVATION))]
        readers = consumers(node.outputs[0])
        if not made and len(readers) == 1 and readers[0].name in self.origins:
            behind = readers[0]
            if op_of(behind) in (f"{DOMAIN}::Affine", f"{DOMAIN}::FixedAdd"):
                return self._result_of(behind, self.origins[behind.name])
        return made[0] if made else None

    def work(self, reports: Sequence[LayerReport]) -> Work:
        """Return what the layers and activations are as work."""
        return Work(
            layers=tuple(map(_layer_work, reports)),
            maps=tuple(Stored(name, count, self.formats[name].format.bits) for name, count in self.maps.items()),
            kept=kept_maps(self.graph, self._map),
            normalizations=tuple(self._normalizations()),
        )

    def _normalizations(self) -> Iterator[Stored]:
        """Yield the constants of batch normalizations, each once."""
        sizes: dict[str, int] = {}
        for origin in self.origins.values():
            for part in origin.parts:
                names = [name for name, line in part.tensors.items() if line.role is Role.BATCH_NORM]
                sizes |= {name: math.prod(part.shapes.get(name, ())) for name in names}
        for node in nodes(self.graph, "BatchNormalization"):
            for tensor in list(node.inputs)[1:3]:
                source = self._source(tensor)
                sizes[source.name] = math.prod(source.shape or ())
        for name, size in sizes.items():
            yield Stored(name, size, self.bits(name) or FLOAT_BITS)

    def _map(self, tensor: Any) -> str | None:
        """Return the activation that ``tensor`` holds as quantized numbers."""
        maker = producer(tensor)
        if maker is None:
            return None
        if maker.name in self.origins:
            return self.origins[maker.name].parts[-1].first(Role.ACTIVATION)
        name = maker.inputs[0].name if quantizer_of(maker) is not None else None
        return name if name in self.maps else None

    def _common_bits(self, names: Sequence[str]) -> int | None:
        """Return the width of the codes that hold the values of all these tensors; None where one is in float."""
        if not names or any(name not in self.formats for name in names):
            return None
        return common_bits(self.formats[name].format for name in names)

    def _source(self, tensor: Any) -> Any:
        """Return what ``tensor`` was quantized from, or itself; of codes made float, what those stand for."""
        maker = producer(tensor)
        if maker is not None and quantizer_of(maker) is not None:
            return maker.inputs[0]
        if maker is None or op_of(maker) != f"{DOMAIN}::Dequantize":
            return tensor
        while maker is not None:
            origin = self.origins.get(maker.name)
            name = None if origin is None else origin.parts[-1].first(Role.ACTIVATION)
            if name is not None:
                return gs.Variable(name, dtype=np.float32)
            if quantizer_of(maker) is not None:
                return maker.inputs[0]
            maker = producer(maker.inputs[0])
        return tensor


def _tensor_format(name: str, line: TensorPlan) -> TensorFormat:
    roundings = list(line.format.roundings)
    return TensorFormat(name, line.format, roundings[line.format.rounding_code(line.rounding)])


def _layer_work(report: LayerReport) -> LayerWork:
    macs, unit = report.macs or 0, report.unit
    steps = unit.steps if unit is not None else None
    tables = (None, None) if unit is None else (unit.weight_table, unit.input_table)
    weight_places, input_places = ((len(table) - 1) // (steps or 1) + 1 if table else None for table in tables)
    return LayerWork(
        name=report.name,
        macs=macs,
        fan_in=max(1, macs // report.outputs) if report.outputs else 1,
        weights=math.prod(report.weight_shape),
        biases=report.biases,
        weight_bits=report.weight_bits or FLOAT_BITS,
        bias_bits=report.bias_bits or FLOAT_BITS,
        input_bits=report.input_bits or FLOAT_BITS,
        output_bits=report.output_bits,
        weight_places=weight_places,
        input_places=input_places,
        accumulator_bits=report.accumulator_bits,
        weight_steps=steps,
    )
