"""Nodes of every op in the table, made from its definition alone: a new op is fuzzed without a word here.

Inputs have the types that the op declares, mostly, and shapes from a few families; attributes are small numbers,
mostly. Run by fuzz.py, as fuzz_codes.py is.
"""

import random
from typing import Any

import numpy as np
from fuzz_case import Case, main, one_node
from onnx import helper

from qonnx_tools.ops import Attribute, Input, Op, op_table

ROUNDINGS = ("ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN", "ROUND_TO_ZERO", "nearest")
SHAPES = {
    "map": (2, 4, 6, 5),
    "line": (2, 4, 9),
    "filter": (4, 4, 3, 2),
    "depthwise": (4, 1, 3, 3),
    "matrix": (4, 4),
    "channels": (4,),
    "number": (),
    "nothing": (0, 4, 6, 5),
    "table": (256,),
    "wide": (1, 4, 300, 70),
    "deep": (1,) * 12,
    "huge and empty": (2**31, 0, 2**20),
}
DATA = ("map", "map", "map", "line", "matrix", "wide", "nothing")
SECOND = ("filter", "depthwise", "matrix", "table", "number")
PARAMETERS = ("number", "number", "number", "channels")
NUMBERS = (0, 1, 1, 2, 3, 4, 5, 6, 8, 8, 16, 32)
WILD = (-1, 7, 33, 63, 64, 65, 2**31, 2**40, -(2**63), 2**63 - 1)


def number(source: random.Random, wild: float = 0.02) -> int:
    """Mostly a small one."""
    return source.choice(WILD if source.random() < wild else NUMBERS)


def attribute(source: random.Random, wanted: Attribute) -> Any:
    """A value of the attribute's kind, mostly."""
    if source.random() < 0.01:
        return source.choice((0.5, "8", [1, 2], 3))
    if wanted.kind is str:
        return source.choice(("ROUND", source.choice(ROUNDINGS)))
    if wanted.kind is tuple:
        return [min(number(source), 3) for _ in range(source.choice((1, 2, 2, 2, 4, 4, 4)))]
    return number(source)


def tensor(source: random.Random, wanted: Input, before: list[np.ndarray]) -> np.ndarray:
    """Numbers of a type that the input may have, mostly; parameters are small ones, mostly."""
    kind = source.choice(wanted.types).removeprefix("tensor(").removesuffix(")")
    dtype = np.dtype({"float": "float32", "double": "float64"}.get(kind, kind))
    if source.random() < 0.02:
        dtype = np.dtype(source.choice((np.float32, np.int64, np.int8, np.uint8, np.bool_, np.float16)))
    is_data = not before or (dtype.kind in "iu" and dtype.itemsize < 4)
    shape = SHAPES[source.choice(DATA if not before else SECOND if is_data else PARAMETERS)]
    if is_data and before and source.random() < 0.3:
        shape = before[0].shape
    if source.random() < 0.02:
        shape = SHAPES[source.choice(list(SHAPES))]
    numbers = np.random.default_rng(source.getrandbits(32))
    if dtype.kind == "f":
        size = source.choice((1, 100, 1e-30, 1e30)) if not before else source.choice((0.25, 0.3, 1, 4, 8))
        drawn = numbers.normal(0, size, shape) if not before or source.random() < 0.1 else np.full(shape, size)
        return drawn.clip(-6e4, 6e4).astype(dtype) if dtype.itemsize < 4 else drawn.astype(dtype)
    if dtype.kind == "b":
        return numbers.integers(0, 2, shape).astype(dtype)
    info = np.iinfo(dtype)
    if is_data:
        return np.asarray(numbers.integers(info.min, info.max, shape, dtype, endpoint=True))
    return np.full(shape, min(max(number(source), info.min), info.max), dtype)


def draw(source: random.Random) -> Case:
    """A node of any op."""
    (domain, name), op = source.choice(sorted(op_table().items()))
    attributes = {wanted.name: attribute(source, wanted) for wanted in op.attributes}
    attributes |= consistent(source, op) if source.random() < 0.9 else {}
    attributes = {key: value for key, value in attributes.items() if source.random() > 0.005}
    count = len(op.inputs) - sum(wanted.optional for wanted in op.inputs if source.random() < 0.3)
    inputs: list[np.ndarray] = []
    for wanted in op.inputs[: count - (source.random() < 0.01)]:
        inputs.append(tensor(source, wanted, inputs))
    names = [f"i{at}" if source.random() > 0.01 else "" for at in range(len(inputs))]
    given = {label: value for label, value in zip(names, inputs, strict=True) if label}
    fixed = {label for label in list(given)[1:] if source.random() < 0.7}
    node = helper.make_node(name, names, ["y"], name="n", domain=domain, **attributes)
    to = attributes.get("to", 1)
    return one_node(source, node, given, fixed, to if isinstance(to, int) and 0 < to < 14 else 1)


def consistent(source: random.Random, op: Op) -> dict[str, Any]:
    """Values for attributes that several ops have, such that they go together."""
    to, signed, most = source.choice(((2, 0, 8), (3, 1, 8), (4, 0, 16), (5, 1, 16), (6, 1, 32)))
    values = {
        "to": to,
        "signed": signed,
        "bits": source.randint(0, most),
        "narrow": 0,
        "rounding": source.randint(0, 5),
        "accumulator_bits": source.randint(1, 64),
        "weight_bits": source.randint(2, 6),
        "kernel_shape": source.choice(([3, 2], [3, 3], [1, 1])),
        "strides": [source.randint(1, 3), source.randint(1, 3)],
        "dilations": [source.randint(1, 2), source.randint(1, 2)],
        "pads": [source.randint(0, 1) for _ in range(4)],
        "group": source.choice((1, 4)),
        "input_bits": 8,
        "axis": 1,
        "steps": source.randint(1, 2),
    }
    values |= {"conv_bits": source.randint(0, 31), "conv_signed": source.randint(0, 1), "conv_narrow": 0}
    values |= {"conv_rounding": source.randint(0, 5)}
    transform = source.randint(0, 3)
    values |= {"transform": transform, "levels": source.randint(1, 3) if transform > 1 else 0}
    values |= {"coder": source.randint(0, 2), "shape": [4, 6, 5]}
    return {wanted.name: values[wanted.name] for wanted in op.attributes if wanted.name in values}


if __name__ == "__main__":
    main(draw, __doc__)
