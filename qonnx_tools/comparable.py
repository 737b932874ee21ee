"""The tensors of a graph that another graph can be compared with, by what they are called in the trained model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.formats import Format
from qonnx_tools.graph import Model, consumers, is_constant, nodes, op_of, producer
from qonnx_tools.origin import Origin, origin_of, tensor_noted
from qonnx_tools.plan import Role
from qonnx_tools.quantizers import quantizer_of

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Key:
    """What a tensor stands for: a tensor of the trained model, as it was computed or as it was quantized."""

    tensor: str
    quantized: bool = False

    def __str__(self) -> str:
        return f"{self.tensor}, quantized" if self.quantized else self.tensor


@dataclass(frozen=True)
class Carrier:
    """The tensor ``name`` of a graph, made by ``node``: floats, or codes of ``format``."""

    name: str
    node: str
    format: Format | None = None

    def values(self, held: Array) -> Array:
        """Return the numbers that ``held``, what the tensor holds, stands for."""
        return held if self.format is None else self.format.decode(held)


def comparable(model: Model) -> Mapping[Key, Carrier]:
    """Return the tensors that nodes make, in the order of the graph, by what they stand for.

    A quantized tensor stands for the one that it was quantized from: the output of a quantizer on floats, of a
    ``DequantizeLinear`` behind a ``QuantizeLinear``, and the codes of a node whose metadata name it.
    """
    found: dict[Key, Carrier] = {}
    for node in nodes(model.graph):
        origin = origin_of(model, node)
        if origin is None:
            for tensor in node.outputs:
                if tensor.name:
                    found.setdefault(Key(_trained(tensor)), Carrier(tensor.name, node.name))
        key, carrier = _of_codes(node, origin) if origin is not None else _of_floats(node)
        if key is not None and carrier is not None:
            found.setdefault(key, carrier)
    return found


def _of_codes(node: Any, origin: Origin) -> tuple[Key | None, Carrier | None]:
    last = origin.parts[-1]
    name = last.first(Role.ACTIVATION)
    if name is None or last.makes is None or last.tensors[name].format != last.makes:
        return None, None  # what it makes is wider, and rounded to the tensor's format behind it
    return Key(name, quantized=True), Carrier(node.outputs[0].name, node.name, _decoded_as(node, last.makes))


def _decoded_as(node: Any, of: Format) -> Format | None:
    """Return the format of a node's result, or None where it makes floats that have been decoded already."""
    return None if node.outputs[0].dtype == np.float32 else of


def _of_floats(node: Any) -> tuple[Key | None, Carrier | None]:
    source = node.inputs[0] if node.inputs else None
    if source is None or is_constant(source):
        return None, None
    if quantizer_of(node) is not None:
        return Key(_trained(source), quantized=True), Carrier(node.outputs[0].name, node.name)
    if op_of(node) == "QuantizeLinear":
        for reader in consumers(node.outputs[0]):
            if op_of(reader) == "DequantizeLinear":
                return Key(_trained(source), quantized=True), Carrier(reader.outputs[0].name, reader.name)
    return None, None


def _trained(tensor: Any) -> str:
    """Return the name of ``tensor`` in the trained model."""
    maker = producer(tensor)
    noted = None if maker is None or maker.outputs[0] is not tensor else tensor_noted(maker)
    return noted or str(tensor.name)
