"""The kernels of the QONNX dialect compute what the qonnx package does, to the bit."""

import json
from pathlib import Path

import numpy as np
import pytest

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
