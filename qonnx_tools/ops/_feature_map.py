"""What the ops of compressed feature maps share: attributes, inputs, and the coding that they say."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from qonnx_tools.arithmetic.bitstream import Coder, Coding, Transform
from qonnx_tools.arithmetic.subband_quantization import LARGEST_STEP, STEP_UNIT
from qonnx_tools.errors import ConfigError
from qonnx_tools.ops._codes import CARRIERS, CODES, carrier_of, check_scalar, target_of
from qonnx_tools.ops.op import INT64, Attribute, Input, Op, choice

CODING_INPUTS = (
    Input("x", "codes [N, C, H, W], none but N 0", CODES),
    Input("step", f"quantization step in sixteenths of an LSB, {STEP_UNIT} (lossless) to {LARGEST_STEP}; 0-d", INT64),
    Input("dropped", "[C], or [1] for all: whether a channel goes without its finest HL, LH, HH", ("tensor(bool)",)),
)
TRANSFORM = (
    Attribute("transform", ", ".join(f"{code} {transform.value}" for code, transform in enumerate(Transform))),
    Attribute("levels", "of a wavelet, 1 to 3; 0 without one", 0),
)
CODER = Attribute("coder", ", ".join(f"{code} {coder.value}" for code, coder in enumerate(Coder)))
MAP_FORMAT = (
    Attribute("bits", "of a code, 1 to 32"),
    Attribute("signed", "1: codes of both signs, 0: from zero up", 1),
    Attribute("narrow", "1: without the most negative code", 0),
    Attribute("to", "element type of the codes: 2 uint8, 3 int8, 4 uint16, 5 int16, 6 int32; must hold every code"),
)


def check_map(op: Op, inputs: Sequence[npt.NDArray[Any]]) -> None:
    """Raise ``ConfigError`` unless x is a batch of maps, which step and dropped fit."""
    x, _, dropped = inputs
    check_scalar(op, inputs, "step")
    if x.ndim != 4 or 0 in x.shape[1:]:
        raise ConfigError(
            f"{op.name}: input 'x' has shape {list(x.shape)}; a feature map is [N, C, H, W], none but N 0"
        )
    if dropped.ndim != 1 or dropped.shape[0] not in {1, x.shape[1]}:
        raise ConfigError(
            f"{op.name}: input 'dropped' has shape {list(dropped.shape)}; give [{x.shape[1]}], one a channel, or [1]"
        )


def coding_of(inputs: Sequence[npt.NDArray[Any]], attributes: Mapping[str, Any]) -> Coding:
    """Return how a node compresses each map of its x; ``ConfigError`` where attributes contradict each other or x."""
    x, step, dropped = inputs
    carrier_of(attributes, target_of(attributes).code_range)
    if CARRIERS[attributes["to"]] != x.dtype:
        raise ConfigError(f"attribute 'to' is {attributes['to']}; x has type {x.dtype}")
    mask = np.broadcast_to(np.asarray(dropped, bool), x.shape[1]).tolist()
    return Coding(
        choice("transform", attributes["transform"], list(Transform)),
        choice("coder", attributes.get("coder", 0), list(Coder)),
        attributes["levels"],
        int(step) / STEP_UNIT,
        tuple(mask) if any(mask) else (),
    )


def of_unknown_count(node: onnx.NodeProto, numbers: str) -> list[onnx.NodeProto]:
    """Return nodes that read the first input of ``node`` and write int64 ``numbers``, 1-D, nobody knows how many."""
    places, first = f"{numbers}:places", f"{numbers}:first"
    return [
        onnx.helper.make_node("NonZero", node.input[:1], [places]),
        onnx.helper.make_node("Constant", [], [first], value_int=0),
        onnx.helper.make_node("Gather", [places, first], [numbers]),
    ]
