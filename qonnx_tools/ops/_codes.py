"""What the ops on integer codes share: types, attributes, the output's element type and shape rules."""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import onnx

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.formats import Codes
from qonnx_tools.arithmetic.rounding import Rounding
from qonnx_tools.errors import ConfigError
from qonnx_tools.ops.op import DOMAIN, INT64, Attribute, Input, Op, choice

NARROW_CODES = ("tensor(int8)", "tensor(uint8)", "tensor(int16)", "tensor(uint16)")
"""What multipliers and shifters take: codes of 1 to 16 bits."""
CODES = (*NARROW_CODES, "tensor(int32)")
INT32 = ("tensor(int32)",)

CARRIERS: Mapping[int, npt.DTypeLike] = MappingProxyType(
    {
        onnx.TensorProto.UINT8: np.uint8,
        onnx.TensorProto.INT8: np.int8,
        onnx.TensorProto.UINT16: np.uint16,
        onnx.TensorProto.INT16: np.int16,
        onnx.TensorProto.INT32: np.int32,
    }
)
"""The numpy type of every element type that codes travel in."""

TO = Attribute("to", "element type of y: 2 uint8, 3 int8, 4 uint16, 5 int16, 6 int32; must hold every code")
ROUNDING = Attribute("rounding", ", ".join(f"{mode.code} {mode.value}" for mode in Rounding), 0)
OUTPUT_FORMAT = (
    Attribute("bits", "of y, 1 to 32; 0 makes every code zero"),
    Attribute("signed", "1: codes of both signs, 0: from zero up", 1),
    Attribute("narrow", "1: without the most negative code", 0),
    ROUNDING,
    TO,
)
CLIPPED_FORMAT = (
    *OUTPUT_FORMAT,
    Attribute("lowest", "smaller codes of y become it: a Clip of the result", -(2**31)),
    Attribute("highest", "larger codes of y become it", 2**31 - 1),
)
ACCUMULATOR_BITS = Attribute("accumulator_bits", "1 to 64; sums wrap to it")


def shift_input(shape: str) -> Input:
    """Return the input ``shift``, of which ``shape`` says the shape."""
    return Input("shift", f"from the LSB of the sum or product to that of y, -62 to 62; {shape}", INT64)


class CodesOp(Op):
    """An op whose output are codes in the element type ``to``, shaped like its first input."""

    domains = (DOMAIN,)
    output_types: ClassVar[tuple[str, ...]] = CODES

    def stand_in(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        return [cast_to(node, node.input[:1])]


def target_of(attributes: Mapping[str, Any]) -> FixedPoint:
    """Return the output format that ``bits``, ``signed`` and ``narrow`` say; it knows no fraction bits."""
    return FixedPoint(attributes["bits"], 0, bool(attributes["signed"]), bool(attributes["narrow"]))


def rounding_of(attributes: Mapping[str, Any]) -> Rounding:
    """Return the rounding rule that ``rounding`` stands for."""
    return Rounding(choice("rounding", attributes["rounding"], list(Rounding)))


def carrier_of(attributes: Mapping[str, Any], code_range: tuple[int, int]) -> np.dtype[Any]:
    """Return the numpy type that ``to`` stands for; ``ConfigError`` unless it holds all of ``code_range``."""
    to = attributes["to"]
    if to not in CARRIERS:
        raise ConfigError(f"attribute 'to' is {to}; choose one of 2 uint8, 3 int8, 4 uint16, 5 int16, 6 int32")
    carrier = np.dtype(CARRIERS[to])
    low, high = code_range
    if low < np.iinfo(carrier).min or high > np.iinfo(carrier).max:
        raise ConfigError(f"attribute 'to' is {to} ({carrier}), which does not hold codes {low}..{high}")
    return carrier


def in_carrier(codes: Codes, attributes: Mapping[str, Any]) -> Codes:
    """Return codes of the output format, clipped to ``lowest`` and ``highest``, in the element type ``to``."""
    low, high = target_of(attributes).code_range
    carrier = carrier_of(attributes, (low, high))
    low, high = max(low, attributes["lowest"]), min(high, attributes["highest"])
    if low > high:
        raise ConfigError(
            f"attributes 'lowest' {attributes['lowest']} and 'highest' {attributes['highest']} leave no code"
        )
    return np.clip(codes, low, high).astype(carrier)


def cast_to(node: onnx.NodeProto, source: Sequence[str]) -> onnx.NodeProto:
    """Return the node that gives ``source`` the element type ``to`` of ``node`` and writes its output."""
    cast = onnx.helper.make_node("Cast", source, node.output[:1], name=node.name)
    cast.attribute.extend(attribute for attribute in node.attribute if attribute.name == "to")
    return cast


def float_stand_in(
    node: onnx.NodeProto, op_type: str, inputs: int, attributes: Collection[str] = ()
) -> list[onnx.NodeProto]:
    """Return a standard float op between casts, as the shape and type rule of ``node``.

    Args:
        node: the node of an op on codes.
        op_type: the standard op.
        inputs: how many of the inputs, the first ones, it reads.
        attributes: names of the attributes that it has in common with ``node``.
    """
    output = "".join(node.output[:1])  # a damaged node may have none
    floats = [f"{output}:{position}" for position in range(inputs)]
    casts = [
        onnx.helper.make_node("Cast", [given], [name], to=onnx.TensorProto.FLOAT)
        for given, name in zip(node.input, floats, strict=False)
    ]
    result = f"{output}:float"
    standard = onnx.helper.make_node(op_type, floats, [result])
    standard.attribute.extend(attribute for attribute in node.attribute if attribute.name in attributes)
    return [*casts, standard, cast_to(node, [result])]


def check_mutual_broadcast(name: str, a: npt.NDArray[Any], b: npt.NDArray[Any]) -> None:
    """Raise ``ConfigError`` unless the inputs a and b of op ``name`` broadcast to each other."""
    try:
        np.broadcast_shapes(a.shape, b.shape)
    except ValueError as error:
        shapes = f"{list(a.shape)} and {list(b.shape)}"
        raise ConfigError(f"{name}: a and b have shapes {shapes}, which do not broadcast to each other") from error


def check_scalar(op: Op, inputs: Sequence[npt.NDArray[Any]], *names: str) -> None:
    """Raise ``ConfigError`` unless the inputs ``names`` of ``op`` are 0-d."""
    for given, wanted in zip(inputs, op.inputs, strict=True):
        if wanted.name in names and given.shape != ():
            raise ConfigError(f"{op.name}: input '{wanted.name}' has shape {list(given.shape)}; give a 0-d tensor")
