"""The kernels of the QONNX dialect compute what the qonnx package does, to the bit."""

import json
from pathlib import Path

import numpy as np
import pytest

from qonnx_tools.arithmetic import qonnx_dialect

VECTORS = Path(__file__).parent.parent / "ops" / "vectors"
DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")


def recorded(name):
    """The cases of a vector file: op, attributes, inputs, expected output."""
    with np.load(VECTORS / f"{name}.npz") as stored:
        pool, cases = stored["pool"], json.loads(str(stored["cases"]))

    def array(place):
        offset, shape = place
        return pool[offset : offset + int(np.prod(shape))].reshape(shape)

    for case in cases:
        yield case["op"], case["attributes"], [array(place) for place in case["inputs"]], array(case["output"])


@pytest.mark.parametrize("name", ["quant", "bipolar_quant", "trunc_v1", "trunc_v2", "float_quant"])
def test_every_recorded_case(name, run_node, assert_same_bits):
    for number, (op, attributes, inputs, expected) in enumerate(recorded(name)):
        found = run_node(op, inputs, attributes, domain=DOMAINS[number % len(DOMAINS)])
        what = (name, number, attributes, [value for value in inputs if value.ndim == 0])
        assert_same_bits(found, expected, what)


MODES = ("ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN")
f32 = np.float32


def bit_patterns(random, count=4096):
    """Half of them any float32, half near 1, where most formats have their codes; [8, 4, n]."""
    anything = random.integers(-(2**31), 2**31, count // 2).astype(np.int32).view(f32)
    near_one = random.integers(117 << 23, 137 << 23, count // 2).astype(np.int32).view(f32)
    near_one[::2] *= -1
    return np.concatenate([anything, near_one]).reshape(8, 4, -1)


def random_scale(random):
    shape = [(), (4, 1), (8, 1, 1), (1,)][random.integers(4)]
    if random.random() < 0.3:
        return np.asarray(f32(2) ** random.integers(-9, 3, shape).astype(f32))
    return random.uniform(0.01, 3, shape).astype(f32) * (f32(-1) if random.random() < 0.1 else f32(1))


def flags(random, *names):
    return {name: int(random.integers(2)) for name in names}


@pytest.mark.parametrize("seed", range(30))
def test_random_numbers_and_parameters(seed, run_node, assert_same_bits):
    random = np.random.default_rng(seed)
    x, scale = bit_patterns(random), random_scale(random)
    zero_point = f32(random.choice([0, 0, 1, -3, 0.5]))
    mode = {"rounding_mode": MODES[seed % len(MODES)]}
    bits = f32(random.integers(1, 33))
    in_bits, out_bits = f32(random.integers(1, 17)), f32(random.integers(1, 17))
    out_scale = (scale * f32(random.choice([0.25, 1, 2, 7, 16]))).astype(f32)
    minifloat = [f32(random.integers(1, 9)), f32(random.integers(0, 11)), f32(random.integers(-3, 20))]
    minifloat.append(f32(random.choice([np.inf, 1, 480, 57344])))
    overflow = [{"saturation": 1, "has_inf": 0, "has_nan": 0}, {"saturation": 0, "has_inf": 1, "has_nan": 1}]
    overflow.append({"saturation": 0, "has_inf": 0, "has_nan": 1})
    cases = [
        ("Quant", qonnx_dialect.int_quant, [scale, zero_point, bits], mode | flags(random, "signed", "narrow")),
        ("BipolarQuant", qonnx_dialect.bipolar_quant, [scale], {}),
        ("Trunc", qonnx_dialect.trunc_v1, [scale, zero_point, in_bits, out_bits], mode),
        (
            "Trunc",
            qonnx_dialect.trunc_v2,
            [scale, zero_point, in_bits, out_scale, out_bits],
            mode | flags(random, "signed", "narrow"),
        ),
        ("FloatQuant", qonnx_dialect.float_quant, [scale, *minifloat], mode | overflow[seed % 3]),
    ]
    for op, reference, parameters, attributes in cases:
        how = {key: value if key == "rounding_mode" else bool(value) for key, value in attributes.items()}
        expected = reference(x, *parameters, **how)
        for constant in (None, ()):
            found = run_node(op, [x, *parameters], attributes, domain=DOMAINS[0], constant=constant)
            assert_same_bits(found, expected, (op, parameters, attributes))
