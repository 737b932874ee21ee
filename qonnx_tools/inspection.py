"""What is in a model: layers, formats, bits, multiplications and sizes."""

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from qonnx_tools.arithmetic.fixed_point import FixedPoint, common_grid
from qonnx_tools.arithmetic.formats import Format
from qonnx_tools.graph import Model, constant_value, from_proto, gs, load, nodes, op_of, producer
from qonnx_tools.ops import DOMAIN
from qonnx_tools.origin import Origin, origin_of
from qonnx_tools.plan import Role, TensorPlan
from qonnx_tools.quantizers import quantizer_of
from qonnx_tools.topology import Layer, layers
from qonnx_tools.units import Unit, UnitReport, unit_of, units

FLOAT_BITS = 32


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
    computes its sums.
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
    unit: Unit | None = None


@dataclass(frozen=True)
class Inspection:
    """A whole model.

    ``weight_bits_float`` and ``weight_bits_stored`` are the sizes of all weights and biases of the layers as float32
    and in their formats, in bits. ``macs`` leaves out layers whose size is not known. ``operators`` counts nodes;
    ``affine_units`` those that multiply and add a channel on their own, ``tables`` those that look codes up in a table,
    and ``table_entries`` what these hold together. ``units`` are the arithmetic units of a native graph: as one unit
    serves all layers that ask for the same, their number is how many the accelerator needs.
    """

    opset: int
    ir_version: int
    producer: str
    inputs: dict[str, list[int | str | None]]
    outputs: dict[str, list[int | str | None]]
    operators: dict[str, int]
    layers: tuple[LayerReport, ...]
    units: tuple[UnitReport, ...]
    tensors: tuple[TensorFormat, ...]
    affine_units: int
    tables: int
    table_entries: int
    macs: int
    weights: int
    weight_bits_float: int
    weight_bits_stored: int


def inspect(model: str | os.PathLike[str] | onnx.ModelProto | Model) -> Inspection:
    """Return what ``model`` consists of; it is read, not changed.

    Raises ``ModelError`` where it cannot be read.
    """
    if isinstance(model, onnx.ModelProto):
        model = from_proto(model)
    elif not isinstance(model, Model):
        model = load(model)
    contents = _Contents(model)
    graph, sizes = model.graph, contents.sizes
    operators: dict[str, int] = {}
    for node in nodes(graph):
        operators[op_of(node)] = operators.get(op_of(node), 0) + 1
    reports = tuple(contents.reports())
    tables = [constant_value(node.inputs[1]).size for node in nodes(graph, f"{DOMAIN}::Lookup")]
    return Inspection(
        opset=model.opset,
        ir_version=model.carried.model.ir_version,
        producer=model.carried.model.producer_name,
        inputs={tensor.name: list(tensor.shape or ()) for tensor in graph.inputs},
        outputs={tensor.name: list(tensor.shape or ()) for tensor in graph.outputs},
        operators=operators,
        layers=reports,
        units=units(
            (report.name, report.unit, report.accumulator_bits or 0) for report in reports if report.unit is not None
        ),
        tensors=tuple(contents.formats.values()),
        affine_units=operators.get(f"{DOMAIN}::Affine", 0),
        tables=len(tables),
        table_entries=sum(tables),
        macs=sum(report.macs or 0 for report in reports),
        weights=sum(sizes.values()),
        weight_bits_float=FLOAT_BITS * sum(sizes.values()),
        weight_bits_stored=sum(
            size * (FLOAT_BITS if bits is None else bits)
            for size, bits in ((size, contents.bits(name)) for name, size in sizes.items())
        ),
    )


class _Contents:
    """The layers and formats of a model: of quantizers on floats, and of ops on codes with what they say of both.

    Attributes:
        formats: of quantized tensors, by the name of the tensor in float.
        origins: what nodes on codes stand for, by their name.
        in_float: the layers that compute floats, by the name of their node.
        sizes: how many numbers the weights and biases of the layers have, by name.
    """

    def __init__(self, model: Model) -> None:
        self.graph = model.graph
        self.formats: dict[str, TensorFormat] = {}
        self.origins: dict[str, Origin] = {}
        for node in nodes(self.graph):
            origin, quantizer = origin_of(model, node), quantizer_of(node)
            if origin is not None:
                self.origins[node.name] = origin
                lines = [item for part in origin.parts for item in part.tensors.items()]
                self.formats |= {name: _tensor_format(name, line) for name, line in lines}
            elif quantizer is not None:
                name = node.inputs[0].name
                self.formats[name] = TensorFormat(name, quantizer.format, quantizer.rounding)
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
            output_bits=self.bits(origin.first(Role.ACTIVATION)),
            accumulator_bits=accumulator_bits,
            safe_accumulator_bits=origin.safe_accumulator_bits or accumulator_bits,
            macs=origin.macs,
            unit=unit_of(node, origin),
        )

    def _common_bits(self, names: Sequence[str]) -> int | None:
        """Return the width of the codes that hold the values of all these tensors; None where one is in float."""
        if any(name not in self.formats for name in names):
            return None
        formats = {self.formats[name].format for name in names}
        fixed = [of for of in formats if isinstance(of, FixedPoint)]
        if len(formats) > 1 and len(fixed) == len(formats):
            return common_grid(fixed)[0]
        return max((of.bits for of in formats), default=None)

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
            maker = producer(maker.inputs[0])
        return tensor


def _tensor_format(name: str, line: TensorPlan) -> TensorFormat:
    roundings = list(line.format.roundings)
    return TensorFormat(name, line.format, roundings[line.format.rounding_code(line.rounding)])
