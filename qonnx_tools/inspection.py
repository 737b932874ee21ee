"""What is in a model: layers, formats, bits, multiplications and sizes."""

import os
from dataclasses import dataclass
from typing import Any

import onnx

from qonnx_tools.arithmetic.formats import Format
from qonnx_tools.graph import Model, from_proto, gs, load, nodes, op_of
from qonnx_tools.quantizers import quantizer_of
from qonnx_tools.topology import Layer, layers

FLOAT_BITS = 32


@dataclass(frozen=True)
class TensorFormat:
    """A quantized tensor: its name, format and rounding rule."""

    name: str
    format: Format
    rounding: str


@dataclass(frozen=True)
class LayerReport:
    """A weighted layer. Bits are None where a tensor is in float or absent; ``macs`` are those of one image."""

    name: str
    op: str
    weight_shape: tuple[int, ...]
    weight_kind: str | None
    weight_bits: int | None
    bias_bits: int | None
    input_bits: int | None
    output_bits: int | None
    macs: int | None


@dataclass(frozen=True)
class Inspection:
    """A whole model.

    ``weight_bits_float`` and ``weight_bits_stored`` are the sizes of all weights and biases of the layers as float32
    and in their formats, in bits. ``macs`` leaves out layers whose size is not known. ``operators`` counts nodes.
    """

    opset: int
    ir_version: int
    producer: str
    inputs: dict[str, list[int | str | None]]
    outputs: dict[str, list[int | str | None]]
    operators: dict[str, int]
    layers: tuple[LayerReport, ...]
    tensors: tuple[TensorFormat, ...]
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
    graph = model.graph
    formats = _formats(graph)
    reports = tuple(_report(layer, formats) for layer in layers(graph, _through))
    sizes = {tensor.name: tensor.values.size for tensor in graph.tensors().values() if isinstance(tensor, gs.Constant)}
    stored = {name: sizes[name] for layer in layers(graph, _through) for name in (layer.weight, layer.bias) if name}
    operators: dict[str, int] = {}
    for node in nodes(graph):
        operators[op_of(node)] = operators.get(op_of(node), 0) + 1
    return Inspection(
        opset=model.opset,
        ir_version=model.carried.model.ir_version,
        producer=model.carried.model.producer_name,
        inputs={tensor.name: list(tensor.shape or ()) for tensor in graph.inputs},
        outputs={tensor.name: list(tensor.shape or ()) for tensor in graph.outputs},
        operators=operators,
        layers=reports,
        tensors=tuple(formats.values()),
        macs=sum(report.macs or 0 for report in reports),
        weights=sum(stored.values()),
        weight_bits_float=FLOAT_BITS * sum(stored.values()),
        weight_bits_stored=sum(
            size * (formats[name].format.bits if name in formats else FLOAT_BITS) for name, size in stored.items()
        ),
    )


def _formats(graph: gs.Graph) -> dict[str, TensorFormat]:
    """Return the formats of quantized tensors by the name of the tensor that the quantizer reads."""
    found = {}
    for node in nodes(graph):
        quantizer = quantizer_of(node)
        if quantizer is not None:
            name = node.inputs[0].name
            found[name] = TensorFormat(name, quantizer.format, quantizer.rounding)
    return found


def _through(tensor: Any) -> Any:
    """Return what ``tensor`` was quantized from, or itself."""
    maker = tensor.inputs[0] if tensor.inputs else None
    return maker.inputs[0] if maker is not None and quantizer_of(maker) is not None else tensor


def _report(layer: Layer, formats: dict[str, TensorFormat]) -> LayerReport:
    def bits(name: str | None) -> int | None:
        return formats[name].format.bits if name in formats else None

    inputs = [bits(name) for name in layer.sources]
    return LayerReport(
        name=layer.node,
        op=layer.op,
        weight_shape=layer.weight_shape,
        weight_kind=formats[layer.weight].format.kind if layer.weight in formats else None,
        weight_bits=bits(layer.weight),
        bias_bits=bits(layer.bias),
        input_bits=None if None in inputs else max(item for item in inputs if item is not None),
        output_bits=bits(layer.result),
        macs=layer.macs,
    )
