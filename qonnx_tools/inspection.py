"""What is in a model: layers, formats, bits, multiplications and sizes."""

import os
from dataclasses import dataclass

import onnx

from qonnx_tools.contents import Contents, LayerReport, TensorFormat
from qonnx_tools.cost import Work
from qonnx_tools.graph import Model, constant_value, from_proto, load, nodes, op_of
from qonnx_tools.ops import DOMAIN
from qonnx_tools.round_trips import CompressedMap, compressed_maps
from qonnx_tools.units import UnitReport, units
from qonnx_tools.workload import FLOAT_BITS


@dataclass(frozen=True)
class Inspection:
    """A whole model.

    ``weight_bits_float`` and ``weight_bits_stored`` are the sizes of all weights and biases of the layers as float32
    and in their formats, in bits. ``macs`` leaves out layers whose size is not known. ``operators`` counts nodes;
    ``affine_units`` those that multiply and add a channel on their own, ``tables`` those that look codes up in a table,
    and ``table_entries`` what these hold together. ``units`` are the arithmetic units of a native graph: as one unit
    serves all layers that ask for the same, their number is how many the accelerator needs. ``work`` is what costs are
    computed of. ``compressed`` are the feature maps that are stored compressed.
    """

    opset: int
    ir_version: int
    producer: str
    inputs: dict[str, list[int | str | None]]
    outputs: dict[str, list[int | str | None]]
    operators: dict[str, int]
    layers: tuple[LayerReport, ...]
    work: Work
    units: tuple[UnitReport, ...]
    tensors: tuple[TensorFormat, ...]
    affine_units: int
    tables: int
    table_entries: int
    macs: int
    weights: int
    weight_bits_float: int
    weight_bits_stored: int
    compressed: tuple[CompressedMap, ...] = ()

    @property
    def pruned(self) -> tuple[str, ...]:
        """The tensors whose format has no number but zero."""
        return tuple(item.name for item in self.tensors if item.format.code_range == (0, 0))


def inspect(model: str | os.PathLike[str] | onnx.ModelProto | Model) -> Inspection:
    """Return what ``model`` consists of; it is read, not changed.

    Raises ``ModelError`` where it cannot be read.
    """
    if isinstance(model, onnx.ModelProto):
        model = from_proto(model)
    elif not isinstance(model, Model):
        model = load(model)
    contents = Contents(model)
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
        work=contents.work(reports),
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
        compressed=compressed_maps(model),
    )
