"""Where a node of a native graph comes from, and what its codes stand for: metadata of the node.

The attributes of an op say how wide its result is, but not where its point is, nor which tensor of the trained model
it stands for. That is written, as JSON, into the node's metadata under one key::

    {"node": "conv1", "op": "Conv", "reads": [FORMAT], "makes": FORMAT,
     "tensors": {"conv1.weight": LINE, "conv1.bias": LINE, "relu1": LINE},
     "shapes": {"conv1.weight": [16, 3, 3, 3], "conv1.bias": [16]},
     "macs": 442368, "safe_accumulator_bits": 20,
     "then": {"node": "add", "op": "Add", ..}}

FORMAT and LINE are a format and a tensor as they stand in a plan: the lines are those that the node carries out.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from qonnx_tools.arithmetic.formats import Format
from qonnx_tools.errors import ConfigError, ModelError
from qonnx_tools.graph import Model, gs, node_metadata, own_metadata, set_node_metadata
from qonnx_tools.plan import (
    Role,
    TensorPlan,
    format_from_json,
    format_to_json,
    tensor_from_json,
    tensor_to_json,
)
from qonnx_tools.strict_json import checked, parse_json

KEY = "qonnx_tools.format"
"""The metadata property of a node that holds its origin."""
TENSOR_KEY = "qonnx_tools.tensor"
"""The metadata property of a node that holds the name of the trained tensor that its first output is."""


@dataclass(frozen=True)
class Origin:
    """What a node on codes stands for.

    Attributes:
        node: name of the float node that it computes.
        op: that node's op.
        reads: formats of the codes that it computes with.
        makes: format of its codes.
        tensors: lines of the plan that it carries out: of the tensor that it makes, where the plan names it, and of
            weights, biases and other constants.
        shapes: shapes of those constants, in the float graph.
        macs: multiplications of one image, of a layer with weights.
        safe_accumulator_bits: the smallest width that no input overflows, where the node's own is narrower.
        then: what the same node goes on to compute of the codes in the format ``makes``: an addition, a product.
    """

    node: str
    op: str
    reads: tuple[Format, ...] = ()
    makes: Format | None = None
    tensors: Mapping[str, TensorPlan] = field(default_factory=dict)
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    macs: int | None = None
    safe_accumulator_bits: int | None = None
    then: "Origin | None" = None

    @property
    def parts(self) -> "tuple[Origin, ...]":
        """This origin and those of what the node goes on to compute, in order."""
        return (self, *(self.then.parts if self.then else ()))

    def first(self, role: Role) -> str | None:
        """Return the first tensor of that role, or None."""
        return next((name for name, tensor in self.tensors.items() if tensor.role is role), None)

    def with_constants_of(self, other: "Origin") -> "Origin":
        """Return this origin with the constants of a node that is computed in the same place."""
        return replace(self, tensors={**self.tensors, **other.tensors}, shapes={**self.shapes, **other.shapes})


def note_origin(node: gs.Node, origin: Origin) -> None:
    """Write ``origin`` into the metadata of ``node``."""
    set_node_metadata(node, KEY, json.dumps(_document(origin), ensure_ascii=False))


def _document(origin: Origin) -> dict[str, Any]:
    document: dict[str, Any] = {
        "node": origin.node,
        "op": origin.op,
        "reads": [format_to_json(of) for of in origin.reads],
        "makes": None if origin.makes is None else format_to_json(origin.makes),
        "tensors": {name: tensor_to_json(tensor) for name, tensor in origin.tensors.items()},
        "shapes": origin.shapes,
        "macs": origin.macs,
        "safe_accumulator_bits": origin.safe_accumulator_bits,
        "then": None if origin.then is None else _document(origin.then),
    }
    return {key: value for key, value in document.items() if value not in (None, [], {})}


def note_tensor(node: gs.Node, name: str) -> None:
    """Write the trained name of what ``node`` makes into its metadata, unless it is there."""
    if TENSOR_KEY not in own_metadata(node):
        set_node_metadata(node, TENSOR_KEY, name)


def tensor_noted(node: gs.Node) -> str | None:
    """Return the trained name of what ``node`` makes, where its metadata have it."""
    return own_metadata(node).get(TENSOR_KEY)


def origin_of(model: Model, node: gs.Node) -> Origin | None:
    """Return what the metadata of ``node`` say of its origin, or None. Raises ``ModelError`` where they are wrong."""
    return _read(node, node_metadata(model, node))


def origin_noted(node: gs.Node) -> Origin | None:
    """Return the same of a node that a pass made, or that was loaded, without the model that it is in."""
    return _read(node, own_metadata(node))


def _read(node: gs.Node, metadata: Mapping[str, str]) -> Origin | None:
    text = metadata.get(KEY)
    if text is None:
        return None
    try:
        return _from_document(parse_json(text))
    except ConfigError as error:
        raise ModelError(f"node '{node.name}': its metadata property {KEY} is damaged: {error}") from error


def _from_document(document: Any) -> Origin:
    fields = checked(_OriginFields, document, "")
    return Origin(
        node=fields.node,
        op=fields.op,
        reads=tuple(format_from_json(of, "reads") for of in fields.reads),
        makes=None if fields.makes is None else format_from_json(fields.makes, "makes"),
        tensors={name: tensor_from_json(value, f"tensors['{name}']") for name, value in fields.tensors.items()},
        shapes=fields.shapes,
        macs=fields.macs,
        safe_accumulator_bits=fields.safe_accumulator_bits,
        then=None if fields.then is None else _from_document(fields.then),
    )


@dataclass(frozen=True)
class _OriginFields:
    node: str
    op: str
    reads: list[dict[str, Any]] = field(default_factory=list)
    makes: dict[str, Any] | None = None
    tensors: dict[str, dict[str, Any]] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    macs: int | None = None
    safe_accumulator_bits: int | None = None
    then: dict[str, Any] | None = None
