"""FeatureMapDecode: codes of feature maps from bytes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from qonnx_tools.arithmetic import coding
from qonnx_tools.arithmetic.bitstream import read_stream, split_streams
from qonnx_tools.errors import ConfigError, DataError
from qonnx_tools.ops._codes import CodesOp, carrier_of, cast_to, target_of
from qonnx_tools.ops._feature_map import MAP_FORMAT, of_unknown_count
from qonnx_tools.ops.op import Attribute, Input


class FeatureMapDecode(CodesOp):
    """Decompress a batch of maps: y is [N, C, H, W] for N streams, one behind the other.

    How a map was compressed stands in its stream. What the graph relies on, shape, number format and element type, are
    attributes, and a stream that says otherwise is an error, as is a damaged one. It has no function body.
    """

    name = "FeatureMapDecode"
    inputs = (Input("streams", "bytes [B] of FeatureMapEncode", ("tensor(uint8)",)),)
    attributes = (Attribute("shape", "of a map: C, H, W", kind=tuple), *MAP_FORMAT)

    def check(self, inputs: Sequence[npt.NDArray[Any]]) -> None:
        if inputs[0].ndim != 1:
            raise ConfigError(f"{self.name}: input 'streams' has shape {list(inputs[0].shape)}; give bytes, [B]")

    def compute(self, inputs: Sequence[npt.NDArray[Any]], attributes: Mapping[str, Any]) -> npt.NDArray[Any]:
        shape, number_format = tuple(attributes["shape"]), target_of(attributes)
        carrier = carrier_of(attributes, number_format.code_range)
        if len(shape) != 3 or min(shape) < 1:
            raise ConfigError(f"attribute 'shape' is {list(shape)}; give C, H, W of a feature map")
        streams = split_streams(inputs[0].astype(np.uint8).tobytes())
        y = np.empty((len(streams), *shape), carrier)
        for position, stream in enumerate(streams):
            header, _ = read_stream(stream, y[position].size)
            if (header.shape, header.element, header.number_format) != (shape, carrier, number_format):
                held = f"{header.element} {list(header.shape)} of {header.number_format.bits} bits"
                wanted = f"{carrier} {list(shape)} of {number_format.bits} bits"
                raise DataError(f"stream {position} holds {held}; the attributes say {wanted}")
            y[position] = coding.decode(stream)
        return y

    def stand_in(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        count, maps, sizes = (f"{''.join(node.output[:1])}:{name}" for name in ("count", "maps", "sizes"))
        shape = [list(attribute.ints) for attribute in node.attribute if attribute.name == "shape"]
        wanted = onnx.helper.make_node("Constant", [], [sizes], value_ints=[-1, *(shape[0] if shape else [])])
        reshape = onnx.helper.make_node("Reshape", [count, sizes], [maps])
        return [*of_unknown_count(node, count), wanted, reshape, cast_to(node, [maps])]
