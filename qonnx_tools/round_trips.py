"""Compressed feature maps in a graph: the node that stands for one, and what a node says of its map.

``FeatureMapRoundTrip`` gives the codes of a map as they come back from being stored compressed. It holds the transform,
the number format, the step and the channels whose finest bands are left out. The coder changes no code, so it is in the
node's metadata, with the name of the map, under one key::

    {"tensor": "layer1.0.relu", "coder": "context"}
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import helper

from qonnx_tools.arithmetic.bitstream import Coder, Coding, Header, Transform
from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.subband_quantization import STEP_UNIT, sixteenths
from qonnx_tools.errors import ConfigError, ModelError
from qonnx_tools.feature_map_plan import FeatureMapPlan
from qonnx_tools.graph import Model, constant_value, gs, is_constant, node_metadata, nodes, set_node_metadata
from qonnx_tools.ops import DOMAIN, op_table
from qonnx_tools.strict_json import checked, parse_json

ROUND_TRIP = "FeatureMapRoundTrip"
KEY = "qonnx_tools.feature_map"
"""The metadata property of a node that names its map and its coder."""


@dataclass(frozen=True)
class CompressedMap:
    """A feature map that is stored compressed: what its ``FeatureMapRoundTrip`` says.

    ``codes`` is the tensor of the graph that the node reads, ``shape`` that of one image, ``[C, H, W]``, None where
    the graph does not say it.
    """

    tensor: str
    codes: str
    format: FixedPoint
    plan: FeatureMapPlan
    channels: int | None
    shape: tuple[int, int, int] | None

    def header(self, codes: np.ndarray[Any, np.dtype[np.integer]]) -> Header:
        """Return the header of the stream of ``codes``, ``[C, H, W]``."""
        channels, height, width = codes.shape
        return Header(codes.dtype, self.format, (channels, height, width), self.plan.coding(channels))


def round_trip_node(codes: Any, output: Any, name: str, number_format: FixedPoint, coding: Coding) -> gs.Node:
    """Return the node that compresses ``codes`` into ``output`` and back."""
    attributes = {
        "transform": list(Transform).index(Transform(coding.transform)),
        "levels": coding.levels,
        "bits": number_format.bits,
        "signed": int(number_format.signed),
        "narrow": int(number_format.narrow),
        "to": element_code(codes.dtype),
    }
    step = gs.Constant(f"{name}.step", np.array(sixteenths(coding.step), np.int64))
    dropped = gs.Constant(f"{name}.dropped", np.array(coding.dropped or (False,), np.bool_))
    return gs.Node(ROUND_TRIP, name, attributes, [codes, step, dropped], [output], DOMAIN)


def element_code(dtype: Any) -> int:
    """Return what the attribute ``to`` says of an element type."""
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


def note_map(node: gs.Node, tensor: str, coder: str) -> None:
    """Write into the metadata of ``node`` which map it compresses, and the coder of its streams."""
    set_node_metadata(node, KEY, json.dumps({"tensor": tensor, "coder": str(coder)}, ensure_ascii=False))


def compressed_maps(model: Model) -> tuple[CompressedMap, ...]:
    """Return the maps that ``model`` compresses, in topological order.

    Raises ``ModelError`` where a node or its metadata are not as this package writes them.
    """
    return tuple(_read(model, node) for node in nodes(model.graph, f"{DOMAIN}::{ROUND_TRIP}"))


def _read(model: Model, node: gs.Node) -> CompressedMap:
    codes, step, dropped = node.inputs
    if not is_constant(step) or not is_constant(dropped):
        raise ModelError(f"node '{node.name}': its step and its dropped channels must be constant")
    attributes: dict[str, Any] = dict(op_table()[DOMAIN, ROUND_TRIP].complete(dict(node.attrs)))
    transforms = list(Transform)
    text = node_metadata(model, node).get(KEY)
    try:
        noted = _Noted(codes.name) if text is None else checked(_Noted, parse_json(text), "")
        channels = tuple(map(int, np.flatnonzero(constant_value(dropped))))
        plan = FeatureMapPlan(
            transforms[attributes["transform"]],
            noted.coder,
            attributes["levels"],
            int(constant_value(step).item()) / STEP_UNIT,
            channels,
        )
        form = FixedPoint(attributes["bits"], 0, bool(attributes["signed"]), bool(attributes["narrow"]))
    except (ConfigError, IndexError) as error:
        raise ModelError(f"node '{node.name}': what it says of its feature map is damaged: {error}") from error
    shape = tuple(codes.shape or ())[1:]
    known = len(shape) == 3 and all(isinstance(size, int) for size in shape)
    return CompressedMap(noted.tensor, codes.name, form, plan, shape[0] if known else None, shape if known else None)


@dataclass(frozen=True)
class _Noted:
    tensor: str
    coder: str = Coder.CONTEXT
