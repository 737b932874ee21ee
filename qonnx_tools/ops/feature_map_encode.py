"""FeatureMapEncode: codes of feature maps to bytes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from qonnx_tools.arithmetic import coding
from qonnx_tools.ops._codes import CodesOp, target_of
from qonnx_tools.ops._feature_map import (
    CODER,
    CODING_INPUTS,
    MAP_FORMAT,
    TRANSFORM,
    check_map,
    coding_of,
    of_unknown_count,
)


class FeatureMapEncode(CodesOp):
    """Compress every map of a batch: y are the bytes of their streams, uint8 [B], one behind the other.

    Each stream says where it ends. An entropy coder is nothing that standard ONNX can say: the op has no function body,
    so a model with it needs the library.
    """

    name = "FeatureMapEncode"
    inputs = CODING_INPUTS
    output_types = ("tensor(uint8)",)
    attributes = (*TRANSFORM, CODER, *MAP_FORMAT)

    def check(self, inputs: Sequence[npt.NDArray[Any]]) -> None:
        check_map(self, inputs)

    def compute(self, inputs: Sequence[npt.NDArray[Any]], attributes: Mapping[str, Any]) -> npt.NDArray[Any]:
        chosen, number_format = coding_of(inputs, attributes), target_of(attributes)
        streams = [coding.encode(codes, chosen, number_format) for codes in inputs[0]]
        return np.frombuffer(b"".join(streams), np.uint8)

    def stand_in(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        count = f"{''.join(node.output[:1])}:count"
        cast = onnx.helper.make_node("Cast", [count], node.output[:1], name=node.name, to=onnx.TensorProto.UINT8)
        return [*of_unknown_count(node, count), cast]
