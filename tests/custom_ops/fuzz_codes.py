"""Nodes of the ops on codes, usable ones that then go wrong. Run by fuzz.py, with the compiled library as argument."""

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from fuzz_case import Case, main, one_node
from onnx import helper

from qonnx_tools.arithmetic.bitstream import Coder, Coding, Transform
from qonnx_tools.arithmetic.coding import encode

Inputs = list[np.ndarray | None]
DTYPES = (np.uint8, np.int8, np.uint16, np.int16)
WRONG_DTYPES = (np.float32, np.int64, np.int32, np.bool_, np.float64, np.uint32, np.str_)
WRONG_SHAPES = ((), (1,), (0,), (3,), (2, 3), (2, 4, 5, 5), (1,) * 9, (0, 4, 5, 5), (2, 4, 0, 5), (4, 0, 1, 1))
WRONG_NUMBERS = (0, -1, 1, 2, 7, 63, 64, 65, 2**31, 2**40, -(2**63), 2**63 - 1)
WRONG_ATTRIBUTES = (
    *WRONG_NUMBERS,
    0.5,
    "8",
    [1],
    [0, 0],
    [1, 1],
    [-1, 2],
    [3, 3, 3],
    [2**40, 1],
    [1, 1, 1, 1],
    [2**62] * 4,
)


def codes(source: random.Random, shape: tuple[int, ...], dtype: Any = None) -> np.ndarray:
    """Codes of any carrier and its whole range."""
    dtype = dtype or source.choice(DTYPES)
    info = np.iinfo(dtype)
    drawn = np.random.default_rng(source.getrandbits(32)).integers(info.min, info.max, shape, endpoint=True)
    return np.asarray(drawn, dtype)


def output(source: random.Random) -> dict[str, Any]:
    """The attributes of an output format."""
    to, signed, most = source.choice(((2, 0, 8), (3, 1, 8), (4, 0, 16), (5, 1, 16), (6, 1, 32)))
    return {"to": to, "signed": signed, "bits": source.randint(0, most), "rounding": source.randint(0, 5)}


def finish(source: random.Random, channels: int) -> Inputs:
    """Shift, bias, multiplier and addend."""
    shift = np.full(source.choice(((), (channels,))), source.randint(-4, 40), np.int64)
    bias = np.full(channels, source.randint(-(2**31), 2**31 - 1), source.choice((np.int32, np.int64)))
    multiplier = np.full(source.choice(((), (channels,))), source.randint(-(2**31), 2**31 - 1), np.int32)
    addend = np.full(channels, source.choice(WRONG_NUMBERS), np.int64)
    return [shift, *[value if source.random() < 0.6 else None for value in (bias, multiplier, addend)]]


def weights(source: random.Random, shape: tuple[int, ...], kind: str) -> tuple[np.ndarray, dict[str, Any]]:
    """Weights of an op of that kind, with what describes them."""
    described = {"accumulator_bits": source.randint(1, 64)}
    if kind == "Fixed":
        return codes(source, shape), described
    bits = source.randint(2, 6 if kind == "Shift" else 8)
    largest = 2 ** (bits - 1) - 1
    drawn = np.clip(codes(source, shape, np.int8), -largest, largest)
    described |= {"weight_bits": bits, "steps": source.randint(1, 2)}
    if kind == "Log":
        described |= {"x_bits": source.randint(2, 7), "x_signed": source.randint(0, 1)}
        described["guard_bits"] = source.randint(0, 32)
    return drawn, described


def convolution(source: random.Random, kind: str) -> tuple[Inputs, dict[str, Any]]:
    """A convolution of one or two dimensions."""
    axes, group = source.randint(1, 2), source.choice((1, 1, 1, 2, 4))
    inner, outer = source.choice((1, 3, 4, 9, 70)), source.choice((1, 2, 7, 13))
    kernel = [source.randint(1, 3) for _ in range(axes)]
    x = codes(source, (source.randint(0, 2), group * inner, *[source.randint(5, 20) for _ in range(axes)]))
    w, described = weights(source, (group * outer, inner, *kernel), kind)
    window = {
        "kernel_shape": kernel,
        "strides": [source.randint(1, 3) for _ in range(axes)],
        "dilations": [source.randint(1, 2) for _ in range(axes)],
        "pads": [source.randint(0, 3) for _ in range(2 * axes)],
        "group": group,
    }
    return [x, w, *finish(source, group * outer)], window | described | output(source)


def convolution_add(source: random.Random, kind: str) -> tuple[Inputs, dict[str, Any]]:
    """The same, and others of the shape of its codes added to these."""
    inputs, attributes = convolution(source, kind)
    neutral: Inputs = [None, None, None, np.zeros((), np.int64), np.ones((), np.int32), np.zeros((), np.int64)]
    x, w, *rest = [other if value is None else value for value, other in zip(inputs, neutral, strict=True)]
    size = [
        (length + begin + end - dilation * (kernel - 1) - 1) // stride + 1
        for length, begin, end, dilation, kernel, stride in zip(
            x.shape[2:],
            attributes["pads"][: x.ndim - 2],
            attributes["pads"][x.ndim - 2 :],
            *(attributes[name] for name in ("dilations", "kernel_shape", "strides")),
            strict=True,
        )
    ]
    residual = codes(source, (len(x), len(w), *size), source.choice((*DTYPES, np.int32)))
    shifts = [np.asarray(source.randint(low, 40), np.int64) for low in (0, 0, -9)]
    inner = {f"conv_{name}": value for name, value in output(source).items() if name != "to"}
    return [x, w, *rest, residual, *shifts], attributes | inner


def streams(source: random.Random) -> tuple[Inputs, dict[str, Any]]:
    """Compressed maps, one of them perhaps damaged."""
    maps = codes(source, (source.randint(0, 3), 4, 5, 6))
    coder = source.choice(list(Coder))
    chosen = Coding(Transform.HAAR, coder, 2, 2) if source.random() < 0.5 else Coding(Transform.PREDICTIVE, coder)
    found = bytearray(b"".join(encode(each, chosen) for each in maps))
    if found and source.random() < 0.6:
        at = source.randrange(len(found))
        found[at : at + source.randint(0, 3)] = source.randbytes(source.randint(0, 3))
    described = {"to": int(helper.np_dtype_to_tensor_dtype(maps.dtype)), "signed": int(maps.dtype.kind == "i")}
    described |= {"bits": 8 * maps.dtype.itemsize, "shape": [4, 5, 6]}
    return [np.frombuffer(bytes(found), np.uint8)], described


def gemm(source: random.Random, kind: str) -> tuple[Inputs, dict[str, Any]]:
    """A matrix product."""
    depth, out, transposed = source.randint(1, 90), source.randint(1, 90), source.randint(0, 1)
    w, described = weights(source, (out, depth) if transposed else (depth, out), kind)
    x = codes(source, (source.randint(0, 9), depth))
    return [x, w, *finish(source, out)], {"transB": transposed} | described | output(source)


def simple(source: random.Random, op: str) -> tuple[Inputs, dict[str, Any]]:
    """Any other op."""
    shape = source.choice(((2, 4, 5, 6), (3, 4), (1, 4, 70, 70), (), (0, 4, 2)))
    x = codes(source, shape, source.choice((*DTYPES, np.int32)))
    shift = np.asarray(source.randint(-62, 62), np.int64)
    with np.errstate(all="ignore"):
        floats = (x * source.choice((1, 0.37, 1e30, np.nan, np.inf))).astype(np.float32)
    log = {"bits": source.randint(2, 8), "steps": source.randint(1, 2), "signed": source.randint(0, 1)}
    bits = source.randint(1, 16)
    table = codes(source, (2**bits,))
    to = int(helper.np_dtype_to_tensor_dtype(table.dtype))
    window = {"kernel_shape": [2, 2], "strides": [1, 2], "pads": [1, 0, 0, 1]} if source.random() < 0.5 else {}
    multiplier = np.asarray(source.randint(-(2**31), 2**31 - 1), np.int32)
    lefts = [np.asarray(source.randint(0, 62), np.int64) for _ in range(2)]
    wavelet = source.random() < 0.7
    transform = {"transform": source.randint(0, 1) + 2 * wavelet, "levels": wavelet * source.randint(1, 3)}
    whole = {"to": int(helper.np_dtype_to_tensor_dtype(x.dtype)), "signed": int(x.dtype.kind == "i")}
    whole |= {"bits": 8 * x.dtype.itemsize}
    step = np.asarray(source.randint(16, 99))
    mask = np.array([wavelet and source.random() < 0.5 for _ in range(source.choice((1, 4)))])
    cases: dict[str, tuple[Inputs, dict[str, Any]]] = {
        "Quantize": ([floats, np.asarray(source.randint(-64, 126))], output(source)),
        "Dequantize": ([x, np.asarray(source.randint(-64, 126))], {}),
        "LogQuantize": (
            [floats, np.float32(source.choice((0.3, 4, 1e-20)))],
            log | {"to": source.choice((2, 3, 5, 6))},
        ),
        "LogDequantize": ([x, np.float32(source.choice((0.3, 4, 1e-20)))], log),
        "LogRequantize": (
            [x, np.sort(np.random.default_rng(source.getrandbits(32)).integers(1, 2**33, 2 ** (bits % 6 + 1) - 1))],
            {"bits": bits % 6 + 2, "signed": 1, "to": source.choice((3, 5, 6))},
        ),
        "Affine": ([x, multiplier, np.full(source.choice(((), (4,))), 9), shift], {"axis": 1} | output(source)),
        "Requantize": ([x, shift], output(source)),
        "FixedAdd": ([x, codes(source, source.choice((shape, (), (1,)))), *lefts, shift], output(source)),
        "FixedMul": ([x, codes(source, source.choice((shape, (), (1,)))), shift], output(source)),
        "FixedAveragePool": ([x, multiplier, shift], window | output(source)),
        "FixedMaxPool": (
            [x],
            {
                "kernel_shape": [source.randint(1, 3), source.randint(1, 3)],
                "strides": [source.randint(1, 3), source.randint(1, 3)],
                "pads": [source.randint(0, 1) for _ in range(4)],
                "dilations": [source.randint(1, 2), source.randint(1, 2)],
                "to": int(helper.np_dtype_to_tensor_dtype(x.dtype)),
            },
        ),
        "FeatureMapRoundTrip": ([x, step, mask], transform | whole),
        "FeatureMapEncode": ([x, step, mask], transform | whole | {"coder": source.randint(0, 2)}),
        "Lookup": ([x, table], {"input_bits": bits, "input_signed": source.randint(0, 1), "to": to}),
    }
    return cases[op]


MAKERS: dict[str, Callable[[random.Random], tuple[Inputs, dict[str, Any]]]] = {
    f"{kind}{op}": partial(made, kind=kind)
    for kind in ("Fixed", "Shift", "Log")
    for op, made in (("Conv", convolution), ("Gemm", gemm), ("ConvAdd", convolution_add))
} | {"FeatureMapDecode": streams}
SIMPLE = (
    *("Quantize", "Dequantize", "LogQuantize", "LogDequantize", "Affine", "Requantize"),
    *("FixedAdd", "FixedMul", "FixedAveragePool", "FixedMaxPool", "Lookup"),
    *("LogRequantize", "FeatureMapRoundTrip", "FeatureMapEncode"),
)


def spoil_input(source: random.Random, value: np.ndarray | None) -> np.ndarray | None:
    """Another shape, type or number, or none."""
    choice = source.randint(0, 3)
    if choice == 0 or value is None:
        return None
    if choice == 1:
        return np.resize(value, source.choice(WRONG_SHAPES)).astype(value.dtype)
    if choice == 2:
        with np.errstate(all="ignore"):
            return np.nan_to_num(value).astype(source.choice((*WRONG_DTYPES, *DTYPES)))
    with np.errstate(all="ignore"):
        return np.full_like(value, np.asarray(source.choice(WRONG_NUMBERS)).astype(value.dtype))


def spoil(source: random.Random, inputs: Inputs, attributes: dict[str, Any]) -> None:
    """Make something wrong, or perhaps only unusual."""
    if source.random() < 0.5 and attributes:
        name = source.choice(sorted(attributes))
        if source.random() < 0.2:
            del attributes[name]
        else:
            attributes[name] = source.choice(WRONG_ATTRIBUTES)
    elif inputs and source.random() < 0.8:
        at = source.randrange(len(inputs))
        inputs[at] = spoil_input(source, inputs[at])
    elif source.random() < 0.5:
        inputs.append(np.int64(1))
    elif inputs:
        inputs.pop()


def draw(source: random.Random) -> Case:
    """A node that is usable, or was before something in it was spoiled."""
    op = source.choice((*list(MAKERS) * 3, *SIMPLE))
    inputs, attributes = MAKERS[op](source) if op in MAKERS else simple(source, op)
    for _ in range(source.choice((0, 0, 1, 1, 2))):
        spoil(source, inputs, attributes)
    names = ["" if value is None else f"i{position}" for position, value in enumerate(inputs)]
    given = {name: np.asarray(value) for name, value in zip(names, inputs, strict=True) if value is not None}
    data = {0, 1} if op in ("FixedAdd", "FixedMul") else {0, 6} if op.endswith("ConvAdd") else {0}
    fixed = {name for at, name in enumerate(names) if source.random() < (0.03 if at in data else 0.85)}
    to = 2 if op == "FeatureMapEncode" else attributes.get("to", 1)
    declared = to if isinstance(to, int) and 0 < to < 12 and source.random() < 0.9 else source.choice((1, 2, 3, 6, 7))
    node = helper.make_node(op, names, ["y"], name="n", domain="qonnx_tools.ops", **attributes)
    return one_node(source, node, given, fixed, declared)


if __name__ == "__main__":
    main(draw, __doc__)
