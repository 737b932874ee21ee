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
        if not _sums_are_exact(node, attributes, given, tensors):
            return False
        if node.op_type == "FixedAveragePool" and np.log2(float(given[1])) % 1:
            return False
        if node.op_type == "Lookup" and attributes["to"] == onnx.TensorProto.INT32:
            return False  # the table's own format is not the float's
        if attributes.get("bits") == 32 and np.any(given[_shift_of(node)] > 0):
            return False  # a result that had no format yet, cut off at 32 bits
    return True


def _sums_are_exact(node, attributes, given, tensors) -> bool:
    """Whether float32 holds all that an addition adds, and the convolution before it in the same node."""
    if node.op_type == "FixedAdd":
        return _fits([np.abs(tensors[name].astype(np.float64)).max() for name in node.input[:2]], given[2:4])
    if not node.op_type.endswith("ConvAdd"):
        return True
    bits = attributes["conv_bits"]
    is_cut_off = bits == 32 and np.any(given[2] > 0)
    return not is_cut_off and _fits([2.0**bits, np.abs(tensors[node.input[6]].astype(np.float64)).max()], given[7:9])


def _fits(sizes, lefts) -> bool:
    return sum(size * 2.0 ** int(left) for size, left in zip(sizes, lefts, strict=True)) < 2**PRECISION


def _shift_of(node: onnx.NodeProto) -> int:
    """The input that says how far the result is shifted."""
    return 9 if node.op_type.endswith("ConvAdd") else 4 if node.op_type == "FixedAdd" else 2
