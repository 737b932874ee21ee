"""Graph outputs that a table makes keep what float32 can show of them."""

import numpy as np
import pytest

from qonnx_tools.conversion import convert
from qonnx_tools.graph import from_proto, parse
from qonnx_tools.runtime import session

NET = """
    <ir_version: 8, opset_import: ["" : 17]>
    net (float[N, 3, 4, 4] x) => (float[N, 2, 4, 4] y)
    <float[2, 3, 1, 1] w>
    {{
        [c] z = Conv (x, w)
        [f] y = {function} (z)
    }}
    """


@pytest.mark.parametrize("function", ["Sigmoid", "Tanh", "LeakyRelu <alpha = 0.3>", "Exp", "HardSwish"])
def test_a_last_function_is_not_rounded_to_the_grid_of_its_input(function):
    random = np.random.default_rng(2)
    w = random.normal(size=(2, 3, 1, 1)).astype(np.float32)
    model = from_proto(parse(NET.format(function=function), w=w))
    x = {"x": random.normal(size=(2, 3, 4, 4)).astype(np.float32)}
    simulated, native = (
        session(convert(model, activation_bits=4, target=target).model).run(None, x)[0]
        for target in ("simulation", "native")
    )
    largest = np.abs(simulated).max()  # the two take the function from onnxruntime and from onnx: the last bits differ
    assert np.abs(native - simulated).max() <= largest * 2.0**-22
    assert np.unique(simulated).size > 6
