"""Streams inside a graph: loaded, inferred, saved and run."""

import numpy as np
import onnx
import onnxruntime
import pytest

from qonnx_tools import graph, ops
from qonnx_tools.runtime import library_path

FORMAT = "bits = 8, signed = 0, to = 2"
NET = f"""
<ir_version: 10, opset_import: ["": 17, "qonnx_tools.ops": 1]>
net (uint8[N, 3, 9, 7] x) => (uint8[N, 3, 9, 7] y, uint8[M, 3, 9, 7] z, int64[1] bytes)
<int64 step = {{40}}, bool[3] dropped>
{{
    y = qonnx_tools.ops.FeatureMapRoundTrip <transform = 2, levels = 2, {FORMAT}> (x, step, dropped)
    streams = qonnx_tools.ops.FeatureMapEncode <transform = 2, levels = 2, coder = 2, {FORMAT}> (x, step, dropped)
    z = qonnx_tools.ops.FeatureMapDecode <shape = [3, 9, 7], {FORMAT}> (streams)
    bytes = Shape(streams)
}}
"""


@pytest.fixture
def model():
    return graph.from_proto(graph.parse(NET, dropped=np.array([False, True, False])))


def test_shapes_come_through_streams(model):
    graph.update_shapes(model)
    streams = model.graph.tensors()["streams"]
    assert (streams.dtype, len(streams.shape)) == (np.uint8, 1)


def test_streams_are_decoded_in_the_same_graph(model, tmp_path):
    graph.save(model, tmp_path / "net.onnx")
    onnx.checker.check_model(str(tmp_path / "net.onnx"), full_check=True)
    options = onnxruntime.SessionOptions()
    options.register_custom_ops_library(str(library_path()))
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", options, providers=["CPUExecutionProvider"])
    for batch in (1, 3, 0):
        x = np.random.default_rng(6).integers(0, 256, (batch, 3, 9, 7), np.uint8)
        y, z, size = session.run(None, {"x": x})
        np.testing.assert_array_equal(y, z)
        inputs = [x, np.array(40), np.array([False, True, False])]
        attributes = {"transform": 2, "levels": 2, "coder": 2, "bits": 8, "signed": 0, "to": 2}
        (streams,) = ops.op_table()[ops.DOMAIN, "FeatureMapEncode"].reference(inputs, attributes)
        assert size.tolist() == [streams.size]


def test_a_coder_needs_the_library_and_a_round_trip_does_not(model, tmp_path):
    graph.save(model, tmp_path / "net.onnx")
    with pytest.raises(Exception, match="FeatureMapEncode"):
        onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    proto = onnx.load(tmp_path / "net.onnx")
    assert [body.name for body in proto.functions] == ["FeatureMapRoundTrip"]
