"""Nodes of the ops on floats with random, mostly wrong, inputs and attributes. Run by fuzz.py, as fuzz_codes.py is."""

import random

import numpy as np
from fuzz_case import Case, main, one_node
from onnx import helper

OPS = {
    ("qonnx_tools.ops", "FixedQuant"): (2, ("bits", "signed", "narrow", "rounding")),
    ("qonnx_tools.ops", "LogQuant"): (2, ("bits", "signed", "steps", "rounding")),
    ("qonnx.custom_op.general", "Quant"): (4, ("signed", "narrow", "rounding_mode")),
    ("onnx.brevitas", "IntQuant"): (4, ("signed", "narrow", "rounding_mode")),
    ("finn.custom_op.general", "BipolarQuant"): (2, ()),
    ("qonnx.custom_op.general", "Trunc"): (6, ("rounding_mode", "signed", "narrow")),
    ("qonnx.custom_op.general", "FloatQuant"): (6, ("saturation", "has_inf", "has_nan", "rounding_mode")),
}
ATTRIBUTE_VALUES = (
    0,
    1,
    1,
    2,
    5,
    8,
    -1,
    64,
    2**62,
    -(2**63),
    0.5,
    "",
    "ROUND",
    "floor",
    "HALF_UP",
    b"\xff\x00",
    [1],
    [],
)
SHAPES = ((), (1,), (3,), (2, 3), (1, 3, 1, 1), (2, 3, 4), (0,), (2, 0), (1,) * 33, (3, 1), (2, 40000), (1, 1, 1))
NUMBERS = (0, 1, 2, 4, 8, 0.25, -1, 3.7, 1e-40, 1e38, 65, 127, 1e10, np.nan, np.inf, -np.inf)
DTYPES = (np.float32,) * 120 + (np.int64, np.int64, np.int64, np.float64, np.float16, np.int8, np.bool_, np.str_)


def tensor(source: random.Random, position: int) -> np.ndarray:
    """A tensor of random shape, type and numbers."""
    shape = source.choice(SHAPES) if position == 0 or source.random() < 0.2 else ()
    dtype = source.choice(DTYPES)
    mixed = position == 0 or source.random() < 0.15
    numbers = source.choices(NUMBERS, k=7) if mixed else [source.choice(NUMBERS[1:5])]
    with np.errstate(all="ignore"):
        if np.issubdtype(dtype, np.integer):
            numbers = np.nan_to_num(np.array(numbers), nan=1, posinf=2**40, neginf=-7).tolist()
        return np.resize(np.array(numbers), shape).astype(dtype)


def attributes(source: random.Random, names: tuple[str, ...]) -> dict:
    """A usable choice of attributes, some of which then go wrong."""
    usable = {"rounding_mode": "ROUND", "bits": source.choice((2, 4, 8)), "steps": source.choice((1, 2))}
    chosen = {name: usable.get(name, source.choice((0, 1))) for name in names}
    for name in names:
        if source.random() < 0.08:
            chosen[name] = source.choice(ATTRIBUTE_VALUES)
        if source.random() < 0.02:
            del chosen[name]
    return {name: value for name, value in chosen.items() if value != []}


def draw(source: random.Random) -> Case:
    """A node that is usable, or nearly so."""
    (domain, op), (count, names) = source.choice(list(OPS.items()))
    count = max(0, count + source.choice((0,) * 18 + (-1, 1)))
    inputs = [tensor(source, position) for position in range(count)]
    if op == "FixedQuant" and count > 1 and source.random() < 0.95:
        inputs[1] = np.nan_to_num(inputs[1].astype(np.float32), posinf=3).clip(-(2**40), 2**40).astype(np.int64)
    labels = [f"i{position}" if source.random() > 0.02 else "" for position in range(count)]
    given = {label: value for label, value in zip(labels, inputs, strict=True) if label}
    fixed = {label for label in given if source.random() < 0.6}
    node = helper.make_node(op, labels, ["y"], name="n", domain=domain, **attributes(source, names))
    return one_node(source, node, given, fixed, 1)


if __name__ == "__main__":
    main(draw, __doc__)
