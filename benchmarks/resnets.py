"""ResNet-18 and ResNet-50 with random weights, to measure conversions and graphs; their accuracy means nothing.

The standard networks for 224x224 images, 11.7M and 25.6M parameters, opset 17, Conv and BatchNormalization separate.
Weights are of He's initialization; batch-norm statistics are those that the network has on standard normal images
if every layer keeps the variance, so that activations stay of the order of one.

    python benchmarks/resnets.py {18,50} OUT.onnx [--side PIXELS]
"""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

BLOCKS = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3)}
"""Blocks of each of the four stages, by the number of layers."""
EXPANSION = {18: 1, 50: 4}
"""Output channels of a block to its width, which is 64 in the first stage and doubles with each other."""
CLASSES = 1000
SIDE = 224


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

    def block(self, x: str, name: str, given: int, layers: Sequence[tuple[int, int, int]]) -> str:
        """Convolutions of (channels, kernel, stride), Relu between them, added to what they read."""
        y, channels = x, given
        *inner, (made, kernel, stride) = layers
        for at, (outer, *window) in enumerate(inner, 1):
            y = self.convolution(y, f"{name}.conv{at}", (channels, outer), *window)
            y, channels = self.node("Relu", [y], f"{name}.relu{at}"), outer
        y = self.convolution(y, f"{name}.conv{len(layers)}", (channels, made), kernel, stride, gain=0.3)
        total_stride = math.prod(layer[2] for layer in layers)
        if total_stride != 1 or given != made:
            x = self.convolution(x, f"{name}.shortcut", (given, made), 1, total_stride)
        return self.node("Relu", [self.node("Add", [y, x], f"{name}.add")], f"{name}.relu{len(layers)}")

    def classifier(self, x: str, channels: int) -> str:
        x = self.node("Flatten", [self.node("GlobalAveragePool", [x], "pool")], "flatten")
        weight = self.weight("fc.weight", self._random.normal(0, 0.03, (CLASSES, channels)))
        return self.node("Gemm", [x, weight, self.weight("fc.bias", np.zeros(CLASSES))], "fc", transB=1)


def resnet(layers: int, side: int = SIDE) -> onnx.ModelProto:
    """Return ResNet-18 or ResNet-50: input ``[N, 3, side, side]``, output ``[N, 1000]``."""
    builder = _Builder()
    x = builder.node("Relu", [builder.convolution("image", "stem", (3, 64), 7, 2)], "stem.relu")
    x = builder.node("MaxPool", [x], "stem.pool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    given = 64
    for stage, blocks in enumerate(BLOCKS[layers]):
        width, made = 64 << stage, EXPANSION[layers] * 64 << stage
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            plain, bottleneck = (
                ((width, 3, stride), (made, 3, 1)),
                ((width, 1, 1), (width, 3, stride), (made, 1, 1)),
            )
            x = builder.block(x, f"stage{stage + 1}.{block}", given, plain if layers == 18 else bottleneck)
            given = made
    output = builder.classifier(x, given)
    graph = helper.make_graph(
        builder.nodes,
        f"resnet{layers}",
        [helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, ["N", 3, side, side])],
        [helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, ["N", CLASSES])],
        builder.weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description="Write a ResNet with random weights.")
    parser.add_argument("layers", type=int, choices=list(BLOCKS))
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--side", type=int, default=SIDE, help="height and width of its images")
    options = parser.parse_args()
    model = resnet(options.layers, options.side)
    options.out.write_bytes(model.SerializeToString())
    parameters = sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer)
    print(f"wrote {options.out}: {parameters} parameters")


if __name__ == "__main__":
    main()
