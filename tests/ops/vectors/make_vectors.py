"""Record what the ops of the qonnx package compute, for the tests of the QONNX dialect.

Needs an environment of its own, since qonnx 1.0.0 holds onnx back:
    pip install qonnx==1.0.0 onnx==1.20.0 onnxruntime tqdm
    python tests/ops/vectors/make_vectors.py

Writes one <op>.npz beside this file with two members:
    pool   float32 [n]  every distinct input and output array, flat, one after the other
    cases  a JSON text  a list of {"op", "attributes", "inputs", "output"}; an array is [offset in pool, [shape]]
"""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from qonnx.custom_op.general.bipolar_quant import BipolarQuant
from qonnx.custom_op.general.floatquant import FloatQuant
from qonnx.custom_op.general.intquant import IntQuant
from qonnx.custom_op.general.trunc import Trunc_v1, Trunc_v2

HERE = Path(__file__).parent
MODES = ("ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN")
MORE_MODES = ("HALF_EVEN", "half_even", "round", "Half_Up")
WIDTHS = (*range(1, 17), 20, 23, 24, 25, 26, 31, 32)
FEW_WIDTHS = (1, 2, 3, 4, 8, 16, 25, 32)
SIGNED_NARROW = ((1, 0), (1, 1), (0, 0), (0, 1))
f32 = np.float32
Case = tuple[type, str, dict[str, int | str], list[np.ndarray]]

SCALES = {
    "one": f32(1),
    "power": f32(0.125),
    "plain": f32(0.0371),
    "third": f32(0.3),
    "channels": np.array([0.25, 0.0371, 3.7], f32).reshape(1, 3, 1, 1),
    "columns": np.array([0.5, 0.013, 1e-3, 64], f32),
}


def extremes() -> np.ndarray:
    info = np.finfo(f32)
    positive = [0, info.smallest_subnormal, 1e-40, info.tiny, 1e-20, 1e20, 2.0**31, 2.0**32, info.max, np.inf]
    return np.array([*positive, *(-np.array(positive)), np.nan], f32)


def neighbours(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, f32)
    with np.errstate(over="ignore"):
        return np.concatenate([values, np.nextafter(values, f32(-np.inf)), np.nextafter(values, f32(np.inf))])


def integer_codes(bits: int, rng: np.random.Generator) -> np.ndarray:
    """Numbers in code units: ties and their neighbours, the bounds of every signedness, some at random."""
    bounds = np.array([2.0 ** (bits - 1), 2.0**bits])
    ties = np.arange(-4, 4) + 0.5
    near_bounds = (bounds[:, None] + np.array([-2, -1.5, -1, -0.5, 0, 0.5, 1])).ravel()
    awkward = np.array([8388607.5, 8388609.0, 16777215.0, -8388609.0, -4194303.5])
    spread = rng.uniform(-1.2, 1.2, 12) * 2.0**bits
    return np.concatenate([neighbours(ties), neighbours(near_bounds), -near_bounds, awkward, spread]).astype(f32)


def as_input(codes: np.ndarray, scale: np.ndarray, zero_point: np.ndarray) -> np.ndarray:
    """Float inputs whose codes are about ``codes``, laid out so that ``scale`` broadcasts; then the extremes."""
    lay = {0: (-1,), 1: (-1, 4), 4: (2, 3, 1, -1)}[max(np.ndim(scale), np.ndim(zero_point))]
    whole = abs(int(np.prod(lay)))
    with np.errstate(all="ignore"):
        body = np.resize(codes, -(-codes.size // whole) * whole).reshape(lay)
        tail = np.resize(extremes(), -(-extremes().size // whole) * whole).reshape(lay)
        return np.concatenate([(body - zero_point) * scale, tail], axis=-2 if len(lay) == 2 else -1).astype(f32)


def quant_cases() -> Iterator[Case]:
    rng = np.random.default_rng(1)
    shifts = np.array([0, 2, -5], f32).reshape(1, 3, 1, 1)
    settings = [
        (SCALES["power"], f32(0), WIDTHS, MODES),
        (SCALES["plain"], f32(0), WIDTHS, MODES),
        (SCALES["one"], f32(0), FEW_WIDTHS, (*MODES, *MORE_MODES)),
        (SCALES["third"], f32(3), FEW_WIDTHS, MODES),
        (SCALES["power"], f32(-2.5), FEW_WIDTHS[2:6], MODES),
        (SCALES["channels"], f32(0), WIDTHS, MODES),
        (SCALES["channels"], shifts, FEW_WIDTHS, MODES),
        (SCALES["power"], shifts, FEW_WIDTHS[3:5], MODES),
        (SCALES["columns"], f32(1), FEW_WIDTHS[3:6], MODES),
    ]
    for scale, zero_point, widths, modes in settings:
        for bits in widths:
            x = as_input(integer_codes(bits, rng), scale, zero_point)
            for (signed, narrow), mode in itertools.product(SIGNED_NARROW, modes):
                attributes = {"signed": signed, "narrow": narrow, "rounding_mode": mode}
                yield IntQuant, "Quant", attributes, [x, scale, zero_point, f32(bits)]
    for mode in MODES:  # rank 0, and the other name of the op
        attributes = {"signed": 1, "narrow": 0, "rounding_mode": mode}
        yield IntQuant, "IntQuant", attributes, [f32(0.3), f32(0.25), f32(0), f32(4)]


def bipolar_cases() -> Iterator[Case]:
    for scale in SCALES.values():
        x = as_input(neighbours(np.linspace(-2, 2, 9)), scale, f32(0))
        yield BipolarQuant, "BipolarQuant", {}, [x, scale]
    yield BipolarQuant, "BipolarQuant", {}, [f32(-0.3), f32(0.25)]


def trunc_v1_cases() -> Iterator[Case]:
    rng = np.random.default_rng(2)
    for scale, zero_point in [("power", 0), ("plain", 0), ("third", 3), ("channels", 0), ("one", 2.5), ("columns", 1)]:
        for before, after in [(8, 8), (8, 4), (8, 1), (10, 9), (16, 8), (24, 8), (32, 16), (32, 1), (4, 6)]:
            x = as_input(integer_codes(before, rng), SCALES[scale], f32(zero_point))
            steps = rng.integers(-40, 40, 48) * 2.0 ** (before - after - 1)  # halves of the new step
            x = np.concatenate([x.ravel(), as_input(steps, SCALES[scale], f32(zero_point)).ravel()])
            if np.ndim(SCALES[scale]):
                x = np.resize(x, (3, 3, 5, 4))
            for mode in MODES:
                inputs = [x, SCALES[scale], f32(zero_point), f32(before), f32(after)]
                yield Trunc_v1, "Trunc", {"rounding_mode": mode}, inputs
    for mode in MORE_MODES:
        yield Trunc_v1, "Trunc", {"rounding_mode": mode}, [f32(5.5), f32(0.5), f32(0), f32(4), f32(3)]


def trunc_v2_cases() -> Iterator[Case]:
    rng = np.random.default_rng(3)
    for name, zero_point in [("power", 0), ("plain", 0), ("third", 3), ("channels", 0), ("columns", 2)]:
        scale = SCALES[name]
        for ratio, after in [
            (1, 8),
            (16, 4),
            (256, 8),
            (256, 1),
            (2.0**20, 12),
            (0.25, 8),
            (1.41, 4),
            (1.42, 4),
            (3, 5),
        ]:
            x = as_input(integer_codes(after, rng), f32(scale * f32(ratio)), f32(zero_point))
            if np.ndim(scale):
                x = np.resize(x, (3, 3, 5, 4))
            out_scale = (scale * f32(ratio)).astype(f32)
            for (signed, narrow), mode in itertools.product(SIGNED_NARROW, MODES):
                attributes = {"rounding_mode": mode, "signed": signed, "narrow": narrow}
                yield Trunc_v2, "Trunc", attributes, [x, scale, f32(zero_point), f32(16), out_scale, f32(after)]


def float_cases() -> Iterator[Case]:
    rng = np.random.default_rng(4)
    shapes = [(4, 3, 7, 240), (4, 3, 7, 448), (5, 2, 15, 57344), (3, 2, 3, 28), (2, 1, 1, 6), (2, 3, 1, 7.5)]
    shapes += [
        (5, 10, 15, 65504),
        (8, 7, 127, 3.3895314e38),
        (8, 23, 127, 3.4028235e38),
        (4, 0, 8, 128),
        (1, 2, 0, 1.75),
    ]
    shapes += [(4, 3, 3, 1000), (4, 3, 7, np.inf), (6, 30, 31, 1e9)]
    policies = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1)]
    for (exponent, mantissa, bias, top), name in itertools.product(shapes, ("one", "power", "plain", "channels")):
        scale = SCALES[name]
        powers = 2.0 ** np.arange(-bias - mantissa - 2, min(2**exponent - bias + 2, 125))
        powers = rng.choice(powers, min(powers.size, 14), replace=False)
        between = rng.uniform(0.5, 2, 24) * rng.choice(powers, 24)
        steps = (rng.integers(1, 2 ** min(mantissa + 3, 20), 24) / 2.0 ** (min(mantissa, 18) + 1)) * rng.choice(
            powers, 24
        )
        positive = np.concatenate([neighbours(powers), between, steps, neighbours([top])])
        x = as_input(np.concatenate([positive, -positive]).astype(f32), scale, f32(0))
        inputs = [x, scale, *(f32(value) for value in (exponent, mantissa, bias, top))]
        for mode in MODES:
            for saturation, has_inf, has_nan in policies if mode in {"ROUND", "FLOOR"} else policies[:1]:
                attributes = {"saturation": saturation, "has_inf": has_inf, "has_nan": has_nan, "has_subnormal": 1}
                yield FloatQuant, "FloatQuant", {**attributes, "rounding_mode": mode}, inputs


class Pool:
    """Distinct arrays, one after the other."""

    def __init__(self) -> None:
        self.parts: list[np.ndarray] = []
        self.known: dict[bytes, int] = {}
        self.size = 0

    def add(self, array: np.ndarray) -> list:
        data = np.ascontiguousarray(array, dtype=f32)
        key = data.tobytes()
        if key not in self.known:
            self.known[key] = self.size
            self.parts.append(data.ravel())
            self.size += data.size
        return [self.known[key], list(np.shape(array))]


def run(op: type, name: str, attributes: dict[str, int | str], inputs: list[np.ndarray]) -> np.ndarray:
    names = [f"i{position}" for position in range(len(inputs))]
    node = onnx.helper.make_node(name, names, ["y"], domain="qonnx.custom_op.general", **attributes)
    context = {key: np.array(value, f32) for key, value in zip(names, inputs, strict=True)}
    with np.errstate(all="ignore"):
        op(node).execute_node(context, None)
    found = np.asarray(context["y"])
    if found.dtype != f32:
        raise TypeError(f"{name} gave {found.dtype}")
    return found


def main() -> None:
    files = {
        "quant": quant_cases,
        "bipolar_quant": bipolar_cases,
        "trunc_v1": trunc_v1_cases,
        "trunc_v2": trunc_v2_cases,
        "float_quant": float_cases,
    }
    for file, cases in files.items():
        pool, index = Pool(), []
        for op, name, attributes, inputs in cases():
            output = run(op, name, attributes, inputs)
            stored = {"inputs": [pool.add(value) for value in inputs], "output": pool.add(output)}
            index.append({"op": name, "attributes": attributes, **stored})
        path = HERE / f"{file}.npz"
        np.savez_compressed(path, pool=np.concatenate(pool.parts), cases=np.array(json.dumps(index)))
        print(f"{path.name}: {len(index)} cases, {pool.size} floats, {path.stat().st_size} bytes")  # noqa: T201


if __name__ == "__main__":
    main()
