"""A ResNet-50 with random weights, to measure the time of a conversion; its accuracy means nothing.

The standard bottleneck network for 224x224 images, 25.6M parameters, opset 17, Conv and BatchNormalization separate.
Weights are of He's initialization; batch-norm statistics are those that the network has on standard normal images
if every layer keeps the variance, so that activations stay of the order of one.

    python benchmarks/resnet50.py OUT.onnx
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

STAGES = ((3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2))
"""Blocks, width and first stride of each stage; a block has four times its width in output channels."""
EXPANSION = 4
CLASSES = 1000


class _Builder:
    """Appends layers; every method returns the name of the tensor that it makes."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._random = np.random.default_rng(0)

    def weight(self, name: str, values: npt.NDArray[np.float64]) -> str:
        self.weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def node(self, op: str, inputs: list[str], name: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op, inputs, [f"{name}_out"], name, **attributes))
        return f"{name}_out"

    def convolution(
        self, x: str, name: str, channels: tuple[int, int], kernel: int, stride: int = 1, *, gain: float = 1.0
    ) -> str:
        """Conv and BatchNormalization; ``gain`` is the mean of gamma."""
        given, made = channels
        fan_in = given * kernel**2
        weight = self.weight(
            f"{name}.weight", self._random.normal(0, np.sqrt(2 / fan_in), (made, given, kernel, kernel))
        )
        y = self.node(
            "Conv",
            [x, weight],
            name,
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[kernel // 2] * 4,
        )
        parameters = {
            "gamma": self._random.uniform(0.8, 1.2, made) * gain,
            "beta": self._random.normal(0, 0.1, made),
            "mean": self._random.normal(0, 0.2, made),
            "variance": self._random.uniform(1.5, 2.5, made),
        }
        names = [self.weight(f"{name}.bn.{key}", value) for key, value in parameters.items()]
        return self.node("BatchNormalization", [y, *names], f"{name}.bn")

    def bottleneck(self, x: str, name: str, given: int, width: int, stride: int) -> str:
        made = EXPANSION * width
        y = self.node("Relu", [self.convolution(x, f"{name}.conv1", (given, width), 1)], f"{name}.relu1")
        y = self.node("Relu", [self.convolution(y, f"{name}.conv2", (width, width), 3, stride)], f"{name}.relu2")
        y = self.convolution(y, f"{name}.conv3", (width, made), 1, gain=0.3)
        if stride != 1 or given != made:
            x = self.convolution(x, f"{name}.shortcut", (given, made), 1, stride)
        return self.node("Relu", [self.node("Add", [y, x], f"{name}.add")], f"{name}.relu3")

    def classifier(self, x: str, channels: int) -> str:
        x = self.node("Flatten", [self.node("GlobalAveragePool", [x], "pool")], "flatten")
        weight = self.weight("fc.weight", self._random.normal(0, 0.03, (CLASSES, channels)))
        return self.node("Gemm", [x, weight, self.weight("fc.bias", np.zeros(CLASSES))], "fc", transB=1)


def resnet50() -> onnx.ModelProto:
    """Return the network: input ``[N, 3, 224, 224]``, output ``[N, 1000]``."""
    builder = _Builder()
    x = builder.node("Relu", [builder.convolution("image", "stem", (3, 64), 7, 2)], "stem.relu")
    x = builder.node("MaxPool", [x], "stem.pool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    given = 64
    for stage, (blocks, width, stride) in enumerate(STAGES, 1):
        for block in range(blocks):
            x = builder.bottleneck(x, f"stage{stage}.{block}", given, width, 1 if block else stride)
            given = EXPANSION * width
    output = builder.classifier(x, given)
    graph = helper.make_graph(
        builder.nodes,
        "resnet50",
        [helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, ["N", 3, 224, 224])],
        [helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, ["N", CLASSES])],
        builder.weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description="Write a ResNet-50 with random weights.")
    parser.add_argument("out", type=Path, metavar="OUT")
    path = parser.parse_args().out
    model = resnet50()
    path.write_bytes(model.SerializeToString())
    parameters = sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer)
    print(f"wrote {path}: {parameters} parameters")


if __name__ == "__main__":
    main()
