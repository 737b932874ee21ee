"""A network behind the normalization of its pixels, so that it reads raw ones, 0 to 255.

A teacher must read what the student reads: resnet32_cifar10 normalizes its pixels, mlperf_tiny_resnet8_cifar10 takes
them raw.

    python benchmarks/normalized_pixels.py IN.onnx OUT.onnx [--preset cifar10]
"""

import argparse
import sys
from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from qonnx_tools.data.presets import preprocessing
from qonnx_tools.errors import QonnxToolsError
from qonnx_tools.graph import from_proto, load, save, to_proto


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", metavar="IN.onnx")
    parser.add_argument("target", metavar="OUT.onnx")
    parser.add_argument("--preset", default="cifar10")
    options = parser.parse_args(arguments)
    try:
        network = to_proto(load(options.source))
        joined = compose.merge_models(
            _front(network, options.preset), network, [("pixels", network.graph.input[0].name)]
        )
        save(from_proto(joined), options.target)
    except QonnxToolsError as error:
        sys.exit(f"error: {error}")


def _front(network: onnx.ModelProto, preset: str) -> onnx.ModelProto:
    """Return the model that normalizes pixels for ``network``."""
    wanted = preprocessing(preset)
    std = np.array(wanted.std, np.float32).reshape(1, -1, 1, 1)
    constants = {"factor": np.float32(wanted.scale) / std, "offset": np.reshape(wanted.mean, std.shape) / -std}
    raw = onnx.ValueInfoProto()
    raw.CopyFrom(network.graph.input[0])
    raw.name = "raw"
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["raw", "factor"], ["scaled"], "scale_pixels"),
            helper.make_node("Add", ["scaled", "offset"], ["pixels"], "centre_pixels"),
        ],
        "normalization",
        [raw],
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=network.opset_import, ir_version=network.ir_version)


if __name__ == "__main__":
    main()
