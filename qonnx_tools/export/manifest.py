"""``manifest.json``: what is in an accelerator package, in the terms of the hardware."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import qonnx_tools
from qonnx_tools.contents import Contents
from qonnx_tools.export.constants import Constant, constants_of, has_files, has_values
from qonnx_tools.export.memory import Place, in_a_row, shared
from qonnx_tools.export.wires import Wire, wires
from qonnx_tools.graph import Model, gs, is_constant, nodes, op_of
from qonnx_tools.plan import format_to_json
from qonnx_tools.units import unit_of

VERSION = 1
SAME_NUMBERS = {"Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"}
"""Ops whose output is the input's memory under another shape."""


@dataclass(frozen=True)
class Layer:
    """A node of the graph, in its place: the wires and constants that it reads, and those that it makes."""

    index: int
    node: gs.Node
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: tuple[Constant, ...]


@dataclass(frozen=True)
class Package:
    """A native graph as an accelerator sees it.

    Attributes:
        model: the graph.
        contents: what its nodes say of themselves.
        layers: its nodes, in order.
        wires: its tensors, by name.
        shapes: of these for one image.
        vectors: their golden values, ``[n, *shape]``; none where there are no vectors.
    """

    model: Model
    contents: Contents
    layers: tuple[Layer, ...]
    wires: Mapping[str, Wire]
    shapes: Mapping[str, tuple[int, ...]]
    vectors: Mapping[str, npt.NDArray[Any]]

    @property
    def stored(self) -> list[tuple[Layer, Constant]]:
        """The constants that are in files, each with its layer."""
        return [(layer, each) for layer in self.layers for each in layer.constants if has_files(layer.node, each)]


def layers_of(contents: Contents) -> tuple[Layer, ...]:
    """Return the nodes of a graph with their constants, in order."""
    return tuple(
        Layer(
            index,
            node,
            tuple(tensor.name for tensor in node.inputs if not tensor.is_empty() and not is_constant(tensor)),
            tuple(tensor.name for tensor in node.outputs if not tensor.is_empty()),
            tuple(constants_of(node, contents)),
        )
        for index, node in enumerate(nodes(contents.graph))
    )


def package_of(model: Model, contents: Contents, values: Mapping[str, npt.NDArray[Any]], vectors: int) -> Package:
    """Return the package of a graph of which ``values`` are the tensors for one image or more."""
    shapes = {name: tuple(map(int, value.shape[1:])) for name, value in values.items()}
    golden = {name: value[:vectors] for name, value in values.items()} if vectors else {}
    return Package(model, contents, layers_of(contents), wires(contents), shapes, golden)


def file_of(layer: Layer, constant: Constant) -> str:
    """Return the name of a constant's files in the package, without their ending."""
    return f"constants/{layer.index:03d}_{constant.role}"


def vector_file(place: int) -> str:
    """Return the name of the file with the golden values of the tensor at ``place``, without its ending."""
    return f"vectors/{place:03d}"


def constant_places(package: Package) -> list[Place]:
    """Return where the constants lie in the memory image that holds all of them."""
    return in_a_row(-(-each.numbers.size * each.bits // 8) for _, each in package.stored)


def manifest(package: Package, digest: str, simulations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the manifest as JSON data.

    Args:
        package: what it describes.
        digest: SHA-256 of the model file.
        simulations: of each layer, what says how it is simulated, or why it is not.
    """
    graph, places = package.model.graph, _map_places(package)
    constants = _constants(package)
    tensors = {name: _tensor(wire, at, package, places) for at, (name, wire) in enumerate(package.wires.items())}
    return {
        "manifest_version": VERSION,
        "generator": f"qonnx-tools {qonnx_tools.__version__}",
        "model": {"name": str(graph.name or ""), "sha256": digest},
        "inputs": [tensor.name for tensor in graph.inputs],
        "outputs": [tensor.name for tensor in graph.outputs],
        "vectors": len(next(iter(package.vectors.values()), ())),
        "memory": {
            "constants": {"bytes": max((place.end for place in constant_places(package)), default=0)},
            "maps": {"bytes": max((place.end for place in places.values()), default=0)},
        },
        "layers": [
            _layer(layer, package, constants[layer.index]) | {"simulation": dict(simulation)}
            for layer, simulation in zip(package.layers, simulations, strict=True)
        ],
        "tensors": tensors,
    }


def _layer(layer: Layer, package: Package, constants: dict[str, Any]) -> dict[str, Any]:
    node, origin = layer.node, package.contents.origins.get(layer.node.name)
    unit = unit_of(node, origin) if origin is not None else None
    on_codes = all(package.wires[name].kind == "codes" for name in (*layer.inputs, *layer.outputs))
    document: dict[str, Any] = {
        "index": layer.index,
        "name": node.name,
        "op": op_of(node),
        "computes": "codes" if on_codes else "floats",
        "stands_for": [{"node": part.node, "op": part.op} for part in origin.parts] if origin is not None else [],
        "inputs": list(layer.inputs),
        "outputs": list(layer.outputs),
        "attributes": {name: _plain(value) for name, value in node.attrs.items()},
        "constants": constants,
    }
    if unit is not None and origin is not None:
        bits = int(node.attrs["accumulator_bits"])
        document |= {
            "unit": dataclasses.asdict(unit)
            | {"accumulators": unit.accumulators, "weight_table": unit.weight_table, "input_table": unit.input_table},
            "macs": origin.macs,
            "accumulator_bits": bits,
            "safe_accumulator_bits": origin.safe_accumulator_bits or bits,
        }
    return document


def _constants(package: Package) -> dict[int, dict[str, Any]]:
    """Return the constants of every layer by its index, then by role."""
    found: dict[int, dict[str, Any]] = {layer.index: {} for layer in package.layers}
    places = iter(constant_places(package))
    for layer in package.layers:
        origin = package.contents.origins.get(layer.node.name)
        lines = {name: line for part in origin.parts for name, line in part.tensors.items()} if origin else {}
        for each in layer.constants:
            document: dict[str, Any] = {
                "tensor": each.name,
                "shape": list(map(int, each.numbers.shape)),
                "kind": each.kind,
                "bits": each.bits,
                "signed": each.signed,
            }
            if each.role == "w" and origin is not None:
                weight = next((line for line in lines.values() if line.role.value == "weight"), None)
                document |= {"format": format_to_json(weight.format)} if weight is not None else {}
            if has_values(layer.node, each):
                document["values"] = each.numbers.ravel().tolist()
            if has_files(layer.node, each):
                place, name = next(places), file_of(layer, each)
                document |= {"address": place.address, "bytes": place.bytes, "bin": f"{name}.bin", "hex": f"{name}.hex"}
            found[layer.index][each.role] = document
    return found


def _tensor(wire: Wire, at: int, package: Package, places: Mapping[str, Place]) -> dict[str, Any]:
    document: dict[str, Any] = {
        "shape": list(package.shapes[wire.tensor]),
        "kind": wire.kind,
        "bits": wire.bits,
        "signed": wire.signed,
        "format": None if wire.format is None else format_to_json(wire.format),
    }
    if wire.tensor in places:
        place = places[wire.tensor]
        document |= {"address": place.address, "bytes": place.bytes}
    if package.vectors:
        document |= {"bin": f"{vector_file(at)}.bin", "hex": f"{vector_file(at)}.hex"}
    return document


def _map_places(package: Package) -> dict[str, Place]:
    """Return the places of the codes on the wires; what is the same numbers under another shape has the same place."""
    holder = {name: name for name in package.wires}
    for layer in package.layers:
        if layer.node.op in SAME_NUMBERS and layer.inputs and layer.outputs:
            holder[layer.outputs[0]] = holder[layer.inputs[0]]
    coded = [name for name, wire in package.wires.items() if wire.kind == "codes"]
    sizes = {holder[name]: -(-int(np.prod(package.shapes[name])) * package.wires[name].bits // 8) for name in coded}
    steps = [
        (
            [holder[name] for name in layer.inputs],
            [holder[name] for name in layer.outputs if holder[name] == name],
        )
        for layer in package.layers
    ]
    kept = [holder[tensor.name] for tensor in package.model.graph.outputs]
    found = shared(sizes, [*steps, (kept, [])])
    return {name: found[holder[name]] for name in coded}


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
