"""Where the simulation, which computes in float32, must give the same numbers as the native graph."""

import numpy as np
import onnx
from onnx import numpy_helper

FLOAT_FUNCTIONS = {"Sigmoid", "HardSwish", "Tanh"}
"""Of these the simulation takes onnxruntime's value and a table the reference's: they may round apart."""
PRECISION = 24
"""Bits that float32 holds exactly."""


def is_exact_in_float(native: onnx.ModelProto, network: onnx.ModelProto, tensors: dict[str, np.ndarray]) -> bool:
    """Whether float32 computes what the codes say: sums below 2**24, means over powers of two, no rounded tables."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in native.graph.initializer}
    if FLOAT_FUNCTIONS & {node.op_type for node in network.graph.node}:
        return False
    for node in native.graph.node:
        attributes = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
        given = [constants.get(name) for name in node.input]
        if attributes.get("accumulator_bits", 0) > PRECISION:
            return False
        if node.op_type == "FixedAdd":
            sizes = [np.abs(tensors[name].astype(np.float64)).max() for name in node.input[:2]]
            if sum(size * 2.0 ** int(left) for size, left in zip(sizes, given[2:4], strict=True)) >= 2**PRECISION:
                return False
        if node.op_type == "FixedAveragePool" and np.log2(float(given[1])) % 1:
            return False
        if node.op_type == "Lookup" and attributes["to"] == onnx.TensorProto.INT32:
            return False  # the table's own format is not the float's
        if attributes.get("bits") == 32 and np.any(given[{"FixedAdd": 4}.get(node.op_type, 2)] > 0):
            return False  # a result that had no format yet, cut off at 32 bits
    return True
